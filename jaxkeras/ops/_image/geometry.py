"""Resampling of images: at coordinates, by affine and perspective transforms, by elastic deformations."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core.seeds import SeedGenerator, draw_key
from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import TensorLike, as_array
from jaxkeras.ops._image.filters import gaussian_blur
from jaxkeras.ops._image.layout import batchwise, one_of

_ORDERS = {"nearest": 0, "bilinear": 1}
_FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
_METHODS = ("linear", "bilinear", "trilinear", "cubic", "bicubic", "tricubic", "lanczos3", "lanczos5")


@op
def map_coordinates(
    inputs: TensorLike, coordinates: TensorLike, order: int, fill_mode: str = "constant", fill_value: float = 0
) -> jax.Array:
    """Sample an array at fractional indices.

    Args:
        inputs: array of `n` axes.
        coordinates: array of shape `(n, ...)`, the indices along each axis.
        order: 0 for the nearest element, 1 for linear interpolation.
        fill_mode: values beyond the edges: `"constant"`, `"nearest"`, `"wrap"`, `"mirror"` or `"reflect"`.
        fill_value: value beyond the edges for `"constant"`.

    Returns:
        Array of shape `coordinates.shape[1:]`.

    Raises:
        ValueError: for coordinates of another shape, or another order or mode.

    Example:

    >>> map_coordinates([0.0, 10.0, 20.0], [[0.5, 2.0]], order=1).tolist()
    [5.0, 20.0]
    """
    inputs, coordinates = as_array(inputs), as_array(coordinates)
    if coordinates.ndim < 2 or coordinates.shape[0] != inputs.ndim:
        raise ValueError(f"`coordinates` must have shape ({inputs.ndim}, ...), got {coordinates.shape}.")
    one_of(fill_mode, _FILL_MODES, "fill_mode")
    one_of(order, (0, 1), "order")
    places: Any = coordinates  # an array is accepted where the annotation says Sequence
    return jax.scipy.ndimage.map_coordinates(inputs, places, order, fill_mode, fill_value)


def _sample(images: jax.Array, rows: jax.Array, columns: jax.Array, interpolation: str, mode: str, fill: Any) -> Any:
    """Sample a channels-last batch at rows and columns of shape `(batch, height, width)`, the same for all channels."""
    one_of(interpolation, _ORDERS, "interpolation")
    one_of(mode, _FILL_MODES, "fill_mode")
    one = functools.partial(jax.scipy.ndimage.map_coordinates, order=_ORDERS[interpolation], mode=mode, cval=fill)
    of_channels = jax.vmap(one, in_axes=(-1, None), out_axes=-1)
    return jax.vmap(lambda image, r, c: of_channels(image, [r, c]))(images, rows, columns)


def _grid(images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Row and column of each pixel. JAX makes them, so that shape inference does not allocate them."""
    shape = images.shape[1:3]
    return jax.lax.broadcasted_iota("float32", shape, 0), jax.lax.broadcasted_iota("float32", shape, 1)


@op
def affine_transform(
    images: TensorLike,
    transform: TensorLike,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0,
    data_format: str | None = None,
) -> jax.Array:
    """Rotate, translate, scale and shear images.

    Args:
        images: array, an image or a batch of images.
        transform: array of shape `(8,)` or `(batch, 8)`. With `(a0, a1, a2, b0, b1, b2, c0, c1)` the output at
            `(x, y)` is the input at `(a0 x + a1 y + a2, b0 x + b1 y + b2)`; `c0` and `c1` are not used.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: values beyond the edges: `"constant"`, `"nearest"`, `"wrap"`, `"mirror"` or `"reflect"`.
        fill_value: value beyond the edges for `"constant"`.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the shape of `images`.

    Raises:
        ValueError: for another number of axes, shape of `transform`, interpolation or mode.

    Example:

    >>> x = np.arange(6.0).reshape((1, 6, 1))
    >>> affine_transform(x, [1, 0, 2, 0, 1, 0, 0, 0]).ravel().tolist()  # from 2 pixels to the right
    [2.0, 3.0, 4.0, 5.0, 0.0, 0.0]
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
    """The eight parameters of the projection that maps the points `end` to `start`, shape `(batch, 8)`."""
    (u, v), (x, y) = jnp.moveaxis(start, -1, 0), jnp.moveaxis(end, -1, 0)
    zero, one = jnp.zeros_like(x), jnp.ones_like(x)
    upper = jnp.stack([x, y, one, zero, zero, zero, -u * x, -u * y], axis=-1)
    lower = jnp.stack([zero, zero, zero, x, y, one, -v * x, -v * y], axis=-1)
    right = jnp.concatenate([u, v], axis=-1)
    return jnp.linalg.solve(jnp.concatenate([upper, lower], axis=-2), right[..., None])[..., 0]


@op
def perspective_transform(
    images: TensorLike,
    start_points: TensorLike,
    end_points: TensorLike,
    interpolation: str = "bilinear",
    fill_value: float = 0,
    data_format: str | None = None,
) -> jax.Array:
    """Warp images by the projection that maps four points to four others.

    Args:
        images: array, an image or a batch of images.
        start_points: array of four points `(x, y)`, shape `(4, 2)` or `(batch, 4, 2)`.
        end_points: array of the points they are mapped to, of the same shape.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_value: value beyond the edges.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the shape of `images`.

    Raises:
        ValueError: for points of another shape, or another number of axes or interpolation.

    Example:

    >>> x = np.arange(4.0).reshape((2, 2, 1))
    >>> corners = [[0, 0], [1, 0], [0, 1], [1, 1]]
    >>> print(np.asarray(perspective_transform(x, corners, corners)).round(3).ravel())
    [0. 1. 2. 3.]
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
    images: TensorLike,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: int | jax.Array | SeedGenerator | None = None,
    data_format: str | None = None,
) -> jax.Array:
    """Distort images by a smooth random displacement field, independently in rows and columns.

    Args:
        images: array, an image or a batch of images.
        alpha: strength of the displacements, in pixels.
        sigma: standard deviation of the blur that smooths the field, in pixels.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: values beyond the edges: `"constant"`, `"nearest"`, `"wrap"`, `"mirror"` or `"reflect"`.
        fill_value: value beyond the edges for `"constant"`.
        seed: integer, `SeedGenerator`, JAX key or None.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the shape of `images`.

    Example:

    >>> elastic_transform(np.ones((8, 8, 3), "float32"), seed=1).shape
    (8, 8, 3)

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
        rows, columns = row + field[..., 0], column + field[..., 1]
        return _sample(x, rows, columns, interpolation, fill_mode, fill_value).astype(x.dtype)

    return batchwise(transformed, images, data_format)


@op
def scale_and_translate(
    images: TensorLike,
    output_shape: Sequence[int | None],
    scale: TensorLike,
    translation: TensorLike,
    spatial_dims: Sequence[int],
    method: str,
    antialias: bool = True,
) -> jax.Array:
    """Scale and translate images by fractions of a pixel.

    Args:
        images: array of any shape.
        output_shape: shape of the result, of all axes; None keeps a size.
        scale: vector, the factor for each spatial axis.
        translation: vector, the shift along each spatial axis, in pixels of the result.
        spatial_dims: the spatial axes.
        method: `"linear"`, `"cubic"`, `"lanczos3"`, `"lanczos5"` or a synonym.
        antialias: whether to smooth before downsampling.

    Returns:
        Array of shape `output_shape`.

    Raises:
        ValueError: for another method.

    Example:

    >>> x = np.array([[0.0], [10.0]])
    >>> scale_and_translate(x, (4, 1), [2.0], [0.0], [0], "linear").ravel().tolist()
    [0.0, 2.5, 7.5, 10.0]
    """
    one_of(method, _METHODS, "method")
    scale, translation = as_array(scale), as_array(translation)
    images = as_array(images)
    shape = tuple(own if n is None else n for n, own in zip(output_shape, images.shape))
    axes = tuple(spatial_dims)
    return jax.image.scale_and_translate(images, shape, axes, scale, translation, method, antialias)
