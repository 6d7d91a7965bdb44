"""Bounding boxes: formats, overlap, geometry, and encoding relative to anchors.

All functions are pure, take NumPy or JAX arrays, and can be jitted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import registry
from jaxkeras.core import config, lazy_imports
from jaxkeras.layers.preprocessing.image.bounding_boxes import clip_to_image_size as clip_to_image_size
from jaxkeras.layers.preprocessing.image.bounding_boxes import convert_format as convert_format
from jaxkeras.layers.preprocessing.image.bounding_boxes import projected

__all__ = [
    "affine_transform", "clip_to_image_size", "compute_ciou", "compute_iou", "convert_format", "crop",
    "decode_deltas_to_boxes", "encode_box_to_deltas", "pad",
]  # fmt: skip
__dir__ = lazy_imports.public_dir(__name__)

Array = jax.Array
_CODINGS = ("center_xywh", "center_yxhw")


def _corners_only(bounding_box_format: str) -> None:
    if bounding_box_format != "xyxy":
        raise ValueError(
            f"Boxes must have the format 'xyxy' here; got {bounding_box_format!r}. Convert them first: "
            f"convert_format(boxes, {bounding_box_format!r}, 'xyxy')."
        )


def _size(image_shape: Sequence[int] | None) -> tuple[Any, Any]:
    return (None, None) if image_shape is None else (image_shape[0], image_shape[1])


def _size_for(bounding_box_format: str, image_shape: Sequence[int] | None) -> tuple[Any, Any]:
    if image_shape is None and bounding_box_format.startswith("rel_"):
        raise ValueError(f"Boxes in the format {bounding_box_format!r} need `image_shape`, (height, width, channels).")
    return _size(image_shape)


# -- overlap --------------------------------------------------------------------------------------------------------
def compute_iou(
    boxes1: Any,
    boxes2: Any,
    bounding_box_format: str,
    use_masking: bool = False,
    mask_val: float = -1,
    image_shape: Sequence[int] | None = None,
) -> Array:
    """Intersection over union of each box of one set with each box of another.

    Args:
        boxes1: shape `(m, 4)` or `(batch, m, 4)`.
        boxes2: shape `(n, 4)` or `(batch, n, 4)`.
        bounding_box_format: format of both, as in `convert_format`.
        use_masking: whether the result is `mask_val` for pairs with a box whose coordinates are all negative.
        mask_val: the value for masked pairs.
        image_shape: `(height, width, channels)`, for relative formats.

    Returns:
        float32 array of shape `(m, n)` or `(batch, m, n)`.

    Raises:
        ValueError: for boxes of the wrong rank, or a relative format without `image_shape`.

    Example:

    >>> compute_iou(jnp.array([[0.0, 0, 2, 2]]), jnp.array([[1.0, 1, 3, 3], [0, 0, 2, 2]]), "xyxy").round(3)
    Array([[0.143, 1.   ]], dtype=float32)
    """
    shapes = jnp.shape(boxes1), jnp.shape(boxes2)
    if not all(len(shape) in (2, 3) for shape in shapes):
        raise ValueError(f"Boxes have shape (count, 4) or (batch, count, 4); got {shapes[0]} and {shapes[1]}.")
    height, width = _size_for(bounding_box_format, image_shape)
    first, second = (convert_format(boxes, bounding_box_format, "xyxy", height, width) for boxes in (boxes1, boxes2))
    pairs = first[..., :, None, :], second[..., None, :, :]
    low = jnp.maximum(pairs[0][..., :2], pairs[1][..., :2])
    high = jnp.minimum(pairs[0][..., 2:], pairs[1][..., 2:])
    shared = jnp.prod(jnp.maximum(high - low, 0), axis=-1)
    areas = [jnp.prod(boxes[..., 2:] - boxes[..., :2], axis=-1) for boxes in pairs]
    iou = shared / (areas[0] + areas[1] - shared + config.epsilon())
    if not use_masking:
        return iou
    outside = [jnp.max(boxes, axis=-1) < 0 for boxes in pairs]
    return jnp.where(outside[0] | outside[1], jnp.asarray(mask_val, iou.dtype), iou)


def compute_ciou(boxes1: Any, boxes2: Any, bounding_box_format: str, image_shape: Sequence[int] | None = None) -> Array:
    """Complete intersection over union (CIoU) of pairs of boxes.

    CIoU is the intersection over union minus penalties for the distance of the centers and for different aspect ratios.

    Args:
        boxes1: shape `(..., 4)`.
        boxes2: shape `(..., 4)`.
        bounding_box_format: format of both, as in `convert_format`. Unlike in Keras, relative formats work, if
            `image_shape` is given.
        image_shape: `(height, width, channels)`, for relative formats.

    Returns:
        Array of shape `(...)`; 1 for equal boxes.

    Raises:
        ValueError: for a relative format without `image_shape`.

    Reference:
        [Zheng et al., 2020](https://arxiv.org/abs/1911.08287)

    Example:

    >>> compute_ciou(jnp.array([[0.0, 0, 2, 2]]), jnp.array([[1.0, 0, 3, 2]]), "xyxy").round(3)
    Array([0.256], dtype=float32)
    """
    height, width = _size_for(bounding_box_format, image_shape)
    first, second = (convert_format(boxes, bounding_box_format, "xyxy", height, width) for boxes in (boxes1, boxes2))
    tiny = config.epsilon()
    # As in Keras, epsilon is added to the heights only: it avoids division by zero in the aspect ratios.
    grain = jnp.array([0, tiny], first.dtype)
    size1, size2 = first[..., 2:] - first[..., :2] + grain, second[..., 2:] - second[..., :2] + grain
    low, high = jnp.maximum(first[..., :2], second[..., :2]), jnp.minimum(first[..., 2:], second[..., 2:])
    shared = jnp.prod(jnp.maximum(high - low, 0), axis=-1)
    union = jnp.prod(size1, axis=-1) + jnp.prod(size2, axis=-1) - shared + tiny
    iou = shared / (union + tiny)
    hull = jnp.maximum(first[..., 2:], second[..., 2:]) - jnp.minimum(first[..., :2], second[..., :2])
    diagonal = jnp.sum(jnp.square(hull), axis=-1) + tiny
    between = (first[..., :2] + first[..., 2:]) / 2 - (second[..., :2] + second[..., 2:]) / 2
    distance = jnp.sum(jnp.square(between), axis=-1)
    angles = [jnp.arctan(size[..., 0] / size[..., 1]) for size in (size2, size1)]
    proportion = 4 / math.pi**2 * jnp.square(angles[0] - angles[1])
    weight = proportion / (proportion - iou + (1 + tiny))
    return iou - (distance / diagonal + proportion * weight)


# -- geometry -------------------------------------------------------------------------------------------------------
def affine_transform(
    boxes: Any,
    angle: Any,
    translate_x: Any,
    translate_y: Any,
    scale: Any,
    shear_x: Any,
    shear_y: Any,
    height: int,
    width: int,
    center_x: Any = None,
    center_y: Any = None,
    bounding_box_format: str = "xyxy",
) -> Array:
    """Apply affine transformations to boxes, and return the axis-aligned boxes around the results.

    As for images, the parameters describe the inverse transformation, from the result to the source.

    Args:
        boxes: shape `(batch, count, 4)`, or `(count, 4)` with scalar parameters.
        angle: rotation in degrees; a scalar or an array of shape `(batch,)`, like the following parameters.
        translate_x: horizontal shift, as a fraction of the width.
        translate_y: vertical shift, as a fraction of the height.
        scale: scaling factor.
        shear_x: horizontal shear in degrees.
        shear_y: vertical shear in degrees.
        height: height of the image in pixels.
        width: width of the image in pixels.
        center_x: center of the rotation, as a fraction of the width; 0.5 by default.
        center_y: center of the rotation, as a fraction of the height; 0.5 by default.
        bounding_box_format: must be `"xyxy"`.

    Returns:
        Array of the shape of `boxes`.

    Raises:
        ValueError: for another `bounding_box_format`.

    Example:

    >>> affine_transform(jnp.array([[2.0, 2, 4, 4]]), 0, -0.1, 0, 1, 0, 0, height=11, width=11).astype(int).tolist()
    [[1, 2, 3, 4]]
    """
    _corners_only(bounding_box_format)
    boxes = jnp.asarray(boxes, jnp.float32)
    numbers = (
        angle, translate_x, translate_y, scale, shear_x, shear_y,
        0.5 if center_x is None else center_x, 0.5 if center_y is None else center_y,
    )  # fmt: skip
    single = boxes.ndim == 2
    batch = boxes[None] if single else boxes
    turn, dx, dy, scale, across, down, middle_x, middle_y = (
        jnp.broadcast_to(jnp.asarray(n, jnp.float32), (len(batch),)) for n in numbers
    )
    turn, across, down = (-jnp.deg2rad(x) for x in (turn, across, down))
    x0, y0 = middle_x * (width - 1), middle_y * (height - 1)
    moved_x, moved_y = x0 - dx * (width - 1), y0 - dy * (height - 1)
    # Rotation after shear, whose determinant is one, so that swapping and negating its elements inverts it.
    a = jnp.cos(turn - down) / jnp.cos(down)
    b = a * jnp.tan(across) + jnp.sin(turn)
    c = -jnp.sin(turn - down) / jnp.cos(down)
    d = jnp.cos(turn) - c * jnp.tan(across)
    a0, a1, b0, b1 = d * scale, -b * scale, -c * scale, a * scale
    zero, one = jnp.zeros_like(a0), jnp.ones_like(a0)
    rows = [a0, a1, x0 - a0 * moved_x - a1 * moved_y, b0, b1, y0 - b0 * moved_x - b1 * moved_y, zero, zero, one]
    result = projected(batch, jnp.stack(rows, axis=-1).reshape(-1, 3, 3))
    return result[0] if single else result


def crop(boxes: Any, top: Any, left: Any, height: Any, width: Any, bounding_box_format: str = "xyxy") -> Array:
    """Coordinates of boxes in a crop of the image, clipped to the crop.

    Args:
        boxes: shape `(count, 4)` or `(batch, count, 4)`.
        top: first row of the crop.
        left: first column of the crop.
        height: height of the crop.
        width: width of the crop.
        bounding_box_format: must be `"xyxy"`.

    Returns:
        Array of the shape of `boxes`.

    Raises:
        ValueError: for another `bounding_box_format`.

    Example:

    >>> crop(jnp.array([[10.0, 20, 50, 60]]), top=10, left=20, height=40, width=30)
    Array([[ 0., 10., 30., 40.]], dtype=float32)
    """
    moved = pad(boxes, -top, -left, bounding_box_format=bounding_box_format)
    return jnp.clip(moved, 0, jnp.asarray([width, height, width, height], moved.dtype))


def pad(
    boxes: Any, top: Any, left: Any, height: Any = None, width: Any = None, bounding_box_format: str = "xyxy"
) -> Array:
    """Coordinates of boxes after the image was padded at the top and at the left.

    Args:
        boxes: shape `(count, 4)` or `(batch, count, 4)`.
        top: number of rows added at the top.
        left: number of columns added at the left.
        height: accepted for compatibility with Keras; has no effect.
        width: accepted for compatibility with Keras; has no effect.
        bounding_box_format: must be `"xyxy"`.

    Returns:
        Array of the shape of `boxes`.

    Raises:
        ValueError: for another `bounding_box_format`.

    Example:

    >>> pad(jnp.array([[0.0, 0, 2, 2]]), top=10, left=20)
    Array([[20., 10., 22., 12.]], dtype=float32)
    """
    _corners_only(bounding_box_format)
    boxes = jnp.asarray(boxes)
    return boxes + jnp.asarray([left, top, left, top], boxes.dtype)


# -- relative to anchors --------------------------------------------------------------------------------------------
def _variance(variance: Any) -> Array | None:
    if variance is None:
        return None
    variance = jnp.asarray(variance, jnp.float32)
    if variance.shape[-1:] != (4,):
        raise ValueError(f"`variance` must be four numbers; got shape {variance.shape}.")
    return variance


def encode_box_to_deltas(
    anchors: Any,
    boxes: Any,
    anchor_format: str,
    box_format: str,
    encoding_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Sequence[int] | None = None,
) -> Array:
    """Encode boxes relative to anchors, as targets for a detector.

    The encoding consists of the offsets of the centers divided by the size of the anchor, and of the logarithms of the
    ratios of the sizes.

    Args:
        anchors: shape `(count, 4)`.
        boxes: shape `(count, 4)` or `(batch, count, 4)`.
        anchor_format: format of the anchors, as in `convert_format`.
        box_format: format of the boxes.
        encoding_format: `"center_yxhw"` or `"center_xywh"`: the order of the four numbers.
        variance: four numbers that the result is divided by.
        image_shape: `(height, width, channels)`, for relative formats.

    Returns:
        Array of the shape of `boxes`.

    Raises:
        ValueError: for another `encoding_format`.

    Reference:
        [Ren et al., 2015](https://arxiv.org/abs/1506.01497)

    Example:

    >>> anchors, boxes = jnp.array([[0.0, 0, 4, 4]]), jnp.array([[1.0, 0, 5, 4]])
    >>> encode_box_to_deltas(anchors, boxes, "xyxy", "xyxy")
    Array([[0.  , 0.25, 0.  , 0.  ]], dtype=float32)
    """
    variance = _variance(variance)
    if encoding_format not in _CODINGS:
        raise registry.unknown("encoding_format", encoding_format, _CODINGS)
    height, width = _size(image_shape)
    anchors = convert_format(anchors, anchor_format, encoding_format, height, width)
    boxes = convert_format(boxes, box_format, encoding_format, height, width)
    sizes = jnp.maximum(anchors[..., 2:], config.epsilon())
    ratios = jnp.maximum(boxes[..., 2:], config.epsilon()) / sizes
    deltas = jnp.concatenate([(boxes[..., :2] - anchors[..., :2]) / sizes, jnp.log(ratios)], axis=-1)
    return deltas if variance is None else deltas / variance


def decode_deltas_to_boxes(
    anchors: Any,
    boxes_delta: Any,
    anchor_format: str,
    box_format: str,
    encoded_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Sequence[int] | None = None,
) -> Any:
    """Decode predictions relative to anchors into boxes; the inverse of `encode_box_to_deltas`.

    Args:
        anchors: shape `(count, 4)`, or a dict `{level: anchors}`.
        boxes_delta: shape `(count, 4)` or `(batch, count, 4)`, or a dict of them by level.
        anchor_format: format of the anchors, as in `convert_format`.
        box_format: format of the result.
        encoded_format: `"center_yxhw"` or `"center_xywh"`: the order of the four numbers.
        variance: four numbers that the predictions are multiplied by.
        image_shape: `(height, width, channels)`, for relative formats.

    Returns:
        Array of the shape of `boxes_delta`, or a dict of them by level.

    Raises:
        ValueError: for another `encoded_format`.

    Example:

    >>> decode_deltas_to_boxes(jnp.array([[0.0, 0, 4, 4]]), jnp.array([[0.0, 0.25, 0, 0]]), "xyxy", "xyxy")
    Array([[1., 0., 5., 4.]], dtype=float32)
    """
    variance = _variance(variance)
    if encoded_format not in _CODINGS:
        raise registry.unknown("encoded_format", encoded_format, _CODINGS)
    height, width = _size(image_shape)

    def decoded(anchor: Any, deltas: Any) -> Array:
        anchor = convert_format(anchor, anchor_format, encoded_format, height, width)
        deltas = jnp.asarray(deltas) if variance is None else jnp.asarray(deltas) * variance
        centers = deltas[..., :2] * anchor[..., 2:] + anchor[..., :2]
        boxes = jnp.concatenate([centers, jnp.exp(deltas[..., 2:]) * anchor[..., 2:]], axis=-1)
        return convert_format(boxes, encoded_format, box_format, height, width)

    if isinstance(anchors, dict) and isinstance(boxes_delta, dict):
        return {level: decoded(anchor, boxes_delta[level]) for level, anchor in anchors.items()}
    return decoded(anchors, boxes_delta)
