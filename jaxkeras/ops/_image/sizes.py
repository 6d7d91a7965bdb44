"""Resizing, padding and cropping of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core import config
from jaxkeras.core.config import standardize_data_format
from jaxkeras.core.dtypes import is_float_dtype, is_int_dtype
from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import TensorLike, as_array
from jaxkeras.ops._image.layout import batchwise, check_rank, one_of
from jaxkeras.ops.core import saturate_cast

_INTERPOLATIONS = ("bilinear", "nearest", "lanczos3", "lanczos5", "bicubic")


@op
def resize(
    images: TensorLike,
    size: Sequence[int],
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> jax.Array:
    """Resize images.

    Args:
        images: array, an image or a batch of images.
        size: `(height, width)`.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        antialias: whether to smooth before downsampling.
        crop_to_aspect_ratio: whether to crop the image to the aspect ratio of `size` first.
        pad_to_aspect_ratio: whether to pad the image to the aspect ratio of `size` first.
        fill_mode: how to pad; must be `"constant"`.
        fill_value: value of the padding.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the same dtype, with the height and width of `size`.

    Raises:
        ValueError: for a wrong size, number of axes, interpolation or fill mode, or for both cropping and padding.

    Example:

    >>> x = np.array([[[0.0], [10.0]]])
    >>> resize(x, (1, 4)).ravel().tolist()
    [0.0, 2.5, 7.5, 10.0]
    """
    images, size = as_array(images), tuple(size)
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"`size` must be (height, width), both positive; got {size}.")
    one_of(interpolation, _INTERPOLATIONS, "interpolation")
    one_of(fill_mode, ("constant",), "fill_mode")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("Only one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio` can be True.")

    def resized(x: jax.Array) -> jax.Array:
        # The height that matches the width at the aspect ratio of `size`, and the width that matches the height.
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
    """Both margins of an axis, from exactly two of the margins and their sum; the other one is None."""
    if [before, after, total].count(None) != 1:
        raise ValueError(f"Give exactly two of `{names[0]}`, `{names[1]}` and `{names[2]}`.")
    before = total - after if before is None else before
    after = total - before if after is None else after
    if before < 0 or after < 0:
        raise ValueError(f"`{names[0]}` and `{names[1]}` must not be negative, and come out as {before} and {after}.")
    return before, after


def _spatial_margins(images: jax.Array, data_format: str | None, sign: int, rows: Any, columns: Any, what: str) -> list:
    """Margins of every axis. `rows` and `columns` are (before, after, target), with target - size = sign * margins."""
    check_rank(images)
    last = standardize_data_format(data_format) == "channels_last"
    height, width = images.shape[-3:-1] if last else images.shape[-2:]
    for target, name in ((rows[2], "target_height"), (columns[2], "target_width")):
        if target is not None and target < 0:
            raise ValueError(f"`{name}` must not be negative, got {target}.")
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
    images: TensorLike,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> jax.Array:
    """Pad images with zeros. Exactly two of the three sizes must be given for height and for width.

    Args:
        images: array, an image or a batch of images.
        top_padding: rows to add above.
        left_padding: columns to add to the left.
        bottom_padding: rows to add below.
        right_padding: columns to add to the right.
        target_height: height of the result.
        target_width: width of the result.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the dtype of `images`.

    Raises:
        ValueError: for fewer or more sizes, or ones that do not match.

    Example:

    >>> pad_images(np.ones((2, 3, 1)), 1, 0, target_height=4, target_width=5).shape
    (4, 5, 1)
    """
    images = as_array(images)
    rows, columns = (top_padding, bottom_padding, target_height), (left_padding, right_padding, target_width)
    return jnp.pad(images, _spatial_margins(images, data_format, 1, rows, columns, "padding"))


@op
def crop_images(
    images: TensorLike,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> jax.Array:
    """Crop images. Exactly two of the three sizes must be given for height and for width.

    Args:
        images: array, an image or a batch of images.
        top_cropping: rows to remove above.
        left_cropping: columns to remove to the left.
        bottom_cropping: rows to remove below.
        right_cropping: columns to remove to the right.
        target_height: height of the result.
        target_width: width of the result.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of the dtype of `images`.

    Raises:
        ValueError: for fewer or more sizes, or ones that do not match.

    Example:

    >>> crop_images(np.ones((4, 5, 1)), 1, 0, target_height=2, target_width=3).shape
    (2, 3, 1)
    """
    images = as_array(images)
    rows, columns = (top_cropping, bottom_cropping, target_height), (left_cropping, right_cropping, target_width)
    margins = _spatial_margins(images, data_format, -1, rows, columns, "cropping")
    return images[tuple(slice(before, size - after) for (before, after), size in zip(margins, images.shape))]
