"""Ops over windows of arrays: convolution, pooling, patches."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import lowering
from jaxkeras.core.config import standardize_data_format
from jaxkeras.core.symbolic import op
from jaxkeras.ops._row import as_array

Sizes = int | Sequence[int]


# -- convolution ----------------------------------------------------------------------------------------------------
@op
def conv(
    inputs: Any,
    kernel: Any,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> jax.Array:
    """Convolution over one, two or three spatial axes.

    Args:
        inputs: shape `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for `"channels_first"`.
        kernel: shape `(*window, channels, filters)`; with a part of the channels, it is a grouped convolution.
        strides: steps between windows.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.
        dilation_rate: distance between the elements of a window.

    Returns:
        Array of the layout of `inputs`, with filters for channels.
    """
    data_format = standardize_data_format(data_format)
    return lowering.conv(as_array(inputs), as_array(kernel), strides, padding, data_format, dilation_rate)


@op
def depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> jax.Array:
    """Convolution of each channel by itself.

    Args:
        inputs: shape `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for `"channels_first"`.
        kernel: shape `(*window, channels, multiplier)`.
        strides: steps between windows.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.
        dilation_rate: distance between the elements of a window.

    Returns:
        Array of the layout of `inputs`, with `channels * multiplier` channels.
    """
    data_format = standardize_data_format(data_format)
    return lowering.depthwise_conv(as_array(inputs), as_array(kernel), strides, padding, data_format, dilation_rate)


@op
def separable_conv(
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> jax.Array:
    """Convolution of each channel by itself, then a mixing of the channels.

    Args:
        inputs: shape `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for `"channels_first"`.
        depthwise_kernel: shape `(*window, channels, multiplier)`.
        pointwise_kernel: shape `(*ones, channels * multiplier, filters)`.
        strides: steps between windows.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.
        dilation_rate: distance between the elements of a window.

    Returns:
        Array of the layout of `inputs`, with filters for channels.
    """
    x, depthwise, pointwise = (as_array(a) for a in (inputs, depthwise_kernel, pointwise_kernel))
    data_format = standardize_data_format(data_format)
    return lowering.separable_conv(x, depthwise, pointwise, strides, padding, data_format, dilation_rate)


@op
def conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: Sizes = 1,
    padding: str = "valid",
    output_padding: Sizes | None = None,
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> jax.Array:
    """Transposed convolution: the gradient of a convolution with respect to its input.

    Args:
        inputs: shape `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for `"channels_first"`.
        kernel: shape `(*window, filters, channels)`.
        strides: how many times larger the output is.
        padding: `"valid"` or `"same"`.
        output_padding: added to the end of the output, where several sizes are possible.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.
        dilation_rate: distance between the elements of a window.

    Returns:
        Array of the layout of `inputs`, with filters for channels.
    """
    data_format = standardize_data_format(data_format)
    return lowering.conv_transpose(
        as_array(inputs), as_array(kernel), strides, padding, output_padding, data_format, dilation_rate
    )


@op
def unfold(x: Any, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> jax.Array:
    """All windows of an image as columns.

    Args:
        x: shape `(batch, channels, height, width)`.
        kernel_size: size of a window.
        dilation: distance between its elements.
        padding: zeros added on each side.
        stride: steps between windows.

    Returns:
        Array of shape `(batch, channels * window, windows)`.

    Raises:
        ValueError: for another number of axes.
    """
    x = as_array(x)
    if x.ndim != 4:
        raise ValueError(f"`unfold` takes shape (batch, channels, height, width), got {x.shape}.")
    high, wide = _two(padding)
    patches = jax.lax.conv_general_dilated_patches(
        x, _two(kernel_size), _two(stride), [(high, high), (wide, wide)], rhs_dilation=_two(dilation)
    )
    return patches.reshape(*patches.shape[:2], -1)


@op
def fold(
    x: Any, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> jax.Array:
    """Windows added up to an image; the transpose of `unfold`.

    Args:
        x: shape `(batch, channels * window, windows)`.
        output_size: height and width of the image.
        kernel_size: size of a window.
        dilation: distance between its elements.
        padding: rows and columns cut off on each side.
        stride: steps between windows.

    Returns:
        Array of shape `(batch, channels, height, width)`.

    Raises:
        ValueError: for another number of axes.
    """
    x = as_array(x)
    if x.ndim != 3:
        raise ValueError(f"`fold` takes shape (batch, channels * window, windows), got {x.shape}.")
    window, pads = _two(kernel_size), _two(padding)
    places, counts, sizes = [], [], []
    for size, k, d, p, s in zip(_two(output_size), window, _two(dilation), pads, _two(stride)):
        count = (size + 2 * p - d * (k - 1) - 1) // s + 1
        places.append(np.arange(k)[:, None] * d + np.arange(count) * s)
        counts.append(count)
        sizes.append(size + 2 * p)
    channels = x.shape[1] // math.prod(window)
    x = x.reshape(x.shape[0], channels, *window, *counts)
    rows, columns = places[0][:, None, :, None], places[1][None, :, None, :]
    image = jnp.zeros((x.shape[0], channels, *sizes), x.dtype).at[:, :, rows, columns].add(x)
    return image[:, :, pads[0] : sizes[0] - pads[0], pads[1] : sizes[1] - pads[1]]


def _two(value: Sizes) -> tuple[int, int]:
    high, wide = (value, value) if isinstance(value, int) else value
    return high, wide


@op
def depth_to_space(x: Any, block_size: int, data_format: str | None = "channels_last") -> jax.Array:
    """Channels rearranged into blocks of pixels.

    Args:
        x: images of shape `(batch, height, width, channels)`, or channels first.
        block_size: height and width of a block, at least 2.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Images `block_size` times higher and wider, with fewer channels.

    Raises:
        ValueError: for a smaller block.
    """
    x, b = as_array(x), _block(block_size)
    if standardize_data_format(data_format) == "channels_last":
        n, h, w, c = x.shape
        x = x.reshape(n, h, w, b, b, c // b**2).transpose(0, 1, 3, 2, 4, 5)
        return x.reshape(n, h * b, w * b, c // b**2)
    n, c, h, w = x.shape
    x = x.reshape(n, c // b**2, b, b, h, w).transpose(0, 1, 4, 2, 5, 3)
    return x.reshape(n, c // b**2, h * b, w * b)


@op
def space_to_depth(x: Any, block_size: int, data_format: str | None = "channels_last") -> jax.Array:
    """Blocks of pixels rearranged into channels; the inverse of `depth_to_space`.

    Args:
        x: images of shape `(batch, height, width, channels)`, or channels first.
        block_size: height and width of a block, at least 2.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Images `block_size` times lower and narrower, with more channels.

    Raises:
        ValueError: for a smaller block.
    """
    x, b = as_array(x), _block(block_size)
    if standardize_data_format(data_format) == "channels_last":
        n, h, w, c = x.shape
        x = x.reshape(n, h // b, b, w // b, b, c).transpose(0, 1, 3, 2, 4, 5)
        return x.reshape(n, h // b, w // b, c * b**2)
    n, c, h, w = x.shape
    x = x.reshape(n, c, h // b, b, w // b, b).transpose(0, 1, 3, 5, 2, 4)
    return x.reshape(n, c * b**2, h // b, w // b)


def _block(size: int) -> int:
    if size < 2:
        raise ValueError(f"`block_size` must be at least 2, got {size!r}.")
    return size


# -- pooling --------------------------------------------------------------------------------------------------------
@op
def max_pool(
    inputs: Any,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """Largest element of each window.

    Args:
        inputs: shape `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for `"channels_first"`.
        pool_size: size of a window.
        strides: steps between windows; `pool_size` by default.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the layout of `inputs`.
    """
    return lowering.max_pool(as_array(inputs), pool_size, strides, padding, standardize_data_format(data_format))


@op
def average_pool(
    inputs: Any,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """Mean of each window, padding not counted.

    Args:
        inputs: shape `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for `"channels_first"`.
        pool_size: size of a window.
        strides: steps between windows; `pool_size` by default.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the layout of `inputs`.
    """
    return lowering.average_pool(as_array(inputs), pool_size, strides, padding, standardize_data_format(data_format))


def _adaptive(inputs: Any, output_size: Sizes, data_format: str | None, reduce: Callable[..., jax.Array]) -> jax.Array:
    """Window `i` of an axis goes from `floor(i n / m)` to `ceil((i + 1) n / m)`: sizes differ by one at most."""
    x = as_array(inputs)
    rank = x.ndim - 2
    if rank not in (1, 2, 3):
        raise ValueError(f"Adaptive pooling takes one to three spatial axes, got shape {x.shape}.")
    sizes = (output_size,) * rank if isinstance(output_size, int) else tuple(output_size)
    first = 2 if standardize_data_format(data_format) == "channels_first" else 1
    for axis, size in enumerate(sizes, start=first):
        length = x.shape[axis]
        starts = np.arange(size) * length // size
        ends = -(-np.arange(1, size + 1) * length // size)
        places = starts[:, None] + np.arange((ends - starts).max())
        windows = jnp.take(x, np.minimum(places, length - 1), axis=axis)
        inside = (places < ends[:, None]).reshape(places.shape + (1,) * (x.ndim - axis - 1))
        x = reduce(windows, axis=axis + 1, where=inside)
    return x


@op
def adaptive_average_pool(inputs: Any, output_size: Sizes, data_format: str | None = None) -> jax.Array:
    """Means of as many windows as an output has elements.

    Args:
        inputs: shape `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for `"channels_first"`.
        output_size: spatial size of the output.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the layout of `inputs`.
    """
    return _adaptive(inputs, output_size, data_format, jnp.mean)


@op
def adaptive_max_pool(inputs: Any, output_size: Sizes, data_format: str | None = None) -> jax.Array:
    """Largest elements of as many windows as an output has elements.

    Args:
        inputs: shape `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for `"channels_first"`.
        output_size: spatial size of the output.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the layout of `inputs`.
    """
    return _adaptive(
        inputs, output_size, data_format, lambda x, axis, where: jnp.max(x, axis, where=where, initial=-jnp.inf)
    )
