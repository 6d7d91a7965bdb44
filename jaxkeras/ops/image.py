"""Image ops. An image is `(height, width, channels)`, or channels first; most take one image or a batch of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import lowering
from jaxkeras.core import config
from jaxkeras.core.config import standardize_data_format
from jaxkeras.core.dtypes import is_float_dtype
from jaxkeras.core.seeds import draw_key
from jaxkeras.core.symbolic import op
from jaxkeras.ops._image_sizes import batchwise, check_rank, one_of
from jaxkeras.ops._image_sizes import crop_images as crop_images
from jaxkeras.ops._image_sizes import extract_patches as extract_patches
from jaxkeras.ops._image_sizes import extract_patches_3d as extract_patches_3d
from jaxkeras.ops._image_sizes import pad_images as pad_images
from jaxkeras.ops._image_sizes import resize as resize
from jaxkeras.ops._row import as_array

_ORDERS = {"nearest": 0, "bilinear": 1}
_FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
_METHODS = ("linear", "bilinear", "trilinear", "cubic", "bicubic", "tricubic", "lanczos3", "lanczos5")


# -- colours --------------------------------------------------------------------------------------------------------
def _channel_axis(images: jax.Array, data_format: str | None) -> int:
    check_rank(images)
    return -1 if standardize_data_format(data_format) == "channels_last" else -3


@op
def rgb_to_grayscale(images: Any, data_format: str | None = None) -> jax.Array:
    """Brightness of colour images, `0.2989 red + 0.587 green + 0.114 blue`.

    Args:
        images: image or batch of images with three channels (one is returned as it is).
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the same dtype, with one channel.

    Raises:
        ValueError: for another number of axes or channels.
    """
    images = as_array(images)
    axis = _channel_axis(images, data_format)
    if images.shape[axis] == 1:
        return images
    if images.shape[axis] != 3:
        raise ValueError(f"Expected images with 3 channels (or 1), got shape {images.shape}.")
    wide = images if is_float_dtype(images.dtype) else images.astype(config.floatx())
    gray = jnp.tensordot(wide, np.array([0.2989, 0.587, 0.114], wide.dtype), axes=(axis, 0))
    return jnp.expand_dims(gray, axis).astype(images.dtype)


def _colour_planes(images: Any, data_format: str | None) -> tuple[list[jax.Array], int]:
    images = as_array(images)
    axis = _channel_axis(images, data_format)
    if not is_float_dtype(images.dtype):
        raise ValueError(f"Expected floating-point images, got dtype {images.dtype}. Cast and scale them first.")
    if images.shape[axis] != 3:
        raise ValueError(f"Expected images with 3 channels, got shape {images.shape}.")
    return [jnp.take(images, i, axis=axis) for i in range(3)], axis


@op
def rgb_to_hsv(images: Any, data_format: str | None = None) -> jax.Array:
    """Red, green and blue as hue, saturation and value.

    Args:
        images: image or batch of images, values in [0, 1].
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the same shape, values in [0, 1].

    Raises:
        ValueError: for another number of axes or channels, or an integer dtype.
    """
    planes, axis = _colour_planes(images, data_format)
    tiny = jnp.finfo(planes[0].dtype).eps
    red, green, blue = (jnp.where(jnp.abs(p) < tiny, 0.0, p) for p in planes)
    value = jnp.maximum(jnp.maximum(red, green), blue)
    spread = value - jnp.minimum(jnp.minimum(red, green), blue)
    saturation = jnp.where(value > 0, spread / jnp.where(value > 0, value, 1.0), 0.0)
    # The hue circle in sixths: which channel is the largest, and how the two others differ.
    unit = 6.0 * jnp.where(spread > 0, spread, 1.0)
    hue = jnp.where(value == green, (blue - red) / unit + 2 / 6, (red - green) / unit + 4 / 6)
    hue = jnp.where(value == red, (green - blue) / unit, hue)
    hue = jnp.where(spread > 0, hue, 0.0)
    hue = jnp.where(hue < 0, hue + 1.0, hue)
    return jnp.stack([hue, saturation, value], axis=axis)


@op
def hsv_to_rgb(images: Any, data_format: str | None = None) -> jax.Array:
    """Hue, saturation and value as red, green and blue.

    Args:
        images: image or batch of images, values in [0, 1].
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the same shape, values in [0, 1].

    Raises:
        ValueError: for another number of axes or channels, or an integer dtype.
    """
    (hue, saturation, value), axis = _colour_planes(images, data_format)
    sixth = jnp.mod(hue, 1.0) * 6.0
    strengths = (jnp.abs(sixth - 3) - 1, 2 - jnp.abs(sixth - 2), 2 - jnp.abs(sixth - 4))
    planes = [value * (1 - saturation + saturation * jnp.clip(s, 0.0, 1.0)) for s in strengths]
    return jnp.stack(planes, axis=axis)


# -- geometry -------------------------------------------------------------------------------------------------------
@op
def map_coordinates(
    inputs: Any, coordinates: Any, order: int, fill_mode: str = "constant", fill_value: float = 0
) -> jax.Array:
    """Values of an array between its elements.

    Args:
        inputs: array of `n` axes.
        coordinates: shape `(n, ...)`, the places.
        order: 0 for the nearest element, 1 for linear interpolation.
        fill_mode: what is outside: `"constant"`, `"nearest"`, `"wrap"`, `"mirror"` or `"reflect"`.
        fill_value: the constant.

    Returns:
        Array of shape `coordinates.shape[1:]`.

    Raises:
        ValueError: for coordinates that do not fit, or another order or mode.
    """
    inputs, coordinates = as_array(inputs), as_array(coordinates)
    if coordinates.ndim < 2 or coordinates.shape[0] != inputs.ndim:
        raise ValueError(f"`coordinates` must have shape ({inputs.ndim}, ...), got {coordinates.shape}.")
    one_of(fill_mode, _FILL_MODES, "fill_mode")
    one_of(order, (0, 1), "order")
    return jax.scipy.ndimage.map_coordinates(inputs, coordinates, order, fill_mode, fill_value)


def _sample(images: jax.Array, rows: jax.Array, columns: jax.Array, interpolation: str, mode: str, fill: Any) -> Any:
    """A channels-last batch at places of shape `(batch, height, width)`, all channels alike."""
    one_of(interpolation, _ORDERS, "interpolation")
    one_of(mode, _FILL_MODES, "fill_mode")
    one = functools.partial(jax.scipy.ndimage.map_coordinates, order=_ORDERS[interpolation], mode=mode, cval=fill)
    of_channels = jax.vmap(one, in_axes=(-1, None), out_axes=-1)
    return jax.vmap(lambda image, r, c: of_channels(image, [r, c]))(images, rows, columns)


def _grid(images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Row and column of each pixel; by JAX, so that shapes are inferred without making them."""
    shape = images.shape[1:3]
    return jax.lax.broadcasted_iota("float32", shape, 0), jax.lax.broadcasted_iota("float32", shape, 1)


@op
def affine_transform(
    images: Any,
    transform: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0,
    data_format: str | None = None,
) -> jax.Array:
    """Images turned, moved, scaled and sheared.

    Args:
        images: image or batch of images.
        transform: shape `(8,)` or `(batch, 8)`: with `(a0, a1, a2, b0, b1, b2, c0, c1)` the pixel at `(x, y)` comes
            from `(a0 x + a1 y + a2, b0 x + b1 y + b2)`; `c0` and `c1` are not used.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: what is outside: `"constant"`, `"nearest"`, `"wrap"`, `"mirror"` or `"reflect"`.
        fill_value: the constant.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the shape of `images`.

    Raises:
        ValueError: for another number of axes, interpolation or mode.
    """
    transform = as_array(transform)
    if transform.ndim not in (1, 2):
        raise ValueError(f"`transform` must have shape (8,) or (batch, 8), got {transform.shape}.")

    def transformed(x: jax.Array) -> jax.Array:
        a0, a1, a2, b0, b1, b2 = (
            jnp.broadcast_to(c[..., None, None], (x.shape[0], 1, 1)) for c in jnp.moveaxis(transform, -1, 0)[:6]
        )
        row, column = _grid(x)
        rows, columns = b0 * column + b1 * row + b2, a0 * column + a1 * row + a2
        return _sample(x, rows, columns, interpolation, fill_mode, fill_value)

    return batchwise(transformed, as_array(images), data_format)


def _homography(start: jax.Array, end: jax.Array) -> jax.Array:
    """The eight parameters of the projection that takes four points `end` to `start`, shape `(batch, 8)`."""
    (u, v), (x, y) = jnp.moveaxis(start, -1, 0), jnp.moveaxis(end, -1, 0)
    zero, one = jnp.zeros_like(x), jnp.ones_like(x)
    upper = jnp.stack([x, y, one, zero, zero, zero, -u * x, -u * y], axis=-1)
    lower = jnp.stack([zero, zero, zero, x, y, one, -v * x, -v * y], axis=-1)
    right = jnp.concatenate([u, v], axis=-1)
    return jnp.linalg.solve(jnp.concatenate([upper, lower], axis=-2), right[..., None])[..., 0]


@op
def perspective_transform(
    images: Any,
    start_points: Any,
    end_points: Any,
    interpolation: str = "bilinear",
    fill_value: float = 0,
    data_format: str | None = None,
) -> jax.Array:
    """Images seen from another point, given by where four points go.

    Args:
        images: image or batch of images.
        start_points: four points `(x, y)`, shape `(4, 2)` or `(batch, 4, 2)`.
        end_points: where they go, of the same shape.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_value: what is outside.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the shape of `images`.

    Raises:
        ValueError: for points of another shape, or another number of axes or interpolation.
    """
    start, end = (as_array(p).astype("float32") for p in (start_points, end_points))
    if start.shape != end.shape or start.shape[-2:] != (4, 2) or start.ndim not in (2, 3):
        raise ValueError(
            f"`start_points` and `end_points` must both have shape (4, 2) or (batch, 4, 2), got {start.shape} and "
            f"{end.shape}."
        )

    def transformed(x: jax.Array) -> jax.Array:
        h = _homography(jnp.atleast_3d(start.T).T, jnp.atleast_3d(end.T).T)
        h = jnp.broadcast_to(h, (x.shape[0], 8))[:, :, None, None]
        row, column = _grid(x)
        scale = h[:, 6] * column + h[:, 7] * row + 1.0
        rows = (h[:, 3] * column + h[:, 4] * row + h[:, 5]) / scale
        columns = (h[:, 0] * column + h[:, 1] * row + h[:, 2]) / scale
        return _sample(x, rows, columns, interpolation, "constant", fill_value)

    return batchwise(transformed, as_array(images), data_format)


@op
def elastic_transform(
    images: Any,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: Any = None,
    data_format: str | None = None,
) -> jax.Array:
    """Images distorted by a smooth random field, rows and columns independently.

    Args:
        images: image or batch of images.
        alpha: strength.
        sigma: smoothness: standard deviation of the blur of the field, in pixels.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: what is outside: `"constant"`, `"nearest"`, `"wrap"`, `"mirror"` or `"reflect"`.
        fill_value: the constant.
        seed: integer, `SeedGenerator`, JAX key or None.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the shape of `images`.

    Reference:
        [Simard et al., 2003](https://doi.org/10.1109/ICDAR.2003.1227801)
    """
    images = as_array(images)
    key = draw_key(seed)
    window = int(6 * sigma) | 1

    def transformed(x: jax.Array) -> jax.Array:
        field = jax.random.normal(key, (*x.shape[:3], 2)) * sigma
        field = alpha * gaussian_blur(field, (window, window), (sigma, sigma), "channels_last")
        row, column = _grid(x)
        places = row + field[..., 0], column + field[..., 1]
        return _sample(x, *places, interpolation, fill_mode, fill_value).astype(x.dtype)

    return batchwise(transformed, images, data_format)


@op
def scale_and_translate(
    images: Any,
    output_shape: Sequence[int],
    scale: Any,
    translation: Any,
    spatial_dims: Sequence[int],
    method: str,
    antialias: bool = True,
) -> jax.Array:
    """Images scaled and moved by fractions of a pixel.

    Args:
        images: array.
        output_shape: shape of the result, of all axes.
        scale: factor for each spatial axis.
        translation: shift for each spatial axis, in pixels of the result.
        spatial_dims: the spatial axes.
        method: `"linear"`, `"cubic"`, `"lanczos3"`, `"lanczos5"` or a synonym.
        antialias: whether to smooth when making smaller.

    Returns:
        Array of shape `output_shape`.

    Raises:
        ValueError: for another method.
    """
    one_of(method, _METHODS, "method")
    scale, translation = as_array(scale), as_array(translation)
    shape, axes = tuple(output_shape), tuple(spatial_dims)
    return jax.image.scale_and_translate(as_array(images), shape, axes, scale, translation, method, antialias)


# -- filters --------------------------------------------------------------------------------------------------------
def _gaussian(size: int, sigma: Any, dtype: Any) -> jax.Array:
    weights = jnp.exp(-0.5 * jnp.square((np.arange(size) - (size - 1) / 2).astype(dtype) / sigma))
    return weights / jnp.sum(weights)


def _filtered(x: jax.Array, kernel: Any, padding: str) -> jax.Array:
    """A channels-last batch convolved with a two-dimensional kernel, each channel by itself."""
    kernel = jnp.asarray(kernel, x.dtype)[:, :, None, None]
    return lowering.depthwise_conv(x, jnp.tile(kernel, (1, 1, x.shape[-1], 1)), 1, padding)


@op
def gaussian_blur(
    images: Any,
    kernel_size: Sequence[int] = (3, 3),
    sigma: Any = (1.0, 1.0),
    data_format: str | None = None,
) -> jax.Array:
    """Images smoothed by a Gaussian; outside they count as zero.

    Args:
        images: image or batch of images.
        kernel_size: width and height of the kernel.
        sigma: standard deviations, horizontal and vertical, in pixels.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the shape of `images`.
    """
    images = as_array(images)
    across, down = (_gaussian(kernel_size[i], as_array(sigma[i], images.dtype), images.dtype) for i in range(2))

    def blurred(x: jax.Array) -> jax.Array:
        return _filtered(_filtered(x, across[None, :], "same"), down[:, None], "same")

    return batchwise(blurred, images, data_format)


_SOBEL = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])


@op
def sobel_edges(images: Any, data_format: str | None = None) -> jax.Array:
    """Vertical and horizontal derivative of images, by Sobel's filters.

    Args:
        images: batch of images.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the shape of `images` with a last axis of size 2: derivative along the height and along the width.
    """
    images = as_array(images)
    edges = [batchwise(lambda x, k=k: _filtered(x, k, "same"), images, data_format) for k in (_SOBEL, _SOBEL.T)]
    return jnp.stack(edges, axis=-1)


@op
def ssim(
    image1: Any,
    image2: Any,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> jax.Array:
    """Structural similarity of images, at most 1.

    Args:
        image1: image or batch of images.
        image2: images to compare with, of the same shape.
        max_val: the largest value possible.
        filter_size: size of the windows compared.
        filter_sigma: standard deviation of their Gaussian weights.
        k1: stabilises the comparison of means.
        k2: stabilises the comparison of variances.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Scalar, or vector of the size of the batch.

    Reference:
        [Wang et al., 2004](https://doi.org/10.1109/TIP.2003.819861)
    """
    x, y = as_array(image1), as_array(image2)
    dtype = x.dtype
    if not is_float_dtype(dtype):
        x, y = x.astype(config.floatx()), y.astype(config.floatx())
    y = y.astype(x.dtype)
    check_rank(x)
    check_rank(y)
    if standardize_data_format(data_format) == "channels_first":
        x, y = jnp.moveaxis(x, -3, -1), jnp.moveaxis(y, -3, -1)
    is_single = x.ndim == 3
    if is_single:
        x, y = x[None], y[None]
    weights = _gaussian(filter_size, filter_sigma, x.dtype)

    def local(z: jax.Array) -> jax.Array:
        return _filtered(_filtered(z, weights[None, :], "valid"), weights[:, None], "valid")

    mean_x, mean_y = local(x), local(y)
    var_x, var_y = local(x * x) - mean_x * mean_x, local(y * y) - mean_y * mean_y
    covariance = local(x * y) - mean_x * mean_y
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    similarity = similarity / ((mean_x * mean_x + mean_y * mean_y + c1) * (var_x + var_y + c2))
    result = jnp.mean(similarity, axis=(1, 2, 3)).astype(dtype)
    return result[0] if is_single else result
