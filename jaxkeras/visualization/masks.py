"""Overlay segmentation masks on images."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxkeras.visualization.gallery import plot_image_gallery
from jaxkeras.visualization.pixels import batch, channels_last, from_channels_last, to_bytes

Colors = Mapping[int, Sequence[int]]


def draw_segmentation_masks(
    images: Any,
    segmentation_masks: Any,
    num_classes: int | None = None,
    color_mapping: Colors | None = None,
    alpha: float = 0.8,
    blend: bool = True,
    ignore_index: int = -1,
    data_format: str | None = None,
) -> np.ndarray:
    """Overlay a color for each class on a batch of images.

    Class 0 is the background, which is left unchanged unless `color_mapping` has a color for it. Keras documents the
    same; Keras 3.15.1, however, paints class 0 black and leaves out the last class.

    Args:
        images: shape `(batch, height, width, 3)` or channels first. Values are in [0, 1] for floats with a maximum of
            at most 1, else in [0, 255].
        segmentation_masks: integer classes of shape `(batch, height, width)`, optionally with a channel axis of size 1.
        num_classes: classes are 1 to `num_classes`; by default the largest class in the masks.
        color_mapping: `{class: (red, green, blue)}`; by default easily distinguished hues.
        alpha: opacity of the colors, 0 to 1.
        blend: whether to blend the colors with the image; if False, they are opaque.
        ignore_index: a class that is not drawn.
        data_format: `"channels_last"` or `"channels_first"`; defaults to `image_data_format()`.

    Returns:
        uint8 array of the shape of `images`.

    Raises:
        ValueError: for images or masks of the wrong shape, or a class without a color.
        TypeError: for masks that are not integers.

    Example:

    >>> red = draw_segmentation_masks(np.zeros((1, 2, 2, 3)), np.ones((1, 2, 2), int), color_mapping={1: (250, 0, 0)})
    >>> red[0, 0, 0].tolist()
    [200, 0, 0]
    """
    pixels = to_bytes(channels_last(batch(images), data_format))
    masks = np.asarray(segmentation_masks)
    if masks.dtype.kind not in "iu":
        raise TypeError(f"`segmentation_masks` must be integers; got {masks.dtype}. Write masks.astype('int32').")
    if masks.ndim == 4:
        masks = channels_last(masks, data_format)
        masks = masks[..., 0] if masks.shape[-1] == 1 else masks
    if masks.shape != pixels.shape[:3] or pixels.shape[3] != 3:
        raise ValueError(
            f"Masks must have the shape (batch, height, width) of images with 3 channels; got {masks.shape} for images "
            f"of shape {pixels.shape}."
        )
    count = int(masks.max(initial=0)) if num_classes is None else num_classes
    colors = _palette(count) if color_mapping is None else {int(k): v for k, v in color_mapping.items()}
    shown = sorted(({*range(1, count + 1)} | ({0} & set(colors))) - {ignore_index})
    if missing := [c for c in shown if c not in colors]:
        raise ValueError(f"`color_mapping` has no color for the classes {missing}.")
    result = pixels.astype(np.float32)
    share = alpha if blend else 1.0
    for index in shown:
        where = masks == index
        result[where] = result[where] * (1 - share) + np.asarray(colors[index], np.float32) * share
    return from_channels_last(np.clip(result + 1e-3, 0, 255).astype(np.uint8), data_format)


def _palette(count: int) -> dict[int, list[int]]:
    """Colors for the classes 1 to `count`: hues a golden section apart, so that successive classes differ."""
    return {
        i: [round(255 * c) for c in colorsys.hsv_to_rgb((0.61803399 * (i - 1)) % 1, 0.85, 0.95 - 0.25 * (i % 2))]
        for i in range(1, count + 1)
    }


def plot_segmentation_mask_gallery(
    images: Any,
    num_classes: int | None,
    value_range: Sequence[float] = (0, 255),
    y_true: Any = None,
    y_pred: Any = None,
    color_mapping: Colors | None = None,
    blend: bool = True,
    alpha: float = 0.8,
    ignore_index: int = -1,
    data_format: str | None = None,
    **kwargs: Any,
) -> Any:
    """Plot a row for each image: the image, with its true mask, and with its predicted mask.

    Args:
        images: shape `(batch, height, width, channels)` or channels first.
        num_classes: classes are 1 to `num_classes`.
        value_range: smallest and largest possible value of the images.
        y_true: true masks, as for `draw_segmentation_masks`; floats are rounded down.
        y_pred: predicted masks.
        color_mapping, blend, alpha, ignore_index: as in `draw_segmentation_masks`.
        data_format: `"channels_last"` or `"channels_first"`; defaults to `image_data_format()`.
        **kwargs: passed to `plot_image_gallery`.

    Returns:
        What `plot_image_gallery` returns.

    Raises:
        ValueError: for images or masks of the wrong shape.
        ImportError: without matplotlib.

    Example:

    >>> images, masks = np.zeros((2, 8, 8, 3)), np.ones((2, 8, 8), int)
    >>> figure = plot_segmentation_mask_gallery(images, num_classes=1, y_true=masks, show=False)
    """
    pixels = to_bytes(channels_last(batch(images), data_format), value_range)
    columns = [pixels]
    for masks in (y_true, y_pred):
        if masks is not None:
            masks = np.asarray(masks).astype(np.int32)
            masks = channels_last(masks, data_format) if masks.ndim == 4 else masks
            columns.append(
                draw_segmentation_masks(
                    pixels, masks, num_classes, color_mapping, alpha, blend, ignore_index, "channels_last"
                )
            )
    pictures = np.stack(columns, axis=1).reshape(-1, *pixels.shape[1:])
    return plot_image_gallery(pictures, rows=len(pixels), cols=len(columns), data_format="channels_last", **kwargs)
