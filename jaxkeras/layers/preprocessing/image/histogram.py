"""Histogram equalization of whole images or of tiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import registry
from jaxkeras.layers.preprocessing.image.image_layer import ImageLayer, rescale, value_range_of

Array = jax.Array


def _counts(indices: Array, bins: int) -> Array:
    """Count each index in `[0, bins)` along the last axis."""
    flat = indices.reshape(-1, indices.shape[-1])
    counts = jax.vmap(lambda row: jnp.zeros(bins, jnp.float32).at[row].add(1.0))(flat)
    return counts.reshape(*indices.shape[:-1], bins)


def _bin(values: Array, bins: int) -> Array:
    """The bins of values in [0, 255]."""
    return jnp.clip(values * ((bins - 1) / 255), 0, bins - 1).astype(jnp.int32)


@registry.register("keras.layers")
class Equalization(ImageLayer):
    """Equalizes the histogram of each channel of each image while training.

    Unlike in Keras, which uses one histogram for the batch, each image is equalized separately.

    Args:
        value_range: the lowest and highest pixel value.
        bins: number of bins of the histogram.
        data_format: `"channels_last"` or `"channels_first"`.

    Example:

    >>> Equalization()(jnp.array([[[10.0], [20.0], [30.0]]])).ravel().tolist()
    [0.0, 128.0, 255.0]
    """

    def __init__(self, value_range: Any = (0, 255), bins: int = 256, data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format=data_format, **kwargs)
        self.value_range, self.bins = value_range_of(value_range), bins

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        channels = jnp.moveaxis(rescale(images, self.value_range, (0, 255)), self.channel_axis, 1)
        values = channels.reshape(*channels.shape[:2], -1)
        indices = _bin(values, self.bins)
        below = jnp.cumsum(_counts(indices, self.bins), axis=-1)
        total = below[..., -1:]
        first = jnp.min(jnp.where(below > 0, below, total), axis=-1, keepdims=True)
        flat = total == first  # a single value: nothing to equalize
        table = jnp.clip(jnp.round((below - first) * 255 / jnp.where(flat, 1, total - first)), 0, 255)
        spread = jnp.take_along_axis(table, indices, axis=-1).astype(values.dtype)
        result = jnp.where(flat, values, spread).reshape(channels.shape)
        return rescale(jnp.moveaxis(result, 1, self.channel_axis), (0, 255), self.value_range)


@registry.register("keras.layers")
class ContrastLimitedAdaptiveHistogramEqualization(ImageLayer):
    """Equalizes histograms of tiles, with a limit on contrast that avoids amplifying noise (Zuiderveld, 1994).

    Args:
        value_range: the lowest and highest pixel value.
        clip_limit: limit of the counts of a histogram, relative to their mean; larger means more contrast.
        tile_grid_size: number of tiles along height and width.
        data_format: `"channels_last"` or `"channels_first"`.

    The dtype of images is preserved.

    Example:

    >>> ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 2))(jnp.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    always = True
    keeps_dtype = True

    def __init__(
        self,
        value_range: Any = (0, 255),
        clip_limit: float = 4.0,
        tile_grid_size: Sequence[int] = (8, 8),
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        value_range_of(value_range)
        self.value_range, self.clip_limit, self.tile_grid_size = value_range, clip_limit, tile_grid_size

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        planes = jnp.moveaxis(images, self.channel_axis, 1).astype(jnp.float32)
        planes = rescale(planes, self.value_range, (0, 255))
        one = jax.vmap(jax.vmap(self._equalize))(planes)
        result = rescale(one, (0, 255), self.value_range).astype(images.dtype)
        return jnp.moveaxis(result, 1, self.channel_axis)

    def _equalize(self, plane: Array) -> Array:
        """One channel of one image, `(height, width)`, values in [0, 255]."""
        (height, width), (rows, columns) = plane.shape, self.tile_grid_size
        tall, wide = -(-height // rows), -(-width // columns)
        padded = jnp.pad(plane, ((0, tall * rows - height), (0, wide * columns - width)), mode="symmetric")
        values = jnp.clip(padded.astype(jnp.int32), 0, 255)
        tiles = values.reshape(rows, tall, columns, wide).transpose(0, 2, 1, 3).reshape(rows, columns, -1)
        counts = _counts(tiles, 256)
        if self.clip_limit > 0:
            clipped = jnp.minimum(counts, self.clip_limit * (tall * wide) / 256)
            counts = clipped + jnp.sum(counts - clipped, axis=-1, keepdims=True) / 256
        below = jnp.cumsum(counts, axis=-1)
        least = jnp.min(below, axis=-1, keepdims=True)
        rest = tall * wide - least
        tables = jnp.clip((below - least) * 255 / jnp.where(rest == 0, 1, rest), 0, 255)
        # Interpolate between the centers of four tiles; tiles beyond the border repeat those at the border.
        tables = jnp.pad(tables, ((1, 1), (1, 1), (0, 0)), mode="edge")
        y, x = (jnp.arange(n * size) / size + 0.5 for n, size in ((rows, tall), (columns, wide)))
        (top, left), (down, across) = (y.astype(int), x.astype(int)), (y % 1, x % 1)
        down, across = down[:, None], across[None, :]

        def at(row: Array, column: Array) -> Array:
            return tables[row[:, None], column[None, :], values]

        upper = at(top, left) * (1 - across) + at(top, left + 1) * across
        lower = at(top + 1, left) * (1 - across) + at(top + 1, left + 1) * across
        return (upper * (1 - down) + lower * down)[:height, :width]
