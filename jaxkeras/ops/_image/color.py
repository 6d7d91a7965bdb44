"""Color spaces."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core import config
from jaxkeras.core.config import standardize_data_format
from jaxkeras.core.dtypes import is_float_dtype
from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import TensorLike, as_array
from jaxkeras.ops._image.layout import check_rank


def _channel_axis(images: jax.Array, data_format: str | None) -> int:
    check_rank(images)
    return -1 if standardize_data_format(data_format) == "channels_last" else -3


@op
def rgb_to_grayscale(images: TensorLike, data_format: str | None = None) -> jax.Array:
    """Brightness of RGB images, `0.2989 red + 0.587 green + 0.114 blue`.

    Args:
        images: array, an image or a batch of images with three channels; with one channel it is returned unchanged.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the same dtype, with one channel.

    Raises:
        ValueError: for another number of axes or channels.

    Example:

    >>> print(np.asarray(rgb_to_grayscale(np.ones((1, 1, 3)))).round(3))
    [[[1.]]]
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


def _channels(images: TensorLike, data_format: str | None) -> tuple[list[jax.Array], int]:
    images = as_array(images)
    axis = _channel_axis(images, data_format)
    if not is_float_dtype(images.dtype):
        raise ValueError(f"Expected floating-point images, got dtype {images.dtype}. Cast and scale them first.")
    if images.shape[axis] != 3:
        raise ValueError(f"Expected images with 3 channels, got shape {images.shape}.")
    return [jnp.take(images, i, axis=axis) for i in range(3)], axis


@op
def rgb_to_hsv(images: TensorLike, data_format: str | None = None) -> jax.Array:
    """Convert RGB images to hue, saturation and value.

    Args:
        images: array, an image or a batch of images, values in [0, 1].
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the same shape, values in [0, 1].

    Raises:
        ValueError: for another number of axes or channels, or a dtype that is not floating-point.

    Example:

    >>> rgb_to_hsv(np.array([[[1.0, 0.0, 0.0]]])).tolist()
    [[[0.0, 1.0, 1.0]]]
    """
    planes, axis = _channels(images, data_format)
    tiny = jnp.finfo(planes[0].dtype).eps
    red, green, blue = (jnp.where(jnp.abs(p) < tiny, 0.0, p) for p in planes)
    value = jnp.maximum(jnp.maximum(red, green), blue)
    spread = value - jnp.minimum(jnp.minimum(red, green), blue)
    saturation = jnp.where(value > 0, spread / jnp.where(value > 0, value, 1.0), 0.0)
    # A sixth of the hue circle from the largest channel, and a fraction from the difference of the other two.
    unit = 6.0 * jnp.where(spread > 0, spread, 1.0)
    hue = jnp.where(value == green, (blue - red) / unit + 2 / 6, (red - green) / unit + 4 / 6)
    hue = jnp.where(value == red, (green - blue) / unit, hue)
    hue = jnp.where(spread > 0, hue, 0.0)
    hue = jnp.where(hue < 0, hue + 1.0, hue)
    return jnp.stack([hue, saturation, value], axis=axis)


@op
def hsv_to_rgb(images: TensorLike, data_format: str | None = None) -> jax.Array:
    """Convert images of hue, saturation and value to RGB.

    Args:
        images: array, an image or a batch of images, values in [0, 1].
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the same shape, values in [0, 1].

    Raises:
        ValueError: for another number of axes or channels, or a dtype that is not floating-point.

    Example:

    >>> hsv_to_rgb(np.array([[[0.0, 1.0, 1.0]]])).tolist()
    [[[1.0, 0.0, 0.0]]]
    """
    (hue, saturation, value), axis = _channels(images, data_format)
    sixth = jnp.mod(hue, 1.0) * 6.0
    strengths = (jnp.abs(sixth - 3) - 1, 2 - jnp.abs(sixth - 2), 2 - jnp.abs(sixth - 4))
    planes = [value * (1 - saturation + saturation * jnp.clip(s, 0.0, 1.0)) for s in strengths]
    return jnp.stack(planes, axis=axis)
