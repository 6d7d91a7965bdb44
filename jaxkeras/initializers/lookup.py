"""Initializers from names and configs, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.dtypes import standardize_dtype
from jaxkeras.core.variable import Variable
from jaxkeras.initializers.base import KIND
from jaxkeras.lookup import Get, lookup_functions


def _from_array(identifier: Any) -> Any:
    """An initializer that returns the array it was made from; anything but an array is returned as it is."""
    if not isinstance(identifier, (np.ndarray, np.generic, jax.Array, Variable)):
        return identifier

    def initialize(shape: Sequence[int], dtype: Any = None) -> jax.Array:
        if tuple(shape) != tuple(identifier.shape):
            raise ValueError(
                f"The array given as initializer has shape {tuple(identifier.shape)}, but the weight has shape "
                f"{tuple(shape)}."
            )
        return jnp.asarray(identifier, standardize_dtype(dtype))

    return initialize


get: Get[Callable[..., Any] | None]
get, serialize, deserialize = lookup_functions(
    KIND,
    "initializer",
    convert=_from_array,
    accepts=(
        "a name such as 'glorot_uniform', an Initializer or its class, a config, an array (the value itself), or a "
        "function f(shape, dtype)"
    ),
    example=""">>> get("he_normal").scale
2.0
>>> deserialize(serialize(get("he_normal"))).scale
2.0""",
)
