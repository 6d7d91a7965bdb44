"""From names and configs to initializers, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import registry
from jaxkeras.core.dtypes import standardize_dtype
from jaxkeras.core.variable import Variable
from jaxkeras.initializers.base import KIND


def get(identifier: Any) -> Callable[..., Any] | None:
    """An initializer from what a user wrote.

    Args:
        identifier: a name, a config, an initializer, its class, a function `(shape, dtype=None) -> array`, an array
            (used as the value itself), or None.

    Returns:
        Something to call with `(shape, dtype=...)`, or None for None.

    Raises:
        ValueError: for an unknown name, or something that cannot be called.

    Example:

    >>> get("he_normal").scale
    2.0
    """
    if isinstance(identifier, (np.ndarray, np.generic, jax.Array, Variable)):
        return _given(identifier)
    found = registry.get(KIND, identifier)
    if found is not None and not callable(found):
        raise ValueError(
            f"Cannot use {identifier!r} as an initializer: expected a name such as 'glorot_uniform', an Initializer, "
            "an array, or a function of (shape, dtype)."
        )
    return found


def _given(array: Any) -> Callable[..., jax.Array]:
    def initialize(shape: Sequence[int], dtype: Any = None) -> jax.Array:
        if tuple(shape) != tuple(array.shape):
            raise ValueError(
                f"The array given as initializer has shape {tuple(array.shape)}, the weight has shape {tuple(shape)}."
            )
        return jnp.asarray(array, standardize_dtype(dtype))

    return initialize


def serialize(initializer: Any) -> Any:
    """The config of an initializer, in Keras's format."""
    return registry.serialize(initializer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """An initializer from its config.

    Args:
        config: what `serialize` returned, or a name.
        custom_objects: `{name: class or function}` that the config may name besides what is registered.

    Returns:
        The initializer.
    """
    return registry.deserialize(config, custom_objects, kind=KIND)
