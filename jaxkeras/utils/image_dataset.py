"""Datasets of images in class folders."""

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
    """Create a dataset of images from one folder per class; threads read the files on demand.

    Args:
        directory: the folder that contains the class folders. Files in nested folders belong to the outermost class
            folder.
        labels: "inferred" from the folders, None, or a list with an integer for each file, in alphabetical order.
        label_mode: "int"; "binary" for float32 0 or 1 of shape `(batch, 1)`; "categorical" for one-hot vectors; or
            None.
        class_names: names of the folders, in the order of their labels; alphabetical by default.
        color_mode: "rgb", "rgba" or "grayscale".
        batch_size: number of images in a batch; None for single images.
        image_size: `(height, width)`.
        shuffle: whether to shuffle the files, once by the seed and again in each pass; otherwise they are in
            alphabetical order.
        seed: seed of the shuffle.
        validation_split: fraction of the files for validation: the last ones after the first shuffle, the same as in
            Keras.
        subset: "training", "validation" or "both", with `validation_split`.
        interpolation: "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian" or "mitchellcubic";
            without antialiasing.
        follow_links: whether to follow links to folders.
        crop_to_aspect_ratio: whether to crop images to the aspect ratio of `image_size` instead of distorting them.
        pad_to_aspect_ratio: whether to pad images with zeros instead of distorting them.
        data_format: `"channels_last"` or `"channels_first"`; defaults to `image_data_format()`.
        format: "tf" or "grain", for compatibility; the result is a `jaxkeras.data.Dataset`, which needs neither.
        verbose: whether to print the number of files.

    Returns:
        A `Dataset` of float32 images of shape `(batch, height, width, channels)` with values in [0, 255], or of pairs
        of them with the labels; it has the attributes `class_names` and `file_paths`. With `subset="both"`, a list of
        two. Unlike in Keras, each pass shuffles all files, not only within a buffer of eight batches.

    Raises:
        ValueError: for inconsistent arguments, if there are no images, or, when it is read, for a file that is not an
            image.
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
    """Read an image file as uint8 `(height, width, channels)`; of an animation, the first frame."""
    image = pillow("image_dataset_from_directory")
    try:
        with image.open(path) as opened:
            if opened.mode.startswith("I"):  # 16 bits: keep the upper eight
                opened = image.fromarray((np.asarray(opened) >> 8).astype(np.uint8))
            array = np.asarray(in_mode(opened, color_mode))
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for broken files
        raise ValueError(f"The file {path!r} cannot be read as an image: {error}") from error
    return array[:, :, None] if array.ndim == 2 else array
