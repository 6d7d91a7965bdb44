"""Random blur, erasing and mixing of images, and padding of bounding boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import random, registry
from jaxkeras.layers._base.arguments import tuple_of
from jaxkeras.layers.preprocessing.image.image_layer import ImageLayer, each, interval, value_range_of
from jaxkeras.ops.image import gaussian_blur

Array = jax.Array


@registry.register("keras.layers")
class RandomGaussianBlur(ImageLayer):
    """Blurs some images by a Gaussian, at random, while training.

    Args:
        factor: the probability: a number, or two for a range that it is drawn from.
        kernel_size: width and height of the kernel: an odd number, or two.
        sigma: standard deviations: a number s for `[0, s]`, or two numbers, in [0, 1].
        value_range: the lowest and highest pixel value.
        data_format: `"channels_last"` or `"channels_first"`.
        seed: an integer, or None.

    Example:

    >>> RandomGaussianBlur(seed=1)(jnp.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        factor: Any = 1.0,
        kernel_size: int | Sequence[int] = 3,
        sigma: Any = 1.0,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor, self.sigma = interval(factor, "factor", 0, 1), interval(sigma, "sigma", 0, 1)
        sizes = tuple_of(kernel_size, 2, "kernel_size")
        if any(size % 2 != 1 for size in sizes):
            raise ValueError(f"`kernel_size` of layer '{self.name}' must be an odd number or two; got {kernel_size!r}.")
        value_range_of(value_range)
        self.kernel_size, self.value_range = sizes, value_range

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        chosen = self._chosen(images, self.factor, seed)
        sigma = random.uniform((2,), *self.sigma, dtype=self.compute_dtype, seed=seed) + 1e-6
        return {"should_apply_blur": chosen, "blur_factor": sigma}

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        smooth = gaussian_blur(images, self.kernel_size, transformation["blur_factor"], self.data_format)
        images = jnp.where(each(transformation["should_apply_blur"]), smooth.astype(images.dtype), images)
        return jnp.clip(images, *self.value_range)


class _Rectangles(ImageLayer):
    """A layer that changes a rectangle of each image."""

    def _span(self, count: int, length: int, share: Array, seed: Any) -> tuple[Array, Array]:
        """Start and end of random intervals, whose sizes are the given fractions of a length."""
        size = (share * length).astype(self.compute_dtype)
        start = random.uniform((count,), dtype=self.compute_dtype, seed=seed) * (length - size)
        return start, start + size

    def _inside(self, images: Array, across: tuple[Array, Array], down: tuple[Array, Array]) -> Array:
        """A mask of the pixels inside the rectangle, in the shape of the images."""
        inside = True
        for axis, (start, end) in zip(self.spatial_axes, (down, across)):
            shape = [1] * 4
            shape[axis] = images.shape[axis]
            positions = jnp.arange(images.shape[axis], dtype=self.compute_dtype).reshape(shape)
            inside = inside & (positions >= each(start)) & (positions < each(end))
        return jnp.broadcast_to(inside, images.shape)


@registry.register("keras.layers")
class RandomErasing(_Rectangles):
    """Replaces a rectangle of some images by noise or a color, at random, while training (Zhong et al., 2017).

    Args:
        factor: the probability: a number, or two for a range that it is drawn from.
        scale: the square of the fraction of height and width to erase: a number s for `[0, s]`, or two numbers.
        fill_value: a number, or one for each of three channels; defaults to noise.
        value_range: the lowest and highest pixel value.
        seed: an integer, or None.
        data_format: `"channels_last"` or `"channels_first"`.

    Example:

    >>> RandomErasing(seed=1)(jnp.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = (0.02, 0.33),
        fill_value: Any = None,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor, self.scale = interval(factor, "factor", 0, 1), interval(scale, "scale", 0, 1)
        if not (fill_value is None or isinstance(fill_value, (int, float)) or len(fill_value) == 3):
            raise ValueError(f"`fill_value` of layer '{self.name}' must be a number or three; got {fill_value!r}.")
        value_range_of(value_range)
        self.fill_value, self.value_range = fill_value, value_range

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        (height, width), count = self._size(images), len(images)
        shares = jnp.sqrt(random.uniform((count, 2), *self.scale, dtype=self.compute_dtype, seed=seed))
        across = self._span(count, width, shares[:, 0], seed)
        down = self._span(count, height, shares[:, 1], seed)
        chosen = self._chosen(images, self.factor, seed)
        if self.fill_value is None:
            fill = random.normal(images.shape, dtype=self.compute_dtype, seed=seed) * self.value_range[1]
        else:
            fill = jnp.asarray(self.fill_value, self.compute_dtype)
            fill = fill.reshape(-1, 1, 1) if self.data_format == "channels_first" and fill.ndim else fill
        fill = jnp.broadcast_to(jnp.clip(fill, *self.value_range), images.shape)
        return {"apply_erasing": chosen, "batch_masks": self._inside(images, across, down), "fill_value": fill}

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        erased = transformation["batch_masks"] & each(transformation["apply_erasing"])
        return jnp.where(erased, jnp.asarray(transformation["fill_value"], images.dtype), images)


def _no_boxes(self: ImageLayer, *args: Any, **kwargs: Any) -> Any:
    raise NotImplementedError(f"{type(self).__name__} does not support bounding boxes; leave them out.")


@registry.register("keras.layers")
class CutMix(_Rectangles):
    """Replaces a rectangle of each image by that of another and mixes their labels, while training (Yun et al., 2019).

    Args:
        factor: the parameter of the beta distribution that the area is drawn from: a number f for
            `[0, f]`, or two for a range, in [0, 1].
        seed: an integer, or None.
        data_format: `"channels_last"` or `"channels_first"`.

    Called on a dict `{"images": ..., "labels": ...}` with one-hot labels.

    Example:

    >>> data = {"images": jnp.ones((2, 4, 4, 3)), "labels": jnp.eye(2)}
    >>> CutMix(seed=1)(data)["labels"].shape
    (2, 2)
    """

    moves = True
    transform_bounding_boxes = _no_boxes

    def __init__(self, factor: Any = 1.0, seed: int | None = None, data_format: str | None = None, **kwargs: Any):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = interval(factor, "factor", 0, 1)

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        (height, width), count, dtype = self._size(images), len(images), self.compute_dtype
        alpha = random.uniform((), *self.factor, dtype=dtype, seed=seed) + 1e-6
        share = jnp.sqrt(1.0 - random.beta((count,), alpha, alpha, dtype=dtype, seed=seed))
        across = self._span(count, width, share, seed)
        down = self._span(count, height, share, seed)
        area = (across[1] - across[0]) * (down[1] - down[0])
        return {
            "permutation_order": random.shuffle(jnp.arange(count), seed=seed),
            "batch_masks": self._inside(images, across, down),
            "mix_weight": each(1.0 - area / (width * height)),
        }

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        inside = transformation["batch_masks"]
        if interpolation:  # masks have other channels than images
            inside = jnp.take(inside, jnp.array([0]), axis=self.channel_axis)
        return jnp.where(inside, images[transformation["permutation_order"]], images)

    def transform_labels(self, labels: Array, transformation: Any, training: bool = True) -> Array:
        return _mixed(labels, transformation) if self._works(transformation, training) else labels


def _mixed(x: Array, transformation: Any, rank: int | None = None) -> Array:
    """The weighted mean of each item and its partner."""
    weight = jnp.asarray(transformation["mix_weight"]).reshape(-1, *(1,) * ((rank or x.ndim) - 1))
    return weight * x + (1.0 - weight) * x[jnp.asarray(transformation["permutation_order"])]


@registry.register("keras.layers")
class MixUp(ImageLayer):
    """Blends each image and its labels with another one of the batch while training (Zhang et al., 2018).

    Args:
        alpha: parameter of the beta distribution that the weights are drawn from.
        data_format: `"channels_last"` or `"channels_first"`.
        seed: an integer, or None.

    Called on a dict `{"images": ..., "labels": ...}` with one-hot labels. Boxes of both images are kept.

    Example:

    >>> data = {"images": jnp.ones((2, 4, 4, 3)), "labels": jnp.eye(2)}
    >>> MixUp(seed=1)(data)["labels"].shape
    (2, 2)
    """

    def __init__(self, alpha: float = 0.2, data_format: str | None = None, seed: int | None = None, **kwargs: Any):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.alpha = alpha

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        order = random.shuffle(jnp.arange(len(images)), seed=seed)
        weight = random.beta((len(images),), self.alpha, self.alpha, seed=seed)
        return {"mix_weight": weight, "permutation_order": order}

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        return _mixed(images, transformation, rank=4)

    def transform_labels(self, labels: Array, transformation: Any, training: bool = True) -> Array:
        return _mixed(labels, transformation) if self._works(transformation, training) else labels

    def transform_segmentation_masks(
        self, segmentation_masks: Array, transformation: Any, training: bool = True
    ) -> Array:
        return self.transform_labels(segmentation_masks, transformation, training)

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool = True, size: tuple[int, int] | None = None
    ) -> Any:
        if not self._works(transformation, training):
            return bounding_boxes
        order = transformation["permutation_order"]
        pairs = ((k, jnp.asarray(bounding_boxes[k])) for k in ("boxes", "labels"))
        return {k: jnp.concatenate([x, x[order]], axis=min(1, x.ndim - 1)) for k, x in pairs}


@registry.register("keras.layers")
class MaxNumBoundingBoxes(ImageLayer):
    """Gives each image the same number of bounding boxes, by dropping or padding.

    Args:
        max_number: number of boxes per image.
        fill_value: value of padded boxes and labels.

    Example:

    >>> boxes = {"boxes": jnp.ones((1, 1, 4)), "labels": jnp.ones((1, 1))}
    >>> layer = MaxNumBoundingBoxes(3, bounding_box_format="xyxy")
    >>> layer({"images": jnp.ones((1, 4, 4, 3)), "bounding_boxes": boxes})["bounding_boxes"]["labels"].tolist()
    [[1.0, -1.0, -1.0]]
    """

    always = True

    def __init__(self, max_number: int, fill_value: int = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.max_number, self.fill_value = int(max_number), int(fill_value)

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        return images

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool = True, size: tuple[int, int] | None = None
    ) -> Any:
        def sized(x: Array) -> Array:
            missing = max(self.max_number - x.shape[1], 0)
            margins = [(0, 0), (0, missing), *[(0, 0)] * (x.ndim - 2)]
            return jnp.pad(x[:, : self.max_number], margins, constant_values=self.fill_value)

        return {**bounding_boxes, **{k: sized(bounding_boxes[k]) for k in ("boxes", "labels")}}
