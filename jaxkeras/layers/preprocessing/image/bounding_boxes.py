"""Bounding boxes: formats, clipping, projection and padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import registry

Array = jax.Array
Boxes = dict[str, Any]


def _swap(boxes: Array) -> Array:
    """Swap x and y of both points."""
    return boxes[..., jnp.array([1, 0, 3, 2])]


def _corners(boxes: Array) -> Array:
    """(x, y, width, height) to corners."""
    return jnp.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], axis=-1)


def _sizes(boxes: Array) -> Array:
    return jnp.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], axis=-1)


def _from_center(boxes: Array) -> Array:
    half = boxes[..., 2:] / 2
    return jnp.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], axis=-1)


def _to_center(boxes: Array) -> Array:
    size = boxes[..., 2:] - boxes[..., :2]
    return jnp.concatenate([boxes[..., :2] + size / 2, size], axis=-1)


# format -> (to xyxy, from xyxy); the prefix "rel_" means coordinates relative to the width and height of the image.
_FORMATS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "xyxy": (lambda b: b, lambda b: b),
    "yxyx": (_swap, _swap),
    "xywh": (_corners, _sizes),
    "center_xywh": (_from_center, _to_center),
    "center_yxhw": (lambda b: _from_center(_swap(b)), lambda b: _swap(_to_center(b))),
}
FORMATS = (*_FORMATS, *(f"rel_{name}" for name in ("xyxy", "yxyx", "xywh", "center_xywh")))


def convert_format(
    boxes: Any, source: str, target: str, height: Any = None, width: Any = None, dtype: str = "float32"
) -> Any:
    """Convert boxes to another format.

    Args:
        boxes: shape `(..., 4)`, or a dict with the key `"boxes"`.
        source, target: `"xyxy"`, `"yxyx"`, `"xywh"`, `"center_xywh"`, `"center_yxhw"`, or one of the first four
            with the prefix `"rel_"`, for coordinates relative to width and height of the image.
        height, width: size of the image, for relative formats.
        dtype: dtype of the result.

    Returns:
        An array, or a dict like the one given.

    Raises:
        ValueError: for an unknown format, another shape, or a missing size.

    Example:

    >>> convert_format(jnp.array([[10.0, 20.0, 30.0, 50.0]]), "xyxy", "xywh")
    Array([[10., 20., 20., 30.]], dtype=float32)
    """
    if isinstance(boxes, dict):
        return {**boxes, "boxes": convert_format(boxes["boxes"], source, target, height, width, dtype)}
    source, target = source.lower(), target.lower()
    for name in (source, target):
        if name not in FORMATS:
            raise registry.unknown("bounding box format", name, FORMATS)
    boxes = jnp.asarray(boxes, dtype)
    if boxes.shape[-1] != 4:
        raise ValueError(f"Boxes have four numbers along their last axis; got shape {boxes.shape}.")
    scaled = source.startswith("rel_"), target.startswith("rel_")
    if any(scaled) and (height is None or width is None):
        raise ValueError(f"To convert boxes from {source!r} to {target!r}, give `height` and `width` of the image.")
    corners = _FORMATS[source.removeprefix("rel_")][0](boxes)
    if scaled[0] != scaled[1]:
        unit = jnp.asarray([width, height, width, height], dtype)
        corners = corners * unit if scaled[0] else corners / unit
    return _FORMATS[target.removeprefix("rel_")][1](corners)


def clip_to_image_size(
    bounding_boxes: Boxes, height: Any = None, width: Any = None, bounding_box_format: str = "xyxy"
) -> Boxes:
    """Clip boxes to the image; boxes outside of it get the label -1.

    Args:
        bounding_boxes: dict of `"boxes"` `(..., count, 4)` and optionally `"labels"` `(..., count)`.
        height, width: size of the image.
        bounding_box_format: `"xyxy"` or `"rel_xyxy"`.

    Returns:
        A dict like the one given.

    Raises:
        ValueError: for another format, or a missing size.
    """
    if bounding_box_format not in ("xyxy", "rel_xyxy"):
        raise registry.unknown("bounding_box_format", bounding_box_format, ("xyxy", "rel_xyxy"))
    if bounding_box_format == "rel_xyxy":
        height, width = 1, 1
    elif height is None or width is None:
        raise ValueError("To clip boxes in the format 'xyxy', give `height` and `width` of the image.")
    boxes = jnp.asarray(bounding_boxes["boxes"])
    boxes = jnp.clip(boxes, 0, jnp.asarray([width, height, width, height], boxes.dtype))
    result = {**bounding_boxes, "boxes": boxes}
    if bounding_boxes.get("labels") is not None:
        area = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
        result["labels"] = jnp.where(area > 0, jnp.asarray(bounding_boxes["labels"]), -1)
    return result


def projected(boxes: Array, matrix: Array) -> Array:
    """The bounding boxes of projected boxes.

    Args:
        boxes: `(batch, count, 4)`, format xyxy.
        matrix: `(batch, 3, 3)`, the projection of `(x, y, 1)`.
    """
    x0, y0, x1, y1 = jnp.moveaxis(boxes, -1, 0)
    pairs = ((x0, y0), (x1, y0), (x0, y1), (x1, y1))
    corners = jnp.stack([jnp.stack([x, y, jnp.ones_like(x)], axis=-1) for x, y in pairs], axis=2)
    moved = jnp.einsum("bij,bncj->bnci", matrix.astype(boxes.dtype), corners)
    points = moved[..., :2] / moved[..., 2:]
    return jnp.concatenate([points.min(2), points.max(2)], axis=-1)


def dense(bounding_boxes: Any) -> Boxes:
    """Boxes and labels as arrays; lists of different lengths are padded with zeros and -1.

    Raises:
        ValueError: if it is not a dict of `"boxes"` and `"labels"` with matching shapes.
    """
    if not isinstance(bounding_boxes, dict) or not {"boxes", "labels"} <= set(bounding_boxes):
        raise ValueError(f"Bounding boxes are a dict of 'boxes' and 'labels'; got {bounding_boxes!r}.")
    boxes, labels = bounding_boxes["boxes"], bounding_boxes["labels"]
    if isinstance(boxes, list):
        if len(boxes) != len(labels):
            raise ValueError(f"There are boxes of {len(boxes)} images, but labels of {len(labels)}.")
        most = max(map(len, boxes), default=0)
        filled = np.zeros((len(boxes), most, 4), np.float32), np.full((len(boxes), most), -1, np.int32)
        for i, (own, names) in enumerate(zip(boxes, labels)):
            if len(own):
                filled[0][i, : len(own)], filled[1][i, : len(names)] = own, names
        boxes, labels = filled
    boxes = jnp.asarray(boxes, jnp.float32)
    labels = jnp.asarray(labels)
    if boxes.ndim == 2 and labels.size == len(boxes):
        labels = labels.reshape(-1)  # as Keras, take a batch axis that the boxes do not have
    if boxes.shape[:-1] != labels.shape or boxes.ndim not in (2, 3):
        raise ValueError(
            "Boxes have shape (batch, count, 4) or (count, 4), and labels the same without the last axis; got "
            f"{boxes.shape} and {labels.shape}."
        )
    return {**bounding_boxes, "boxes": boxes, "labels": labels}
