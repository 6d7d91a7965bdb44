"""Mosaics of four images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import random, registry
from jaxkeras.layers.preprocessing.image import bounding_boxes as boxes_of
from jaxkeras.layers.preprocessing.image.image_layer import ImageLayer, each

Array = jax.Array


@registry.register("keras.layers")
class Mosaic(ImageLayer):
    """Joins four images around a random point, while training (Bochkovskiy et al., 2020).

    Each image is joined with three others of the batch, drawn at random. The corners that meet at the point are kept,
    so the size stays.

    Args:
        offset: range, as fractions of width and height, that the point is drawn from: two numbers in [0, 1].
        seed: an integer, or None.
        bounding_box_format: format of the boxes; needed if there are any.
        data_format: `"channels_last"` or `"channels_first"`.

    Called on a dict `{"images": ..., "labels": ...}` with one-hot labels, which are mixed by area. There are four times
    as many bounding boxes in the result; those that are not in the mosaic have the label -1.

    Example:

    >>> data = {"images": jnp.ones((2, 4, 4, 3)), "labels": jnp.eye(2)}
    >>> Mosaic(seed=1)(data)["labels"].shape
    (2, 2)
    """

    moves = True

    def __init__(
        self,
        offset: Sequence[float] = (0.25, 0.75),
        seed: int | None = None,
        bounding_box_format: str | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, data_format=data_format, bounding_box_format=bounding_box_format, **kwargs)
        if not isinstance(offset, (tuple, list)) or len(offset) != 2 or not 0 <= offset[0] <= offset[1] <= 1:
            raise ValueError(f"`offset` of layer '{self.name}' must be a range in [0, 1], two numbers; got {offset!r}.")
        self.offset: tuple[float, float] = (offset[0], offset[1])

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        (height, width), count = self._size(images), len(images)
        others = random.randint((count, 3), 0, count, seed=seed)
        low, high = self.offset
        point = random.uniform((count, 2), low, high, seed=seed)
        x, y = jnp.round(point[:, 0] * width), jnp.round(point[:, 1] * height)
        areas = [x * y, (width - x) * y, x * (height - y), (width - x) * (height - y)]
        return {
            # Of top left, top right, bottom left and bottom right.
            "permutation_order": jnp.concatenate([jnp.arange(count)[:, None], others], axis=1),
            "mix_weight": jnp.stack(areas, axis=1) / (height * width),
            "center_x": x.astype("int32"),
            "center_y": y.astype("int32"),
        }

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        (height, width), (down, across) = self._size(images), self.spatial_axes
        x, y, order = (transformation[key] for key in ("center_x", "center_y", "permutation_order"))

        def positions(axis: int, length: int) -> Array:
            shape = [1] * images.ndim
            shape[axis] = length
            return jnp.arange(length).reshape(shape)

        # Pixels of the corner that meets the point, before the images are rolled there.
        top, left = positions(down, height) >= height - each(y), positions(across, width) >= width - each(x)
        parts = [images[order[:, i]] for i in range(4)]
        joined = jnp.where(top, jnp.where(left, parts[0], parts[1]), jnp.where(left, parts[2], parts[3]))
        return jax.vmap(lambda image, *shift: jnp.roll(image, shift, (down, across)))(joined, y, x)

    def transform_labels(self, labels: Array, transformation: Any, training: bool = True) -> Array:
        """Mix the labels of four images by their area."""
        if not self._works(transformation, training):
            return labels
        weights = transformation["mix_weight"].reshape(-1, 4, *(1,) * (labels.ndim - 1))
        return jnp.sum(weights * labels[transformation["permutation_order"]], axis=1)

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool = True, size: tuple[int, int] | None = None
    ) -> Any:
        if not self._works(transformation, training):
            return bounding_boxes
        if size is None:
            raise ValueError(f"Layer '{self.name}' needs the `size` of the images, (height, width), to move boxes.")
        (height, width), written = size, self._box_format()
        found = boxes_of.convert_format(bounding_boxes, written, "xyxy", height, width)
        x, y, order = (transformation[key] for key in ("center_x", "center_y", "permutation_order"))
        boxes, zero = [], jnp.zeros_like(x)
        for i, (rows, columns) in enumerate(((y - height, x - width), (y - height, x), (y, x - width), (y, x))):
            low = jnp.stack([x if i % 2 else zero, y if i > 1 else zero] * 2, axis=-1)
            high = jnp.stack([zero + width if i % 2 else x, zero + height if i > 1 else y] * 2, axis=-1)
            moved = found["boxes"][order[:, i]] + jnp.stack([columns, rows] * 2, axis=-1)[:, None]
            boxes.append(jnp.clip(moved, low[:, None], high[:, None]))
        labels = [found["labels"][order[:, i]] for i in range(4)]
        joined = {"boxes": jnp.concatenate(boxes, axis=1), "labels": jnp.concatenate(labels, axis=1)}
        joined = boxes_of.clip_to_image_size(joined, height, width)
        return boxes_of.convert_format(joined, "xyxy", written, height, width)
