"""Pooling to a given output size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.layers._base.arguments import tuple_of
from jaxkeras.layers._base.spatial import Spatial
from jaxkeras.registry import register


def _ranges(size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The input positions of each output, `(count, widest)`, padded by repeating the last; and their number."""
    start = np.arange(count) * size // count
    end = -(-(np.arange(count) + 1) * size // count)
    positions = np.minimum(start[:, None] + np.arange(max(end - start)), end[:, None] - 1)
    return positions, end - start


def _adaptive_max(x: jax.Array, axis: int, count: int) -> jax.Array:
    positions, _ = _ranges(x.shape[axis], count)
    return jnp.max(jnp.take(x, positions, axis), axis + 1)


def _adaptive_mean(x: jax.Array, axis: int, count: int) -> jax.Array:
    x = x.astype(jnp.result_type(x, float))  # the mean of integers is a float
    positions, counts = _ranges(x.shape[axis], count)
    weights = (np.arange(positions.shape[1]) < counts[:, None]) / counts[:, None]
    parts = jnp.take(x, positions, axis)
    shape = (*(1,) * axis, *weights.shape, *(1,) * (x.ndim - axis - 1))
    return jnp.sum(parts * jnp.asarray(weights, x.dtype).reshape(shape), axis + 1)


class _AdaptivePooling(Spatial):
    """Pooling to a given size: output i of n covers positions `floor(i * size / n)` to `ceil((i + 1) * size / n)`."""

    pool: Callable[[jax.Array, int, int], jax.Array]

    def __init__(self, output_size: int | Sequence[int], data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.output_size = tuple_of(output_size, self.rank, "output_size")

    def call(self, inputs: jax.Array) -> jax.Array:
        for axis, count in zip(self.spatial_axes, self.output_size):
            inputs = type(self).pool(inputs, axis, count)
        return inputs


class _AdaptiveMaxPooling(_AdaptivePooling):
    pool = staticmethod(_adaptive_max)


class _AdaptiveAveragePooling(_AdaptivePooling):
    pool = staticmethod(_adaptive_mean)


@register("keras.layers")
class AdaptiveAveragePooling1D(_AdaptiveAveragePooling):
    """The mean of each of `output_size` equal parts of a sequence.

    Args:
        output_size: number of parts: an integer.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Example:

    >>> AdaptiveAveragePooling1D(4)(jnp.ones((2, 7, 3))).shape
    (2, 4, 3)
    """

    rank = 1


@register("keras.layers")
class AdaptiveAveragePooling2D(_AdaptiveAveragePooling):
    """The mean of each of `output_size` equal parts of an image.

    Args:
        output_size: number of parts: an integer, or one for each of height and width.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Example:

    >>> AdaptiveAveragePooling2D(4)(jnp.ones((2, 7, 9, 3))).shape
    (2, 4, 4, 3)
    """

    rank = 2


@register("keras.layers")
class AdaptiveAveragePooling3D(_AdaptiveAveragePooling):
    """The mean of each of `output_size` equal parts of a volume.

    Args:
        output_size: number of parts: an integer, or one for each of depth, height and width.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Example:

    >>> AdaptiveAveragePooling3D(4)(jnp.ones((2, 5, 6, 7, 3))).shape
    (2, 4, 4, 4, 3)
    """

    rank = 3


@register("keras.layers")
class AdaptiveMaxPooling1D(_AdaptiveMaxPooling):
    """The largest value of each of `output_size` equal parts of a sequence.

    Args:
        output_size: number of parts: an integer.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Example:

    >>> AdaptiveMaxPooling1D(4)(jnp.ones((2, 7, 3))).shape
    (2, 4, 3)
    """

    rank = 1


@register("keras.layers")
class AdaptiveMaxPooling2D(_AdaptiveMaxPooling):
    """The largest value of each of `output_size` equal parts of an image.

    Args:
        output_size: number of parts: an integer, or one for each of height and width.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Example:

    >>> AdaptiveMaxPooling2D(4)(jnp.ones((2, 7, 9, 3))).shape
    (2, 4, 4, 3)
    """

    rank = 2


@register("keras.layers")
class AdaptiveMaxPooling3D(_AdaptiveMaxPooling):
    """The largest value of each of `output_size` equal parts of a volume.

    Args:
        output_size: number of parts: an integer, or one for each of depth, height and width.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Example:

    >>> AdaptiveMaxPooling3D(4)(jnp.ones((2, 5, 6, 7, 3))).shape
    (2, 4, 4, 4, 3)
    """

    rank = 3
