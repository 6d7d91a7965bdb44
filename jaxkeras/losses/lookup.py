"""From names and configs to losses and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jaxkeras import registry
from jaxkeras.losses.loss import Loss

_KIND = "keras.losses"


def get(identifier: Any) -> Loss | Callable[..., Any] | None:
    """A loss from what a user wrote.

    Args:
        identifier: None, a name (`"mse"` gives a function, `"MeanSquaredError"` an object), a config, a class, or a
            loss, which is returned as it is.

    Returns:
        A `Loss`, a function `f(y_true, y_pred)`, or None.

    Raises:
        ValueError: for an unknown name, with the closest ones, and for something that cannot be called.

    Example:

    >>> get("mse").__name__
    'mean_squared_error'
    """
    found = registry.get(_KIND, identifier)
    if found is not None and not callable(found):
        raise ValueError(
            f"Cannot use {identifier!r} as a loss. Give a name such as 'mse', a Loss, a config, or a function "
            "f(y_true, y_pred)."
        )
    return found


def serialize(loss: Loss | Callable[..., Any]) -> Any:
    """The config of a loss, in Keras's format."""
    return registry.serialize(loss)


def deserialize(name: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """A loss from its config (or its name).

    Args:
        name: what `serialize` returned.
        custom_objects: classes and functions that the config may name besides the built-in ones.

    Returns:
        A `Loss` or a function.
    """
    return registry.deserialize(name, custom_objects, kind=_KIND)
