"""Layers that change the size of images."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import random, registry
from jaxkeras.core.seeds import make_default_seed
from jaxkeras.layers.preprocessing.image.image_layer import ImageLayer
from jaxkeras.ops.image import resize

Array = jax.Array


class _ToSize(ImageLayer):
    """A layer whose output has the size `(height, width)`."""

    moves = True
    always = True

    def __init__(self, height: int, width: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.height, self.width = height, width

    def size_after(self, height: int, width: int) -> tuple[int, int]:
        return self.height, self.width

    def _cut(self, images: Array, top: Any, left: Any) -> Array:
        """Crop the window with this corner, which may be traced."""
        down, across = self.spatial_axes
        rows = jax.lax.dynamic_slice_in_dim(images, top, self.height, images.ndim + down)
        return jax.lax.dynamic_slice_in_dim(rows, left, self.width, images.ndim + across)

    def _window(self, height: int, width: int) -> tuple[int, int, int, int]:
        """The largest centered window with the aspect ratio of the target: top, left, height, width."""
        tall = max(min(height, int(width * self.height / self.width)), 1)
        wide = max(min(width, int(height * self.width / self.height)), 1)
        return (height - tall) // 2, (width - wide) // 2, tall, wide

    def _fit(self, images: Array, interpolation: str) -> Array:
        return resize(
            images, (self.height, self.width), interpolation, crop_to_aspect_ratio=True, data_format=self.data_format
        )

    def _fit_boxes(self, boxes: Array, height: int, width: int) -> Array:
        top, left, tall, wide = self._window(height, width)
        shift = jnp.asarray([left, top, left, top], boxes.dtype)
        unit = jnp.asarray([self.width / wide, self.height / tall] * 2, boxes.dtype)
        return (boxes - shift) * unit


@registry.register("keras.layers")
class CenterCrop(_ToSize):
    """Crops images to their center. Images that are too small are cropped to the aspect ratio and enlarged.

    Args:
        height, width: size of the result.
        data_format: `"channels_last"` or `"channels_first"`.

    Example:

    >>> CenterCrop(2, 2)(jnp.ones((4, 4, 3))).shape
    (2, 2, 3)
    """

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any):
        super().__init__(height, width, data_format=data_format, **kwargs)

    def _corner(self, height: int, width: int) -> tuple[int, int] | None:
        fits = height >= self.height and width >= self.width
        return ((height - self.height) // 2, (width - self.width) // 2) if fits else None

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        corner = self._corner(*self._size(images))
        return self._fit(images, interpolation or "bilinear") if corner is None else self._cut(images, *corner)

    def move_boxes(self, boxes: Array, transformation: Any, height: int, width: int) -> Array:
        corner = self._corner(height, width)
        if corner is None:
            return self._fit_boxes(boxes, height, width)
        return boxes - jnp.asarray([corner[1], corner[0]] * 2, boxes.dtype)


@registry.register("keras.layers")
class Resizing(_ToSize):
    """Resizes images.

    Args:
        height, width: size of the result.
        interpolation: "bilinear", "nearest", "bicubic", "lanczos3" or "lanczos5".
        crop_to_aspect_ratio: whether to crop images to the new aspect ratio instead of distorting them.
        pad_to_aspect_ratio: whether to pad images to the new aspect ratio instead.
        fill_mode: "constant".
        fill_value: value of the padding.
        antialias: whether to smooth before downsampling.
        data_format: `"channels_last"` or `"channels_first"`.

    The dtype of images is preserved.

    Example:

    >>> Resizing(2, 3)(jnp.ones((1, 4, 4, 3))).shape
    (1, 2, 3, 3)
    """

    keeps_dtype = True

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(height, width, data_format=data_format, **kwargs)
        self.interpolation, self.antialias = interpolation, bool(antialias)
        self.crop_to_aspect_ratio, self.pad_to_aspect_ratio = crop_to_aspect_ratio, pad_to_aspect_ratio
        self.fill_mode, self.fill_value = fill_mode, fill_value

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        return resize(
            images, (self.height, self.width), interpolation or self.interpolation, self.antialias,
            self.crop_to_aspect_ratio, self.pad_to_aspect_ratio, self.fill_mode, self.fill_value, self.data_format,
        )  # fmt: skip

    def move_boxes(self, boxes: Array, transformation: Any, height: int, width: int) -> Array:
        across, down = self.width / width, self.height / height
        shift = (0.0, 0.0)
        if self.crop_to_aspect_ratio:  # as in Keras by whole pixels of the result, the images by those of the input
            across = down = max(across, down)
            shift = -((width * across - self.width) // 2), -((height * down - self.height) // 2)
        elif self.pad_to_aspect_ratio:
            across = down = min(across, down)
            shift = (self.width - width * across) // 2, (self.height - height * down) // 2
        # Rows of zeros are padding.
        absent = jnp.all(boxes == 0, axis=-1, keepdims=True)
        moved = boxes * jnp.asarray([across, down] * 2, boxes.dtype) + jnp.asarray(shift * 2, boxes.dtype)
        return jnp.where(absent, boxes, moved)


@registry.register("keras.layers")
class RandomCrop(_ToSize):
    """Crops a batch at one random position while training, and at the center otherwise.

    Images that are too small are cropped to the aspect ratio and enlarged.

    Args:
        height, width: size of the result.
        seed: an integer, or None.
        data_format: `"channels_last"` or `"channels_first"`.

    Example:

    >>> RandomCrop(2, 2)(jnp.ones((1, 4, 4, 3))).shape
    (1, 2, 2, 3)
    """

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        seed = make_default_seed() if seed is None else seed
        super().__init__(height, width, seed=seed, data_format=data_format, name=name, **kwargs)

    def draw(self, images: Array, seed: Any) -> Any:
        height, width = self._size(images)
        if height <= self.height or width <= self.width:
            return None
        return tuple(
            random.uniform((), 0, float(size - target + 1), seed=seed).astype("int32")
            for size, target in ((height, self.height), (width, self.width))
        )

    def _corner(self, transformation: Any, height: int, width: int) -> Any:
        if transformation is None and height >= self.height and width >= self.width:
            return (height - self.height) // 2, (width - self.width) // 2
        return transformation

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        corner = self._corner(transformation, *self._size(images))
        return self._fit(images, interpolation or "bilinear") if corner is None else self._cut(images, *corner)

    def move_boxes(self, boxes: Array, transformation: Any, height: int, width: int) -> Array:
        corner = self._corner(transformation, height, width)
        if corner is None:
            return self._fit_boxes(boxes, height, width)
        top, left = corner
        return boxes - jnp.stack([jnp.asarray(x, boxes.dtype) for x in (left, top, left, top)])
