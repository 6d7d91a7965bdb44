"""Random changes of color while training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import lowering, random, registry
from jaxkeras.core import config
from jaxkeras.layers.preprocessing.image.image_layer import ImageLayer, each, interval, rescale, value_range_of
from jaxkeras.ops.image import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv

Array = jax.Array


class _Factor(ImageLayer):
    """A color change whose strength is drawn from the range `factor` for each image."""

    bounds = (-1, 1)
    sorts_value_range = True  # else the config holds the argument as given

    def __init__(self, factor: Any, value_range: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self._set_factor(factor)
        ordered = value_range_of(value_range)
        self.value_range = ordered if self.sorts_value_range else value_range

    def _set_factor(self, factor: Any) -> None:
        self.factor = interval(factor, "factor", *self.bounds)

    def _clip(self, images: Array) -> Array:
        return jnp.clip(images, *self.value_range)

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        return {"factor": random.uniform((len(images),), *self.factor, seed=seed)}


@registry.register("keras.layers")
class RandomBrightness(_Factor):
    """Adds a random number to each image while training.

    Args:
        factor: the number, as a fraction of the value range: a number f for `[-f, f]`, or two numbers, in [-1, 1].
        value_range: the lowest and highest pixel value.
        seed: an integer, or None.

    Example:

    >>> RandomBrightness(0.1, seed=1)(jnp.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any):
        super().__init__(factor, value_range, seed=seed, **kwargs)

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        low, high = self.value_range
        return {"rgb_delta": random.uniform((len(images), 1, 1, 1), *self.factor, seed=seed) * (high - low)}

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        return self._clip(images + transformation["rgb_delta"].astype(images.dtype))


@registry.register("keras.layers")
class RandomContrast(_Factor):
    """Changes the contrast of each image at random while training, relative to the mean of each channel.

    Args:
        factor: two numbers (l, u) for contrasts in `[1 - l, 1 + u]`, or a number f for `[1, 1 + f]`.
        value_range: the lowest and highest pixel value.
        seed: an integer, or None.

    Example:

    >>> RandomContrast(0.1, seed=1)(jnp.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    bounds = (0, 1)
    sorts_value_range = False

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any):
        super().__init__(factor, value_range, seed=seed, **kwargs)

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        bounds = 1.0 - self.factor[0], 1.0 + self.factor[1]
        return {
            "contrast_factor": random.uniform((len(images), 1, 1, 1), *bounds, dtype=self.compute_dtype, seed=seed)
        }

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        mean = jnp.mean(images, axis=self.spatial_axes, keepdims=True)
        return self._clip((images - mean) * transformation["contrast_factor"].astype(images.dtype) + mean)


@registry.register("keras.layers")
class RandomHue(_Factor):
    """Rotates the hue of each image at random while training.

    Args:
        factor: the rotation, where 1 is half a turn either way: a number f for `[0, f]`, or two numbers, in [0, 1].
        value_range: the lowest and highest pixel value.
        data_format: `"channels_last"` or `"channels_first"`.
        seed: an integer, or None.

    Example:

    >>> RandomHue(0.1, seed=1)(jnp.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    bounds = (0, 1)
    sorts_value_range = False

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(factor, value_range, seed=seed, data_format=data_format, **kwargs)

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        sign = jnp.where(random.uniform((len(images),), seed=seed) > 0.5, -1.0, 1.0)
        return {"factor": sign * random.uniform((len(images),), *self.factor, seed=seed) * 0.5}

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        def turned(hue: Array) -> Array:
            hue = hue + transformation["factor"].astype(hue.dtype)[:, None, None]
            hue = jnp.where(hue > 1, hue - 1, hue)
            return jnp.where(hue < 0, hue + 1, hue)

        images = rescale(images, self.value_range, (0, 1))
        images = _with_hsv(images, self.data_format, 0, turned)
        return rescale(jnp.clip(images, 0, 1), (0, 1), self.value_range)


def _with_hsv(images: Array, data_format: str, index: int, change: Callable[[Array], Array]) -> Array:
    """Change the hue (0), saturation (1) or value (2) of images."""
    axis = -3 if data_format == "channels_first" else -1
    planes = [jnp.take(rgb_to_hsv(images, data_format), i, axis=axis) for i in range(3)]
    planes[index] = change(planes[index])
    return hsv_to_rgb(jnp.stack(planes, axis=axis), data_format)


@registry.register("keras.layers")
class RandomSaturation(_Factor):
    """Changes the saturation of each image at random while training.

    Args:
        factor: two numbers, or a number f for `[-f, f]`; 0.5 leaves images unchanged, 0 or less makes them gray, 1
            fully saturated.
        value_range: the lowest and highest pixel value.
        data_format: `"channels_last"` or `"channels_first"`.
        seed: an integer, or None.

    Example:

    >>> RandomSaturation((0.4, 0.6), seed=1)(jnp.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(factor, value_range, seed=seed, data_format=data_format, **kwargs)

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        factor = super().draw(images, seed)["factor"]
        return {"factor": factor / (1 - factor + config.epsilon())}

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        factor = transformation["factor"].astype(images.dtype)[:, None, None]
        return _with_hsv(images, self.data_format, 1, lambda s: self._clip(s * factor))


@registry.register("keras.layers")
class RandomColorDegeneration(_Factor):
    """Blends each image with its grayscale version while training.

    Args:
        factor: the weight of the grayscale version: a number f for `[-f, f]`, or two numbers; 1 is gray, 0 unchanged.
        value_range: the lowest and highest pixel value.
        data_format: `"channels_last"` or `"channels_first"`.
        seed: an integer, or None.

    Example:

    >>> RandomColorDegeneration(0.5, seed=1)(jnp.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(factor, value_range, seed=seed, data_format=data_format, **kwargs)

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        return {"factor": each(super().draw(images, seed)["factor"])}

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        gray = rgb_to_grayscale(images, self.data_format)
        return self._clip(images + transformation["factor"].astype(images.dtype) * (gray - images))


@registry.register("keras.layers")
class RandomSharpness(_Factor):
    """Smooths or sharpens each image at random while training.

    Args:
        factor: a number f for `[0, f]`, or two numbers, in [0, 1]; 0 smooths, 0.5 leaves images unchanged, 1 sharpens.
        value_range: the lowest and highest pixel value.
        data_format: `"channels_last"` or `"channels_first"`.
        seed: an integer, or None.

    Example:

    >>> RandomSharpness(0.5, seed=1)(jnp.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    bounds = (0, 1)

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(factor, value_range, seed=seed, data_format=data_format, **kwargs)

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        channels = images.shape[self.channel_axis]
        window = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
        kernel = jnp.asarray(np.tile(window[:, :, None, None], (1, 1, channels, 1)), images.dtype)
        smooth = lowering.depthwise_conv(images, kernel, 1, "same", self.data_format)
        factor = each(transformation["factor"].astype(images.dtype) * 2)
        return self._clip(images + (1 - factor) * (smooth - images))


@registry.register("keras.layers")
class RandomPosterization(_Factor):
    """Reduces the number of bits of each color while training.

    Args:
        factor: number of bits kept: two integers (l, u) in [1, 8] for a number from l up to, but not including, u (or l
            if they are equal); or an integer n for `(1, n)`.
        value_range: the lowest and highest pixel value.
        data_format: `"channels_last"` or `"channels_first"`.
        seed: an integer, or None.

    Example:

    >>> RandomPosterization((2, 2), seed=1)(jnp.array([[[100.0, 200.0, 30.0]]])).ravel().tolist()
    [64.0, 192.0, 0.0]
    """

    bounds = (1, 8)

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(factor, value_range, seed=seed, data_format=data_format, **kwargs)

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        low, high = self.factor
        if low == high:
            bits = jnp.full((len(images),), low, jnp.uint8)
        else:
            bits = random.randint((len(images),), low, high, dtype="uint8", seed=seed)
        return {"shift_factor": (8 - bits).astype(jnp.uint8)}

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        shift = each(transformation["shift_factor"])
        colors = rescale(images, self.value_range, (0, 255)).astype(jnp.uint8)
        kept = jnp.left_shift(jnp.right_shift(colors, shift), shift)
        return rescale(kept.astype(images.dtype), (0, 255), self.value_range)


@registry.register("keras.layers")
class RandomGrayscale(ImageLayer):
    """Converts some images to grayscale, at random, while training.

    Args:
        factor: the probability, in [0, 1].
        data_format: `"channels_last"` or `"channels_first"`.
        seed: an integer, or None.

    Example:

    >>> RandomGrayscale(1.0, seed=1)(jnp.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self, factor: float = 0.5, data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        if not 0 <= factor <= 1:
            raise ValueError(f"`factor` of layer '{self.name}' must be in [0, 1]; got {factor!r}.")
        self.factor = factor

    def draw(self, images: Array, seed: Any) -> Array:
        return each(random.uniform((len(images),), seed=seed) < self.factor)

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        return jnp.where(transformation, rgb_to_grayscale(images, self.data_format), images)


@registry.register("keras.layers")
class RandomInvert(_Factor):
    """Inverts the colors of some images, at random, while training.

    Args:
        factor: the probability: a number, or two for a range that it is drawn from.
        value_range: the lowest and highest pixel value.
        seed: an integer, or None.
        data_format: `"channels_last"` or `"channels_first"`.

    Example:

    >>> RandomInvert(seed=1)(jnp.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    bounds = (0, 1)
    sorts_value_range = False

    def __init__(
        self,
        factor: Any = 1.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(factor, value_range, seed=seed, data_format=data_format, **kwargs)

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        return {"apply_inversion": self._chosen(images, self.factor, seed)}

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        return jnp.where(each(transformation["apply_inversion"]), self.value_range[1] - images, images)


@registry.register("keras.layers")
class Solarization(ImageLayer):
    """Adds a random number to each image, then inverts values above a threshold, while training.

    Args:
        addition_factor, threshold_factor: a number f for `[0, f]`, or two numbers, in [0, 1], as fractions of 255.
        value_range: the lowest and highest pixel value.
        seed: an integer, or None.

    Example:

    >>> Solarization()(jnp.array([[[100.0, 200.0, 30.0]]])).ravel().tolist()
    [155.0, 55.0, 225.0]
    """

    def __init__(
        self,
        addition_factor: Any = 0.0,
        threshold_factor: Any = 0.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, **kwargs)
        self.addition_factor = interval(addition_factor, "addition_factor", 0, 1, two_sided=False, strict=True)
        self.threshold_factor = interval(threshold_factor, "threshold_factor", 0, 1, two_sided=False, strict=True)
        self.value_range = value_range_of(value_range)

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        def uniform(factor: tuple[float, float]) -> Array:
            shape = (len(images), 1, 1, 1)
            return random.uniform(shape, factor[0], factor[1] * 255, dtype=self.compute_dtype, seed=seed)

        return {"additions": uniform(self.addition_factor), "thresholds": uniform(self.threshold_factor)}

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        images = jnp.clip(rescale(images, self.value_range, (0, 255)) + transformation["additions"], 0, 255)
        images = jnp.where(images < transformation["thresholds"], images, 255 - images)
        return rescale(images, (0, 255), self.value_range)


@registry.register("keras.layers")
class AutoContrast(ImageLayer):
    """Stretches each channel of each image to the full value range.

    Args:
        value_range: the lowest and highest pixel value.

    Example:

    >>> AutoContrast()(jnp.array([[[10.0], [20.0]]])).ravel().tolist()
    [0.0, 255.0]
    """

    always = True

    def __init__(self, value_range: Any = (0, 255), **kwargs: Any):
        super().__init__(**kwargs)
        self.value_range = value_range_of(value_range)

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        low = jnp.min(images, axis=self.spatial_axes, keepdims=True)
        high = jnp.max(images, axis=self.spatial_axes, keepdims=True)
        flat = high == low
        stretched = rescale((images - low) / jnp.where(flat, 1, high - low), (0, 1), self.value_range)
        return jnp.where(flat, images, jnp.clip(stretched, *self.value_range))


@registry.register("keras.layers")
class RandomColorJitter(ImageLayer):
    """Changes brightness, contrast, saturation and hue of each image at random, in this order.

    Args:
        value_range: the lowest and highest pixel value.
        brightness_factor, contrast_factor, saturation_factor, hue_factor: as in `RandomBrightness`, `RandomContrast`,
            `RandomSaturation` and `RandomHue`; None skips that step.
        seed: an integer, or None.
        data_format: `"channels_last"` or `"channels_first"`.

    Example:

    >>> RandomColorJitter(brightness_factor=0.1, hue_factor=0.1, seed=1)(jnp.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    random_brightness: RandomBrightness | None
    random_contrast: RandomContrast | None
    random_saturation: RandomSaturation | None
    random_hue: RandomHue | None

    def __init__(
        self,
        value_range: Any = (0, 255),
        brightness_factor: Any = None,
        contrast_factor: Any = None,
        saturation_factor: Any = None,
        hue_factor: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.value_range = value_range
        self.brightness_factor, self.contrast_factor = brightness_factor, contrast_factor
        self.saturation_factor, self.hue_factor = saturation_factor, hue_factor
        for name, cls, factor in (
            ("random_brightness", RandomBrightness, brightness_factor),
            ("random_contrast", RandomContrast, contrast_factor),
            ("random_saturation", RandomSaturation, saturation_factor),
            ("random_hue", RandomHue, hue_factor),
        ):
            step = None
            if factor is not None:
                step = cls(
                    factor, value_range=value_range, seed=seed, data_format=self.data_format, dtype=self.dtype_policy
                )
            setattr(self, name, step)

    def _steps(self) -> list[ImageLayer]:
        steps = (self.random_brightness, self.random_contrast, self.random_saturation, self.random_hue)
        return [step for step in steps if step is not None]

    def draw(self, images: Array, seed: Any) -> list[Any]:
        return [step.get_random_transformation(images, seed=seed) for step in self._steps()]

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        for step, own in zip(self._steps(), transformation):
            images = step.transform_images(images, own)
        return images
