"""Bounding boxes drawn on images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxkeras.layers.preprocessing.image.bounding_boxes import convert_format, dense
from jaxkeras.utils.images import pillow
from jaxkeras.visualization.gallery import matplotlib_patches, plot_image_gallery
from jaxkeras.visualization.pixels import batch, channels_last, from_channels_last, to_bytes

Color = Sequence[int]
_FONT = 28  # pixels at font_scale=1; about the size of OpenCV's font, which Keras uses


def draw_bounding_boxes(
    images: Any,
    bounding_boxes: Mapping[str, Any],
    bounding_box_format: str,
    class_mapping: Mapping[int, str] | None = None,
    color: Color = (128, 128, 128),
    line_thickness: int = 2,
    text_thickness: int | None = 1,
    font_scale: float = 1.0,
    data_format: str | None = None,
) -> np.ndarray:
    """Draw boxes on a batch of images, each with the name of its class.

    Args:
        images: shape `(batch, height, width, channels)` or channels first, with 1, 3 or 4 channels. Values are in
            [0, 1] for floats with a maximum of at most 1, else in [0, 255].
        bounding_boxes: dict of `"boxes"` of shape `(batch, count, 4)`, `"labels"` of shape `(batch, count)`, where -1
            means no box, and optionally `"confidences"` of shape `(batch, count)`; or lists of different lengths.
        bounding_box_format: as in `jaxkeras.utils.bounding_boxes.convert_format`.
        class_mapping: `{label: name}`; boxes with other labels get no text.
        color: red, green and blue, 0 to 255.
        line_thickness: width of lines in pixels.
        text_thickness: stroke weight of the text; None for `line_thickness`.
        font_scale: size of the text; 1 is 28 pixels.
        data_format: `"channels_last"` or `"channels_first"`; defaults to `image_data_format()`.

    Returns:
        uint8 array of the shape of `images`.

    Raises:
        ValueError: for images or boxes of the wrong shape.
        TypeError: if `bounding_boxes` is not a dict.
        ImportError: without Pillow.

    Example:

    >>> boxes = {"boxes": np.array([[[4.0, 4, 20, 20]]]), "labels": np.array([[0]])}
    >>> draw_bounding_boxes(np.zeros((1, 32, 32, 3)), boxes, "xyxy", color=(255, 0, 0))[0, 4, 10].tolist()
    [255, 0, 0]
    """
    module = pillow("draw_bounding_boxes")
    if not isinstance(bounding_boxes, Mapping):
        raise TypeError(f"`bounding_boxes` must be a dict of 'boxes' and 'labels'; got {bounding_boxes!r}.")
    pixels = to_bytes(channels_last(batch(images), data_format))
    height, width, channels = pixels.shape[1:]
    if channels not in (1, 3, 4):
        raise ValueError(f"Images have 1, 3 or 4 channels; got {channels} in shape {np.shape(images)}.")
    found = dense(dict(bounding_boxes))
    boxes = np.asarray(convert_format(found["boxes"], bounding_box_format, "xyxy", height, width))
    labels, confidences = np.asarray(found["labels"]).astype(int), found.get("confidences")
    if boxes.shape[0] != len(pixels) or boxes.ndim != 3:
        raise ValueError(f"There are {len(pixels)} images, but boxes of shape {boxes.shape}.")
    style = _Style(color, line_thickness, text_thickness or line_thickness, font_scale, channels)
    for i, image in enumerate(pixels):
        picture = module.fromarray(image[:, :, 0] if channels == 1 else image)
        for j, (box, label) in enumerate(zip(boxes[i], labels[i])):
            if label == -1 or not np.isfinite(box).all():
                continue
            text = (class_mapping or {}).get(int(label), "")
            if text and confidences is not None:
                text = f"{text} | {float(confidences[i][j]):.2f}"
            style.draw(picture, box, text)
        pixels[i] = np.asarray(picture).reshape(image.shape)
    return from_channels_last(pixels, data_format)


class _Style:
    """Colors, line widths and font of the boxes and their names."""

    def __init__(self, color: Color, line: int, weight: int, font_scale: float, channels: int):
        from PIL import ImageFont

        red, green, blue = (int(c) for c in color)
        brightness = (299 * red + 587 * green + 114 * blue) // 1000
        ink = 0 if brightness > 127 else 255
        self.color: Any = brightness if channels == 1 else (red, green, blue, 255)[:channels]
        self.ink: Any = ink if channels == 1 else (ink, ink, ink, 255)[:channels]
        self.line, self.stroke = line, max(weight - 1, 0) // 2
        self.font = ImageFont.load_default(max(_FONT * font_scale, 6))

    def draw(self, picture: Any, box: np.ndarray, text: str) -> None:
        from PIL import ImageDraw

        canvas = ImageDraw.Draw(picture)
        far = 4 * max(picture.size)  # anything farther outside looks the same
        x0, y0, x1, y1 = np.clip(box, -far, far).astype(int).tolist()
        x0, y0, x1, y1 = min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
        canvas.rectangle((x0, y0, x1, y1), outline=self.color, width=self.line)
        if not text:
            return
        left, top, right, bottom = canvas.textbbox((0, 0), text, font=self.font, stroke_width=self.stroke)
        width, height = right - left + 4, bottom - top + 4
        # The label is above the box, or inside if there is no room, and never crosses the right border.
        x = max(min(x0, picture.width - width), 0)
        y = y0 - height if y0 >= height else y0
        canvas.rectangle((x, y, x + width, y + height), fill=self.color)
        canvas.text((x + 2 - left, y + 2 - top), text, fill=self.ink, font=self.font, stroke_width=self.stroke)


def plot_bounding_box_gallery(
    images: Any,
    bounding_box_format: str,
    y_true: Mapping[str, Any] | None = None,
    y_pred: Mapping[str, Any] | None = None,
    value_range: Sequence[float] = (0, 255),
    true_color: Color = (0, 188, 212),
    pred_color: Color = (255, 235, 59),
    line_thickness: int = 2,
    font_scale: float = 1.0,
    text_thickness: int | None = None,
    class_mapping: Mapping[int, str] | None = None,
    ground_truth_mapping: Mapping[int, str] | None = None,
    prediction_mapping: Mapping[int, str] | None = None,
    legend: bool = False,
    legend_handles: Any = None,
    rows: int | None = None,
    cols: int | None = None,
    data_format: str | None = None,
    **kwargs: Any,
) -> Any:
    """Show images with true and predicted boxes.

    Args:
        images: shape `(batch, height, width, channels)` or channels first.
        bounding_box_format: format of all boxes, as in `jaxkeras.utils.bounding_boxes.convert_format`.
        y_true: true boxes, as for `draw_bounding_boxes`.
        y_pred: predicted boxes.
        value_range: smallest and largest possible value of the images.
        true_color: color of true boxes.
        pred_color: color of predicted boxes.
        line_thickness: width of lines in pixels.
        font_scale: size of the text; 1 is 28 pixels of the image.
        text_thickness: stroke weight of the text; defaults to `line_thickness`.
        class_mapping: `{label: name}`.
        ground_truth_mapping: `{label: name}` for true boxes, instead of `class_mapping`.
        prediction_mapping: `{label: name}` for predicted boxes, instead of `class_mapping`.
        legend: whether to add a legend of the two colors.
        legend_handles: Matplotlib patches for a legend, instead of `legend=True`.
        rows: number of rows of the gallery.
        cols: number of columns of the gallery.
        data_format: `"channels_last"` or `"channels_first"`; defaults to `image_data_format()`.
        **kwargs: passed to `plot_image_gallery`.

    Returns:
        What `plot_image_gallery` returns.

    Raises:
        ValueError: for images or boxes of the wrong shape, or both `legend` and `legend_handles`.
        ImportError: without Pillow or matplotlib.

    Example:

    >>> boxes = {"boxes": np.array([[[4.0, 4, 20, 20]]]), "labels": np.array([[0]])}
    >>> figure = plot_bounding_box_gallery(np.zeros((1, 32, 32, 3)), "xyxy", y_true=boxes, show=False)
    """
    patches = matplotlib_patches("plot_bounding_box_gallery")
    if legend and legend_handles:
        raise ValueError("Give `legend=True` or `legend_handles`, not both.")
    pixels = to_bytes(channels_last(batch(images), data_format), value_range)
    for boxes, color, names in (
        (y_true, true_color, ground_truth_mapping or class_mapping),
        (y_pred, pred_color, prediction_mapping or class_mapping),
    ):
        if boxes is not None:
            pixels = draw_bounding_boxes(
                pixels, boxes, bounding_box_format, names, color, line_thickness, text_thickness, font_scale,
                "channels_last",
            )  # fmt: skip
    if legend:
        legend_handles = [
            patches.Patch(color=np.array(color) / 255, label=label)
            for color, label in ((true_color, "Ground Truth"), (pred_color, "Prediction"))
        ]
    return plot_image_gallery(
        pixels, legend_handles=legend_handles, rows=rows, cols=cols, data_format="channels_last", **kwargs
    )
