"""Ops that change the size of images, or cut them into pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core import config
from jaxkeras.core.config import standardize_data_format
from jaxkeras.core.dtypes import is_float_dtype, is_int_dtype
from jaxkeras.core.symbolic import op
from jaxkeras.ops._row import as_array
from jaxkeras.ops.core import saturate_cast

_INTERPOLATIONS = ("bilinear", "nearest", "lanczos3", "lanczos5", "bicubic")


def one_of(value: Any, choices: Any, name: str) -> None:
    """Refuse anything but the choices."""
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {', '.join(map(repr, choices))}; got {value!r}.")


def check_rank(images: jax.Array) -> None:
    """Refuse anything but one image or a batch of images."""
    if images.ndim not in (3, 4):
        raise ValueError(f"Expected an image (3 axes) or a batch of images (4 axes), got shape {images.shape}.")


def batchwise(function: Callable[[jax.Array], jax.Array], images: jax.Array, data_format: str | None) -> jax.Array:
    """Apply a function of a channels-last batch to one image or a batch of any layout."""
    check_rank(images)
    first = standardize_data_format(data_format) == "channels_first"
    batch = images if images.ndim == 4 else images[None]
    result = function(jnp.moveaxis(batch, 1, -1) if first else batch)
    result = jnp.moveaxis(result, -1, 1) if first else result
    return result if images.ndim == 4 else result[0]


@op
def resize(
    images: Any,
    size: Sequence[int],
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> jax.Array:
    """Images in another size.

    Args:
        images: image or batch of images.
        size: `(height, width)`.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        antialias: whether to smooth when making smaller.
        crop_to_aspect_ratio: cut the image to the ratio of `size` first.
        pad_to_aspect_ratio: pad the image to the ratio of `size` first.
        fill_mode: `"constant"`.
        fill_value: what the padding holds.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the same dtype.

    Raises:
        ValueError: for a wrong size, number of axes, interpolation or fill mode, or both to crop and to pad.
    """
    images, size = as_array(images), tuple(size)
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"`size` must be (height, width), both positive; got {size}.")
    one_of(interpolation, _INTERPOLATIONS, "interpolation")
    one_of(fill_mode, ("constant",), "fill_mode")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("Only one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio` can be True.")

    def resized(x: jax.Array) -> jax.Array:
        # The height that goes with the width in the ratio of `size`, and the other way round.
        matching = int(x.shape[2] * size[0] / size[1]), int(x.shape[1] * size[1] / size[0])
        if crop_to_aspect_ratio:
            box = [max(min(n, m), 1) for n, m in zip(x.shape[1:3], matching)]
            top, left = ((n - m) // 2 for n, m in zip(x.shape[1:3], box))
            x = x[:, top : top + box[0], left : left + box[1]]
        if pad_to_aspect_ratio:
            margins = [max(m - n, 0) // 2 for n, m in zip(x.shape[1:3], matching)]
            if not is_float_dtype(x.dtype):
                x = x.astype(config.floatx())
            x = jnp.pad(x, [(0, 0), *((m, m) for m in margins), (0, 0)], constant_values=fill_value)
        return jax.image.resize(x, (x.shape[0], *size, x.shape[3]), method=interpolation, antialias=antialias)

    result = batchwise(resized, images, data_format)
    if result.dtype == images.dtype:
        return result
    return saturate_cast(jnp.round(result) if is_int_dtype(images.dtype) else result, images.dtype)


def _margins(before: Any, after: Any, total: Any, names: tuple[str, str, str]) -> tuple[int, int]:
    """Both margins of an axis, from one and their sum, or from both (the sum being None)."""
    if [before, after, total].count(None) != 1:
        raise ValueError(f"Give exactly two of `{names[0]}`, `{names[1]}` and `{names[2]}`.")
    before = total - after if before is None else before
    after = total - before if after is None else after
    if before < 0 or after < 0:
        raise ValueError(f"`{names[0]}` and `{names[1]}` must not be negative, and come out as {before} and {after}.")
    return before, after


def _spatial_margins(images: jax.Array, data_format: str | None, sign: int, rows: Any, columns: Any, what: str) -> list:
    """Margins of every axis. `rows` and `columns` hold (before, after, target); target - size = sign * margins."""
    check_rank(images)
    last = standardize_data_format(data_format) == "channels_last"
    height, width = images.shape[-3:-1] if last else images.shape[-2:]
    pairs = []
    for (before, after, target), size, names in (
        (rows, height, (f"top_{what}", f"bottom_{what}", "target_height")),
        (columns, width, (f"left_{what}", f"right_{what}", "target_width")),
    ):
        pairs.append(_margins(before, after, None if target is None else sign * (target - size), names))
    margins = [*pairs, (0, 0)] if last else [(0, 0), *pairs]
    return margins if images.ndim == 3 else [(0, 0), *margins]


@op
def pad_images(
    images: Any,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> jax.Array:
    """Zeros added around images. Two of the three sizes must be given for each direction.

    Args:
        images: image or batch of images.
        top_padding: rows above.
        left_padding: columns to the left.
        bottom_padding: rows below.
        right_padding: columns to the right.
        target_height: height of the result.
        target_width: width of the result.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Raises:
        ValueError: for fewer or more sizes, or ones that do not fit.
    """
    images = as_array(images)
    rows, columns = (top_padding, bottom_padding, target_height), (left_padding, right_padding, target_width)
    return jnp.pad(images, _spatial_margins(images, data_format, 1, rows, columns, "padding"))


@op
def crop_images(
    images: Any,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> jax.Array:
    """Images with their margins cut off. Two of the three sizes must be given for each direction.

    Args:
        images: image or batch of images.
        top_cropping: rows above.
        left_cropping: columns to the left.
        bottom_cropping: rows below.
        right_cropping: columns to the right.
        target_height: height of the result.
        target_width: width of the result.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Raises:
        ValueError: for fewer or more sizes, or ones that do not fit.
    """
    images = as_array(images)
    rows, columns = (top_cropping, bottom_cropping, target_height), (left_cropping, right_cropping, target_width)
    margins = _spatial_margins(images, data_format, -1, rows, columns, "cropping")
    return images[tuple(slice(before, size - after) for (before, after), size in zip(margins, images.shape))]


def _patches(
    x: jax.Array, size: tuple[int, ...], strides: Any, dilation: Any, padding: str, data_format: str | None
) -> jax.Array:
    rank = len(size)
    strides, dilation = (
        (v,) * rank if isinstance(v, int) else tuple(v) for v in (size if not strides else strides, dilation)
    )
    if x.ndim not in (rank + 1, rank + 2):
        raise ValueError(f"Expected {rank + 1} axes, or {rank + 2} for a batch, got shape {x.shape}.")
    one_of(padding.lower(), ("valid", "same"), "padding")
    first = standardize_data_format(data_format) == "channels_first"
    batch = x if x.ndim == rank + 2 else x[None]
    batch = jnp.moveaxis(batch, 1, -1) if first else batch
    for i, (k, s, d) in enumerate(zip(size, strides, dilation)):
        axis, extent = 1 + 2 * i, (k - 1) * d + 1  # the axes before have become two each
        length = batch.shape[axis]
        if padding.lower() == "same":
            total = max((-(-length // s) - 1) * s + extent - length, 0)
            widths = [(0, 0)] * batch.ndim
            widths[axis] = (total // 2, total - total // 2)
            batch, length = jnp.pad(batch, widths), length + total
        starts = np.arange(0, length - extent + 1, s)
        batch = jnp.take(batch, starts[:, None] + np.arange(k) * d, axis=axis)
    order = (0, *range(1, 2 * rank, 2), *range(2, 2 * rank + 1, 2), 2 * rank + 1)
    batch = batch.transpose(order)
    batch = batch.reshape(*batch.shape[: rank + 1], -1)
    batch = jnp.moveaxis(batch, -1, 1) if first else batch
    return batch if x.ndim == rank + 2 else batch[0]


@op
def extract_patches(
    images: Any,
    size: int | Sequence[int],
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """Windows of images, each as one vector.

    Args:
        images: image or batch of images; volumes if `size` has three entries.
        size: of a window: an integer, two or three of them.
        strides: steps between windows; `size` by default.
        dilation_rate: distance between the elements of a window.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of shape `(batch, rows, columns, height * width * channels)`, or with the vectors first.

    Raises:
        TypeError: for a size that is neither an integer nor a tuple.
        ValueError: for a size of another length, or another number of axes.
    """
    if not isinstance(size, (int, tuple, list)):
        raise TypeError(f"`size` must be an integer or a tuple, got {size!r}.")
    size = (size, size) if isinstance(size, int) else tuple(size)
    if len(size) not in (2, 3):
        raise ValueError(f"`size` must have two or three entries, got {size}.")
    return _patches(as_array(images), size, strides, dilation_rate, padding, data_format)


@op
def extract_patches_3d(
    volumes: Any,
    size: int | Sequence[int],
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """Windows of volumes, each as one vector.

    Args:
        volumes: shape `(depth, height, width, channels)`, or a batch of these, or channels first.
        size: of a window: an integer or three of them.
        strides: steps between windows; `size` by default.
        dilation_rate: distance between the elements of a window.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array like that of `extract_patches`, with one more axis.
    """
    size = (size,) * 3 if isinstance(size, int) else tuple(size)
    return _patches(as_array(volumes), size, strides, dilation_rate, padding, data_format)
