"""Images in folders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxkeras import registry
from jaxkeras.core.config import standardize_data_format
from jaxkeras.data.pipeline import stack
from jaxkeras.utils.directory import Folder, datasets
from jaxkeras.utils.host_resize import METHODS, crop_and_resize, resize, resize_and_pad
from jaxkeras.utils.images import in_mode, pillow

_FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
_COLORS = ("grayscale", "rgb", "rgba")


def image_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Sequence[int] | int = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Batches of images from a folder with a folder for each class, read by a few threads when they are asked for.

    Args:
        directory: the folder. Files in folders further down belong to the class of the outermost one.
        labels: "inferred" from the folders, None, or an integer for every file in alphabetical order.
        label_mode: "int"; "binary", 0 or 1 of type float32 `(batch, 1)`; "categorical", one-hot vectors; or None.
        class_names: the names of the folders in the order of their numbers; alphabetical by default.
        color_mode: "rgb", "rgba" or "grayscale".
        batch_size: how many; None for single images.
        image_size: `(height, width)`.
        shuffle: whether the files are shuffled, once by the seed and anew in every pass; else they come in alphabetical
            order.
        seed: of the order.
        validation_split: the share of the files that is held back: the last ones after the first shuffle, which are
            those that Keras holds back.
        subset: "training", "validation" or "both", with `validation_split`.
        interpolation: "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian" or "mitchellcubic";
            without antialiasing.
        follow_links: whether to go into linked folders.
        crop_to_aspect_ratio: whether to cut images to the ratio of `image_size` instead of bending them.
        pad_to_aspect_ratio: whether to pad them with zeros instead.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.
        format: "tf" or "grain"; either way the result is a `jaxkeras.data.Dataset`, which needs neither.
        verbose: whether to print how many files there are.

    Returns:
        A `Dataset` of images float32 `(batch, height, width, channels)`, values in [0, 255], or of pairs of them with
        the labels; it has `class_names` and `file_paths`. With `subset="both"`, a list of two. Unlike in Keras every
        pass is shuffled as a whole, not within a buffer of eight batches.

    Raises:
        ValueError: for arguments that do not fit together, if there are no images, or, when its turn comes, for a file
            that is none.
        ImportError: without Pillow.

    Example:

    >>> train = image_dataset_from_directory("flowers", image_size=(64, 64))  # doctest: +SKIP
    >>> model.fit(train.map(lambda x, y: (x / 255, y)), epochs=5)  # doctest: +SKIP
    """
    if color_mode not in _COLORS:
        raise registry.unknown("color_mode", color_mode, _COLORS)
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    if not isinstance(size, (list, tuple)) or len(size) != 2:
        raise ValueError(f"`image_size` must be (height, width); got {image_size!r}.")
    interpolation = interpolation.lower()
    if interpolation not in METHODS:
        raise registry.unknown("interpolation", interpolation, METHODS)
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("Only one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio` can be True.")
    to_size = crop_and_resize if crop_to_aspect_ratio else resize_and_pad if pad_to_aspect_ratio else resize
    first = standardize_data_format(data_format) == "channels_first"
    pillow("image_dataset_from_directory")

    def load(path: str) -> np.ndarray:
        image = to_size(_read(path, color_mode), size, interpolation)
        return image.transpose(2, 0, 1) if first else image

    folder = Folder(
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset, follow_links,
        verbose, format,
    )  # fmt: skip
    return datasets(folder, _FORMATS, "images", load, stack)


def _read(path: str, color_mode: str) -> np.ndarray:
    """An image file as uint8 `(height, width, channels)`; of an animation the first picture."""
    image = pillow("image_dataset_from_directory")
    try:
        with image.open(path) as opened:
            if opened.mode.startswith("I"):  # 16 bits: the upper eight of them
                opened = image.fromarray((np.asarray(opened) >> 8).astype(np.uint8))
            array = np.asarray(in_mode(opened, color_mode))
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for broken files
        raise ValueError(f"The file {path!r} cannot be read as an image: {error}") from error
    return array[:, :, None] if array.ndim == 2 else array
