"""Normalization to unit length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.normalization.base import standardize_axis
from jaxkeras.registry import register


@register("keras.layers")
class UnitNormalization(Layer):
    """`x / |x|`: scales to unit Euclidean norm along an axis, or several together.

    Args:
        axis: the axis, or the axes that are normalized together.

    Example:

    >>> UnitNormalization()(jnp.array([[3.0, 4.0]]))
    Array([[0.6, 0.8]], dtype=float32)
    """

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = standardize_axis(self, axis)
        self.supports_masking = True

    def call(self, inputs: jax.Array) -> jax.Array:
        return l2_normalize(inputs, tuple(self.axis) if isinstance(self.axis, list) else self.axis)


def l2_normalize(x: jax.Array, axis: int | Sequence[int] | None = None, epsilon: float = 1e-12) -> jax.Array:
    """Vectors divided by their Euclidean norm, or by `epsilon` if that is larger."""
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    square = jnp.sum(jnp.square(wide), axis, keepdims=True)
    return (wide * jax.lax.rsqrt(jnp.maximum(square, epsilon**2))).astype(x.dtype)
