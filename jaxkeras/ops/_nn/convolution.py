"""Convolutions, and images as patches: windows as columns, blocks as channels."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import lowering
from jaxkeras.core.config import standardize_data_format
from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import Shape, TensorLike, as_array


@op
def conv(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: Shape = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Shape = 1,
) -> jax.Array:
    """Convolution over one, two or three spatial axes.

    Args:
        inputs: array of shape `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for `"channels_first"`.
        kernel: array of shape `(*window, channels, filters)`; with `channels / groups`, a grouped convolution.
        strides: step between windows.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.
        dilation_rate: distance between the elements of a window, along each spatial axis.

    Returns:
        Array in the layout of `inputs`, with `filters` channels.

    Example:

    >>> conv(np.ones((1, 4, 4, 2)), np.ones((3, 3, 2, 5)), padding="same").shape
    (1, 4, 4, 5)
    """
    data_format = standardize_data_format(data_format)
    return lowering.conv(as_array(inputs), as_array(kernel), strides, padding, data_format, dilation_rate)


@op
def depthwise_conv(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: Shape = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Shape = 1,
) -> jax.Array:
    """Convolution of each channel separately.

    Args:
        inputs: array of shape `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for `"channels_first"`.
        kernel: array of shape `(*window, channels, multiplier)`.
        strides: step between windows.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.
        dilation_rate: distance between the elements of a window, along each spatial axis.

    Returns:
        Array in the layout of `inputs`, with `channels * multiplier` channels.

    Example:

    >>> depthwise_conv(np.ones((1, 4, 4, 2)), np.ones((3, 3, 2, 3))).shape
    (1, 2, 2, 6)
    """
    data_format = standardize_data_format(data_format)
    return lowering.depthwise_conv(as_array(inputs), as_array(kernel), strides, padding, data_format, dilation_rate)


@op
def separable_conv(
    inputs: TensorLike,
    depthwise_kernel: TensorLike,
    pointwise_kernel: TensorLike,
    strides: Shape = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Shape = 1,
) -> jax.Array:
    """Convolution of each channel separately, followed by a pointwise convolution.

    Args:
        inputs: array of shape `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for `"channels_first"`.
        depthwise_kernel: array of shape `(*window, channels, multiplier)`.
        pointwise_kernel: array of shape `(*ones, channels * multiplier, filters)`.
        strides: step between windows.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.
        dilation_rate: distance between the elements of a window, along each spatial axis.

    Returns:
        Array in the layout of `inputs`, with `filters` channels.

    Example:

    >>> separable_conv(np.ones((1, 4, 4, 2)), np.ones((3, 3, 2, 1)), np.ones((1, 1, 2, 5))).shape
    (1, 2, 2, 5)
    """
    x, depthwise, pointwise = (as_array(a) for a in (inputs, depthwise_kernel, pointwise_kernel))
    data_format = standardize_data_format(data_format)
    return lowering.separable_conv(x, depthwise, pointwise, strides, padding, data_format, dilation_rate)


@op
def conv_transpose(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: Shape = 1,
    padding: str = "valid",
    output_padding: Shape | None = None,
    data_format: str | None = None,
    dilation_rate: Shape = 1,
) -> jax.Array:
    """Transposed convolution: the gradient of a convolution with respect to its input.

    Args:
        inputs: array of shape `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for `"channels_first"`.
        kernel: array of shape `(*window, filters, channels)`.
        strides: factor by which the output is larger than the input.
        padding: `"valid"` or `"same"`.
        output_padding: size added at the end of each spatial axis, to choose between the sizes that are possible.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.
        dilation_rate: distance between the elements of a window, along each spatial axis.

    Returns:
        Array in the layout of `inputs`, with `filters` channels.

    Example:

    >>> conv_transpose(np.ones((1, 4, 4, 2)), np.ones((2, 2, 5, 2)), strides=2).shape
    (1, 8, 8, 5)
    """
    data_format = standardize_data_format(data_format)
    return lowering.conv_transpose(
        as_array(inputs), as_array(kernel), strides, padding, output_padding, data_format, dilation_rate
    )


@op
def unfold(x: TensorLike, kernel_size: Shape, dilation: Shape = 1, padding: Shape = 0, stride: Shape = 1) -> jax.Array:
    """All windows of images as columns (`im2col`).

    Args:
        x: array of shape `(batch, channels, height, width)`.
        kernel_size: size of a window.
        dilation: distance between the elements of a window.
        padding: zeros added on each side.
        stride: step between windows.

    Returns:
        Array of shape `(batch, channels * window, windows)`.

    Raises:
        ValueError: for an array with another number of axes.

    Example:

    >>> unfold(np.ones((1, 3, 4, 4)), 2, stride=2).shape
    (1, 12, 4)
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
    x: TensorLike, output_size: Shape, kernel_size: Shape, dilation: Shape = 1, padding: Shape = 0, stride: Shape = 1
) -> jax.Array:
    """Sum windows into images (`col2im`); the transpose of `unfold`.

    Args:
        x: array of shape `(batch, channels * window, windows)`.
        output_size: height and width of the image.
        kernel_size: size of a window.
        dilation: distance between the elements of a window.
        padding: rows and columns removed on each side.
        stride: step between windows.

    Returns:
        Array of shape `(batch, channels, height, width)`.

    Raises:
        ValueError: for an array with another number of axes.

    Example:

    >>> fold(np.ones((1, 12, 4)), 4, 2, stride=2).shape
    (1, 3, 4, 4)
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


def _two(value: Shape) -> tuple[int, int]:
    high, wide = (value, value) if isinstance(value, int) else value
    return high, wide


@op
def depth_to_space(x: TensorLike, block_size: int, data_format: str | None = "channels_last") -> jax.Array:
    """Rearrange channels into blocks of pixels.

    Args:
        x: array of images of shape `(batch, height, width, channels)`, or channels first.
        block_size: height and width of a block, at least 2.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Array of images `block_size` times higher and wider, with `channels / block_size**2` channels.

    Raises:
        ValueError: for a smaller `block_size`.

    Example:

    >>> depth_to_space(np.ones((1, 2, 2, 8)), 2).shape
    (1, 4, 4, 2)
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
def space_to_depth(x: TensorLike, block_size: int, data_format: str | None = "channels_last") -> jax.Array:
    """Rearrange blocks of pixels into channels; the inverse of `depth_to_space`.

    Args:
        x: array of images of shape `(batch, height, width, channels)`, or channels first.
        block_size: height and width of a block, at least 2.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Array of images `block_size` times lower and narrower, with `channels * block_size**2` channels.

    Raises:
        ValueError: for a smaller `block_size`.

    Example:

    >>> space_to_depth(np.ones((1, 4, 4, 2)), 2).shape
    (1, 2, 2, 8)
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
