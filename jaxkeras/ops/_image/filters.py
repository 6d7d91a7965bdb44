"""Blur, edges and structural similarity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import lowering
from jaxkeras.core import config
from jaxkeras.core.config import standardize_data_format
from jaxkeras.core.dtypes import is_float_dtype
from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import TensorLike, as_array
from jaxkeras.ops._image.layout import batchwise, check_rank


def _gaussian(size: int, sigma: Any, dtype: Any) -> jax.Array:
    weights = jnp.exp(-0.5 * jnp.square((np.arange(size) - (size - 1) / 2).astype(dtype) / sigma))
    return weights / jnp.sum(weights)


def _filtered(x: jax.Array, kernel: Any, padding: str) -> jax.Array:
    """A channels-last batch convolved with a two-dimensional kernel, each channel separately."""
    kernel = jnp.asarray(kernel, x.dtype)[:, :, None, None]
    return lowering.depthwise_conv(x, jnp.tile(kernel, (1, 1, x.shape[-1], 1)), 1, padding)


@op
def gaussian_blur(
    images: TensorLike,
    kernel_size: Sequence[int] = (3, 3),
    sigma: Sequence[float] = (1.0, 1.0),
    data_format: str | None = None,
) -> jax.Array:
    """Smooth images by a Gaussian; pixels beyond the edges count as zero.

    Args:
        images: array, an image or a batch of images.
        kernel_size: width and height of the kernel.
        sigma: standard deviations, horizontal and vertical, in pixels.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the shape of `images`.

    Example:

    >>> x = np.zeros((1, 3, 3, 1), "float32")
    >>> x[0, 1, 1, 0] = 1.0
    >>> print(np.asarray(gaussian_blur(x)[0, 1, :, 0]).round(4))
    [0.1238 0.2042 0.1238]
    """
    images = as_array(images)
    across, down = (_gaussian(kernel_size[i], as_array(sigma[i], images.dtype), images.dtype) for i in range(2))

    def blurred(x: jax.Array) -> jax.Array:
        return _filtered(_filtered(x, across[None, :], "same"), down[:, None], "same")

    return batchwise(blurred, images, data_format)


_SOBEL = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])


@op
def sobel_edges(images: TensorLike, data_format: str | None = None) -> jax.Array:
    """Vertical and horizontal derivatives of images, by Sobel filters.

    Args:
        images: batch of images.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the shape of `images` with a last axis of size 2: derivative along the height and along the width.

    Example:

    >>> x = np.arange(9.0).reshape((1, 3, 3, 1))
    >>> sobel_edges(x)[0, 1, 1, 0].tolist()
    [24.0, 8.0]
    """
    images = as_array(images)
    edges = [batchwise(lambda x, k=k: _filtered(x, k, "same"), images, data_format) for k in (_SOBEL, _SOBEL.T)]
    return jnp.stack(edges, axis=-1)


@op
def ssim(
    image1: TensorLike,
    image2: TensorLike,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> jax.Array:
    """Structural similarity of images, at most 1, which it is for equal images.

    Args:
        image1: array, an image or a batch of images.
        image2: array of images to compare with, of the same shape.
        max_val: the largest possible value.
        filter_size: size of the windows compared.
        filter_sigma: standard deviation of their Gaussian weights.
        k1: stabilizes the comparison of means.
        k2: stabilizes the comparison of variances.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Scalar, or vector of the size of the batch.

    Example:

    >>> x = np.ones((16, 16, 1), "float32")
    >>> print(np.asarray(ssim(x, x)).round(3))
    1.0

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
