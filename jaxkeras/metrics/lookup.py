"""From names and configs to metrics and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jaxkeras import registry
from jaxkeras.metrics.metric import Metric
from jaxkeras.metrics.reduction import metric_functions

_KIND = "keras.metrics"


def get(identifier: Any) -> Metric | Callable[..., Any] | None:
    """A metric from what a user wrote.

    Args:
        identifier: None, a name (`"mse"`, `"AUC"`, `"binary_accuracy"`), a config, a class, or a metric or function,
            which is returned as it is.

    Returns:
        A `Metric`, a function `f(y_true, y_pred)`, or None.

    Raises:
        ValueError: for an unknown name, with the closest ones, and for something that cannot be called.

    Example:

    >>> get("mse")
    <MeanSquaredError name=mean_squared_error>
    """
    found = deserialize(identifier) if isinstance(identifier, dict) else registry.get(_KIND, identifier)
    if found is not None and not callable(found):
        raise ValueError(
            f"Cannot use {identifier!r} as a metric. Give a name such as 'mse', a Metric, a config, or a function "
            "f(y_true, y_pred)."
        )
    return found


def serialize(metric: Metric | Callable[..., Any]) -> Any:
    """The config of a metric, in Keras's format."""
    return registry.serialize(metric)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """A metric from its config (or its name).

    Args:
        config: what `serialize` returned.
        custom_objects: classes and functions that the config may name besides the built-in ones.

    Returns:
        A `Metric` or a function.
    """
    if isinstance(config, dict) and config.get("class_name") == "function":
        custom_objects = {**metric_functions(), **(custom_objects or {})}
    return registry.deserialize(config, custom_objects, kind=_KIND)
