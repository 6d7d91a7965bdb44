"""Rescaling by constants."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import registry
from jaxkeras.core import config
from jaxkeras.layers._base.layer import Layer


@registry.register("keras.layers")
class Rescaling(Layer):
    """`inputs * scale + offset`.

    Args:
        scale: a number, or one for each channel.
        offset: a number, or one for each channel.

    Example:

    >>> Rescaling(1 / 127.5, offset=-1)(jnp.array([[0.0, 255.0]]))
    Array([[-1.,  1.]], dtype=float32)
    """

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.scale, self.offset = scale, offset
        self.supports_masking = True

    def call(self, inputs: jax.Array) -> jax.Array:
        scale, offset = (jnp.asarray(value, self.compute_dtype) for value in (self.scale, self.offset))
        if scale.ndim and config.image_data_format() == "channels_first":
            scale = scale.reshape(*scale.shape, *(1,) * (3 - scale.ndim))
        return inputs.astype(self.compute_dtype) * scale + offset
