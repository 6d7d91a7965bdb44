"""Random flips."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import random, registry
from jaxkeras.layers.preprocessing.image.image_layer import ImageLayer

Array = jax.Array
_FLIPS = {"horizontal": (False, True), "vertical": (True, False), "horizontal_and_vertical": (True, True)}


@registry.register("keras.layers")
class RandomFlip(ImageLayer):
    """Mirrors each image with probability 0.5 while training.

    Args:
        mode: "horizontal" (left and right), "vertical", or "horizontal_and_vertical" (both together).
        seed: an integer, or None.
        data_format: `"channels_last"` or `"channels_first"`.

    Example:

    >>> RandomFlip(seed=1)(jnp.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    moves = True

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        if mode not in _FLIPS:
            raise registry.unknown("mode of RandomFlip", mode, _FLIPS)
        self.mode = mode

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        return {"flips": random.uniform((len(images), 1, 1, 1), seed=seed) <= 0.5}

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        axes = [axis for axis, flips in zip(self.spatial_axes, _FLIPS[self.mode]) if flips]
        return jnp.where(transformation["flips"], jnp.flip(images, axes), images)

    def move_boxes(self, boxes: Array, transformation: Any, height: int, width: int) -> Array:
        down, across = _FLIPS[self.mode]
        x0, y0, x1, y1 = jnp.moveaxis(boxes, -1, 0)
        x0, x1 = (width - x1, width - x0) if across else (x0, x1)
        y0, y1 = (height - y1, height - y0) if down else (y0, y1)
        return jnp.where(transformation["flips"][:, 0], jnp.stack([x0, y0, x1, y1], axis=-1), boxes)
