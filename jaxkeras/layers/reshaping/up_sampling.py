"""Upsampling."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import registry
from jaxkeras.layers._base.arguments import positive_int, tuple_of
from jaxkeras.layers._base.spatial import Spatial
from jaxkeras.ops.image import resize


def _repeat(x: jax.Array, factors: dict[int, int]) -> jax.Array:
    """Repeat the elements along each axis, `{axis: count}`."""
    for axis, factor in factors.items():
        x = jnp.repeat(x, factor, axis)
    return x


@registry.register("keras.layers")
class UpSampling1D(Spatial):
    """Repeats every step of a sequence.

    Args:
        size: number of repetitions.

    Input shape: `(batch, steps, features)`. Output shape: `(batch, steps * size, features)`.

    Example:

    >>> UpSampling1D(2)(jnp.ones((2, 5, 3))).shape
    (2, 10, 3)
    """

    rank = 1

    def __init__(self, size: int = 2, **kwargs: Any):
        super().__init__("channels_last", **kwargs)
        self.size = positive_int(size, "size", self, TypeError)

    def call(self, inputs: jax.Array) -> jax.Array:
        return _repeat(inputs, {1: self.size})


_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


@registry.register("keras.layers")
class UpSampling2D(Spatial):
    """Upsamples images by integer factors.

    Args:
        size: the factor, or one each for height and width.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        interpolation: `"nearest"` (repeat), `"bilinear"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.

    Input shape: `(batch, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> UpSampling2D((1, 2))(jnp.ones((2, 5, 6, 3))).shape
    (2, 5, 12, 3)
    """

    rank = 2

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ):
        super().__init__(data_format, **kwargs)
        self.size = tuple_of(size, 2, "size")
        self.interpolation = interpolation.lower()
        if self.interpolation not in _INTERPOLATIONS:
            raise registry.unknown("interpolation of UpSampling2D", interpolation, _INTERPOLATIONS)

    def call(self, inputs: jax.Array) -> jax.Array:
        factors = dict(zip(self.spatial_axes, self.size))
        if self.interpolation == "nearest":
            return _repeat(inputs, factors)
        size = [inputs.shape[axis] * factor for axis, factor in factors.items()]
        return resize(inputs, size, self.interpolation, data_format=self.data_format)


@registry.register("keras.layers")
class UpSampling3D(Spatial):
    """Repeats every voxel of a volume along each spatial axis.

    Args:
        size: the factor, or one for each spatial axis.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Input shape: `(batch, depth, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> UpSampling3D((1, 2, 3))(jnp.ones((2, 4, 5, 6, 3))).shape
    (2, 4, 10, 18, 3)
    """

    rank = 3

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.size = tuple_of(size, 3, "size")

    def call(self, inputs: jax.Array) -> jax.Array:
        return _repeat(inputs, dict(zip(self.spatial_axes, self.size)))
