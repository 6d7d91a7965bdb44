"""Root-mean-square normalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.layers._base.arguments import known_size
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.normalization.base import built_axes, standardize_axis
from jaxkeras.registry import register


@register("keras.layers")
class RMSNormalization(Layer):
    """`scale * x / sqrt(mean(x**2) + epsilon)` (Zhang and Sennrich, 2019).

    Args:
        axis: the axis, or the axes that are normalized together.
        epsilon: added to the mean square.

    Example:

    >>> RMSNormalization()(jnp.array([[2.0, -2.0]])).round(3)
    Array([[ 1., -1.]], dtype=float32)
    """

    def __init__(self, axis: int | Sequence[int] = -1, epsilon: float = 1e-6, **kwargs: Any):
        super().__init__(**kwargs)
        standardize_axis(self, axis)
        self.axis: Any = axis
        self.epsilon = epsilon

    def build(self, input_shape: Any) -> None:
        self.axis = built_axes(self, len(input_shape))
        shape = tuple(known_size(self, input_shape, axis) for axis in self.axis)
        self.scale = self.add_weight(shape, "ones", name="scale")

    def call(self, x: jax.Array) -> jax.Array:
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        axes = [axis % x.ndim for axis in self.axis]
        y = wide * jax.lax.rsqrt(jnp.mean(jnp.square(wide), tuple(axes), keepdims=True) + self.epsilon)
        scale = self.scale.value.reshape([n if axis in axes else 1 for axis, n in enumerate(x.shape)])
        return (y * scale).astype(x.dtype)
