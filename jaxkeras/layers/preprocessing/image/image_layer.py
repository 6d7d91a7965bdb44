"""The base class of image preprocessing layers, and checks of factors and value ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import random
from jaxkeras.core.config import standardize_data_format
from jaxkeras.core.seeds import SeedGenerator
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.preprocessing.image import bounding_boxes as boxes_of

Array = jax.Array
_UNSEEDED = object()


class KeyStream(SeedGenerator):
    """Keys derived from one key, for draws inside a branch, where no seed state can be updated."""

    def __init__(self, key: Array):
        self._key, self._count = key, 0

    def next(self, ordered: bool = True) -> Array:
        self._count += 1
        return jax.random.fold_in(self._key, self._count)


class ImageLayer(Layer):
    """A layer over an image `(height, width, channels)`, a batch of images, or a dict with labels, boxes or masks.

    A subclass draws random numbers in `draw` and transforms a batch in `change`. It runs on the device, on the whole
    batch; each image has its own random numbers.

    Attributes:
        always: whether the layer is also active outside of training.
        moves: whether pixels move, so that boxes and masks must be moved too.
        keeps_dtype: whether integer images stay integers.
    """

    always = False
    moves = False
    keeps_dtype = False
    _allow_non_tensor_positional_args = True

    def __init__(
        self,
        seed: Any = _UNSEEDED,
        data_format: str | None = None,
        bounding_box_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.bounding_box_format = bounding_box_format
        if seed is not _UNSEEDED:
            self.seed = seed
            self.generator = SeedGenerator(seed)

    # -- for subclasses to override -----------------------------------------------------------------------------------
    def draw(self, images: Array, seed: Any) -> dict[str, Any] | None:
        """The random numbers for a batch of images."""
        return {}

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        """Transform a batch of images. `interpolation` is "nearest" for segmentation masks, else None."""
        raise NotImplementedError

    def move_boxes(self, boxes: Array, transformation: Any, height: int, width: int) -> Array:
        """Move boxes `(batch, count, 4)`, in the format xyxy, like the pixels."""
        raise NotImplementedError

    def size_after(self, height: int, width: int) -> tuple[int, int]:
        """The size of a transformed image."""
        return height, width

    # -- the parts of a call -------------------------------------------------------------------------------------
    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The random numbers for a batch.

        Args:
            data: images, or a dict that holds them.
            training: whether to draw any.
            seed: used instead of the layer's own generator.
        """
        if not training:
            return None
        images = data["images"] if isinstance(data, dict) else data
        transformation = self.draw(images, getattr(self, "generator", None) if seed is None else seed)
        if self.moves and isinstance(transformation, dict):
            transformation["input_shape"] = tuple(images.shape)  # for boxes that are transformed without images
        return transformation

    def transform_images(self, images: Array, transformation: Any = None, training: bool = True) -> Array:
        """Transform a batch of images."""
        if not self.keeps_dtype:
            images = images.astype(self.compute_dtype)
        if not self._works(transformation, training):
            return images
        result = self.change(images, transformation)
        return result if self.keeps_dtype else result.astype(self.compute_dtype)

    def transform_labels(self, labels: Array, transformation: Any, training: bool = True) -> Array:
        """Transform the labels of a batch; unchanged unless overridden."""
        return labels

    def transform_segmentation_masks(
        self, segmentation_masks: Array, transformation: Any, training: bool = True
    ) -> Array:
        """Transform the segmentation masks of a batch like the images."""
        if not self.moves or not self._works(transformation, training):
            return segmentation_masks
        return self.change(segmentation_masks, transformation, "nearest")

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool = True, size: tuple[int, int] | None = None
    ) -> Any:
        """Transform the boxes of a batch like the images.

        Args:
            bounding_boxes: dict of `"boxes"` and `"labels"`.
            transformation: the result of `get_random_transformation`.
            training: the `training` argument of the call.
            size: height and width of the images; defaults to those of the images that the transformation was drawn for.
        """
        if not self.moves or not self._works(transformation, training):
            return bounding_boxes
        if size is None and isinstance(transformation, dict) and "input_shape" in transformation:
            down, across = self.spatial_axes
            size = int(transformation["input_shape"][down]), int(transformation["input_shape"][across])
        if size is None:
            raise ValueError(
                f"Layer '{self.name}' needs the size of the images to transform bounding boxes: give "
                "`size=(height, width)`."
            )
        if np.ndim(bounding_boxes["boxes"]) == 2:  # of one image
            one = {**bounding_boxes, **{k: jnp.asarray(bounding_boxes[k])[None] for k in ("boxes", "labels")}}
            moved = self.transform_bounding_boxes(one, transformation, training, size)
            return {**moved, **{k: moved[k][0] for k in ("boxes", "labels")}}
        (height, width), written = size, self._box_format()
        found = boxes_of.convert_format(bounding_boxes, written, "xyxy", height, width)
        found["boxes"] = self.move_boxes(found["boxes"], transformation, height, width)
        height, width = self.size_after(height, width)
        found = boxes_of.clip_to_image_size(found, height, width)
        return boxes_of.convert_format(found, "xyxy", written, height, width)

    def _works(self, transformation: Any, training: bool) -> bool:
        return self.always or (bool(training) and transformation is not None)

    def call(self, data: Any, training: bool = True) -> Any:
        given = data if isinstance(data, dict) else {"images": data}
        images = jnp.asarray(given["images"])
        if images.ndim not in (3, 4):
            raise ValueError(
                f"Layer '{self.name}' takes an image (3 axes) or a batch of images (4 axes); got shape {images.shape}."
            )
        given = {**given, "images": images}
        given.update({k: jnp.asarray(given[k]) for k in ("labels", "segmentation_masks") if k in given})
        if "bounding_boxes" in given:
            self._box_format()
            given["bounding_boxes"] = boxes_of.dense(given["bounding_boxes"])
        if images.ndim == 3:
            one = self._call_batch(jax.tree.map(lambda x: x[None], given), training)
            result = jax.tree.map(lambda x: x[0], one)
        else:
            result = self._call_batch(given, training)
        return result if isinstance(data, dict) else result["images"]

    def _call_batch(self, data: dict[str, Any], training: bool) -> dict[str, Any]:
        images = data["images"]
        transformation = self.get_random_transformation(data, training)
        result = {**data, "images": self.transform_images(images, transformation, training)}
        for key, change in (
            ("labels", self.transform_labels),
            ("segmentation_masks", self.transform_segmentation_masks),
        ):
            if key in data:
                result[key] = change(data[key], transformation, training)
        if "bounding_boxes" in data:
            result["bounding_boxes"] = self.transform_bounding_boxes(
                data["bounding_boxes"], transformation, training, self._size(images)
            )
        return result

    # -- helpers -------------------------------------------------------------------------------------------------
    @property
    def spatial_axes(self) -> tuple[int, int]:
        """The axes of height and width."""
        return (-2, -1) if self.data_format == "channels_first" else (-3, -2)

    @property
    def channel_axis(self) -> int:
        return -3 if self.data_format == "channels_first" else -1

    def _size(self, images: Array) -> tuple[int, int]:
        down, across = self.spatial_axes
        return images.shape[down], images.shape[across]

    def _box_format(self) -> str:
        if not self.bounding_box_format:
            raise ValueError(
                f"Layer '{self.name}' was given bounding boxes, but no format for them: give the layer "
                "bounding_box_format='xyxy' or another format."
            )
        return self.bounding_box_format

    def _chosen(self, images: Array, factor: tuple[float, float], seed: Any) -> Array:
        """Choose the images to transform, with a probability drawn from `factor`."""
        probability = random.uniform((len(images),), *factor, seed=seed)
        return random.uniform((len(images),), seed=seed) < probability

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "data_format": self.data_format}
        if self.bounding_box_format is not None:
            config["bounding_box_format"] = self.bounding_box_format
        return config


def each(x: Array) -> Array:
    """Reshape one number per image to broadcast with a batch of images."""
    return x.reshape(-1, 1, 1, 1)


def interval(
    factor: Any, name: str, low: float, high: float, two_sided: bool = True, strict: bool = False
) -> tuple[float, float]:
    """The range that a factor is drawn from.

    Args:
        factor: a number f, for `[-f, f]` (clipped at `low`), or two numbers.
        name: the name of the argument, for the error message.
        low, high: the allowed range.
        two_sided: whether a single number f means `[-f, f]` instead of `[0, f]`.
        strict: whether both of two numbers must be in the allowed range; else it is enough that the ranges overlap.

    Raises:
        ValueError: for anything else.
    """
    pair = isinstance(factor, (tuple, list)) and len(factor) == 2
    numbers: list[Any] = list(factor) if pair else [factor]
    right = all(isinstance(x, (int, float)) for x in numbers) and (
        all(low <= x <= high for x in numbers) if strict or not pair else min(numbers) <= high and max(numbers) >= low
    )
    if not right:
        raise ValueError(f"`{name}` must be a number or two numbers in [{low}, {high}]; got {factor!r}.")
    if pair:
        first, last = sorted(numbers)  # stable: 0 and 0.0 keep their places
        return first, last
    size = abs(numbers[0])
    return (max(-size, low) + 0 if two_sided else 0), size  # + 0: not -0.0


def value_range_of(value_range: Any) -> list[float]:
    """The lowest and the highest pixel value.

    Raises:
        ValueError: if it is not two numbers.
    """
    if not isinstance(value_range, (tuple, list)) or len(value_range) != 2:
        raise ValueError(f"`value_range` must be two numbers, such as (0, 255); got {value_range!r}.")
    return sorted(value_range)


def rescale(images: Array, source: Sequence[float], target: Sequence[float]) -> Array:
    """Map values from the range `source` to the range `target`."""
    if tuple(source) == tuple(target):
        return images
    return (images - source[0]) / (source[1] - source[0]) * (target[1] - target[0]) + target[0]
