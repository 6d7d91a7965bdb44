"""Convert between image files, Pillow images and arrays."""

from __future__ import annotations

import io
import os
import pathlib
import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import registry
from jaxkeras.core import config
from jaxkeras.core.config import standardize_data_format
from jaxkeras.ops.image import resize

_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_OWN_GRAY = ("L", "I;16", "I")  # grayscale images with more bits keep their precision
_RESAMPLING = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def pillow(user: str) -> Any:
    """Import `PIL.Image`.

    Args:
        user: what needs it, for the error message.

    Raises:
        ImportError: if it is not installed; the message says how to install it.
    """
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise ImportError(f'{user} needs Pillow: pip install "jaxkeras[image]"') from None
    return Image


def array_to_img(x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None) -> Any:
    """Convert an array to a Pillow image.

    Args:
        x: shape `(height, width, channels)`, or channels first, with 1, 3 or 4 channels.
        data_format: `"channels_last"` or `"channels_first"`; defaults to `image_data_format()`.
        scale: whether to rescale the values to [0, 255]; otherwise they must be in this range.
        dtype: dtype of the computation; defaults to `floatx()`.

    Returns:
        A `PIL.Image.Image`; for one channel with values above 255, one with 32 bits.

    Raises:
        ValueError: for an array of another shape.
        ImportError: without Pillow.

    Example:

    >>> array_to_img(np.zeros((2, 3, 3))).size
    (3, 2)
    """
    image = pillow("array_to_img")
    x = np.asarray(x, dtype=config.floatx() if dtype is None else dtype)
    if x.ndim != 3:
        raise ValueError(f"array_to_img takes one image of shape (height, width, channels); got shape {x.shape}.")
    if standardize_data_format(data_format) == "channels_first":
        x = x.transpose(1, 2, 0)
    if x.shape[2] not in (1, 3, 4):
        raise ValueError(f"An image has 1, 3 or 4 channels; got {x.shape[2]} in shape {x.shape}.")
    if scale:
        x = x - np.min(x)
        x = x / (np.max(x) or 1) * 255
    if x.shape[2] == 1:
        return image.fromarray(x[:, :, 0].astype("int32" if np.max(x) > 255 else "uint8"))
    return image.fromarray(x.astype("uint8"))


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """Convert a Pillow image to an array.

    Args:
        img: the image.
        data_format: `"channels_last"` or `"channels_first"`; defaults to `image_data_format()`.
        dtype: dtype of the result; defaults to `floatx()`.

    Returns:
        NumPy array of shape `(height, width, channels)`, or channels first.

    Raises:
        ValueError: for an image without two or three axes.

    Example:

    >>> img_to_array(array_to_img(np.zeros((2, 3, 1)))).shape
    (2, 3, 1)
    """
    x = np.asarray(img, dtype=config.floatx() if dtype is None else dtype)
    if x.ndim not in (2, 3):
        raise ValueError(f"An image has two or three axes; got shape {x.shape}.")
    x = x[:, :, None] if x.ndim == 2 else x
    return x.transpose(2, 0, 1) if standardize_data_format(data_format) == "channels_first" else x


def save_img(
    path: Any, x: Any, data_format: str | None = None, file_format: str | None = None, scale: bool = True, **kwargs: Any
) -> None:
    """Save an array as an image file.

    Args:
        path: path, or an open binary file.
        x: an image, as for `array_to_img`.
        data_format: `"channels_last"` or `"channels_first"`; defaults to `image_data_format()`.
        file_format: format such as `"png"`; by default inferred from the path.
        scale: whether to rescale the values to [0, 255].
        **kwargs: passed to `PIL.Image.Image.save`, such as `quality=90`.

    Raises:
        ValueError: for an array of another shape.
        ImportError: without Pillow.

    Example:

    >>> save_img("black.png", np.zeros((2, 3, 3)))
    >>> load_img("black.png").size
    (3, 2)
    """
    if file_format is None and isinstance(path, (str, os.PathLike)):
        file_format = pathlib.Path(path).suffix[1:].lower()
    if file_format and file_format.lower() == "jpg":
        file_format = "jpeg"
    img = array_to_img(x, data_format=data_format, scale=scale)
    if img.mode == "RGBA" and file_format and file_format.lower() == "jpeg":
        warnings.warn("JPEG files have no alpha channel, so it is dropped.", UserWarning, stacklevel=2)
        img = img.convert("RGB")
    img.save(path, format=file_format, **kwargs)


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: Sequence[int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """Read an image file.

    Args:
        path: path, or `io.BytesIO`.
        color_mode: `"grayscale"`, `"rgb"` or `"rgba"`.
        target_size: `(height, width)` to resize to.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos"`, `"box"` or `"hamming"`, of Pillow, with
            antialiasing.
        keep_aspect_ratio: whether to crop the image to the new aspect ratio instead of distorting it.

    Returns:
        A `PIL.Image.Image`.

    Raises:
        ValueError: for another color mode or interpolation.
        TypeError: for another type of path.
        ImportError: without Pillow.

    Example:

    >>> load_img("photo.jpg", target_size=(64, 64))  # doctest: +SKIP
    """
    image = pillow("load_img")
    if color_mode not in _MODES:
        raise registry.unknown("color_mode", color_mode, _MODES)
    if target_size is not None and interpolation not in _RESAMPLING:
        raise registry.unknown("interpolation", interpolation, _RESAMPLING)
    if isinstance(path, io.BytesIO):
        img = image.open(path)
    elif isinstance(path, (str, bytes, os.PathLike)):
        with open(path, "rb") as file:
            img = image.open(io.BytesIO(file.read()))
    else:
        raise TypeError(f"load_img takes a path or io.BytesIO; got {type(path).__name__}.")
    img = in_mode(img, color_mode)
    if target_size is None or img.size == (target_size[1], target_size[0]):
        return img
    height, width = target_size
    box = None
    if keep_aspect_ratio:
        tall, wide = min(img.height, img.width * height // width), min(img.width, img.height * width // height)
        left, top = (img.width - wide) // 2, (img.height - tall) // 2
        box = (left, top, left + wide, top + tall)
    return img.resize((width, height), image.Resampling[interpolation.upper()], box=box)


def in_mode(img: Any, color_mode: str) -> Any:
    """Convert a Pillow image to a color mode; grayscale images with 16 or 32 bits are left unchanged."""
    mode = _MODES[color_mode]
    return img if img.mode == mode or (mode == "L" and img.mode in _OWN_GRAY) else img.convert(mode)


def smart_resize(
    x: Any, size: Sequence[int], interpolation: str = "bilinear", data_format: str = "channels_last", **kwargs: Any
) -> Any:
    """Crop images to an aspect ratio and resize them, without distortion.

    Args:
        x: image or batch of images, of shape `(height, width, channels)` or `(batch, height, width, channels)`, or
            channels first.
        size: `(height, width)`.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: `backend_module=None`, accepted for compatibility.

    Returns:
        A NumPy array for a NumPy array, else a JAX array.

    Raises:
        ValueError: for a size without two entries, or an image of the wrong rank.
        TypeError: for unknown arguments.

    Example:

    >>> smart_resize(np.ones((4, 6, 3), "float32"), (2, 2)).shape
    (2, 2, 3)
    """
    kwargs.pop("backend_module", None)
    if kwargs:
        raise TypeError(f"Unknown arguments of smart_resize: {', '.join(kwargs)}.")
    if len(size) != 2:
        raise ValueError(f"`size` must be (height, width); got {size}.")
    images: jax.Array = jnp.asarray(x)
    result = resize(images, size, interpolation, crop_to_aspect_ratio=True, data_format=data_format)
    return np.asarray(result) if isinstance(x, np.ndarray) else result
