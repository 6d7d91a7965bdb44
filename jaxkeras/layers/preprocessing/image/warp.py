"""Random translation, rotation, zoom, shear, perspective and elastic distortion of images while training."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import random, registry
from jaxkeras.core.seeds import draw_key
from jaxkeras.layers.preprocessing.image.bounding_boxes import projected
from jaxkeras.layers.preprocessing.image.image_layer import ImageLayer, each, interval, value_range_of
from jaxkeras.ops.image import affine_transform, gaussian_blur, perspective_transform

Array = jax.Array
_FILL_MODES = ("reflect", "wrap", "constant", "nearest")
_INTERPOLATIONS = ("nearest", "bilinear")


def _check(what: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise registry.unknown(what, value, choices)


class _Affine(ImageLayer):
    """An affine transformation per image; subclasses define `matrix`, from output to input positions."""

    moves = True

    def __init__(self, fill_mode: str, interpolation: str, fill_value: float, **kwargs: Any):
        super().__init__(**kwargs)
        _check("fill_mode", fill_mode, _FILL_MODES)
        _check("interpolation", interpolation, _INTERPOLATIONS)
        self.fill_mode, self.interpolation, self.fill_value = fill_mode, interpolation, fill_value

    def matrix(self, transformation: Any, height: int, width: int) -> tuple[Any, ...]:
        """`a0, a1, a2, b0, b1, b2`, each `(batch,)` or a number: the pixel `(x, y)` is taken from
        `(a0 x + a1 y + a2, b0 x + b1 y + b2)`."""
        raise NotImplementedError

    def _rows(self, transformation: Any, height: int, width: int) -> Array:
        numbers = [jnp.asarray(n, jnp.float32) for n in self.matrix(transformation, height, width)]
        return jnp.stack(jnp.broadcast_arrays(*numbers), axis=-1)

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        rows = self._rows(transformation, *self._size(images))
        return affine_transform(
            images, jnp.pad(rows, ((0, 0), (0, 2))), interpolation or self.interpolation, self.fill_mode,
            self.fill_value, self.data_format,
        )  # fmt: skip

    def move_boxes(self, boxes: Array, transformation: Any, height: int, width: int) -> Array:
        rows = self._rows(transformation, height, width).reshape(-1, 2, 3)
        last = jnp.broadcast_to(jnp.array([0.0, 0.0, 1.0]), (len(rows), 1, 3))
        return projected(boxes, jnp.linalg.inv(jnp.concatenate([rows, last], axis=1)))


@registry.register("keras.layers")
class RandomTranslation(_Affine):
    """Moves each image by a random distance while training.

    Args:
        height_factor, width_factor: the distance, as fractions of the height (down) and of the width (to the right): a
            number f for `[-f, f]`, or two numbers; all in [-1, 1].
        fill_mode: how to fill pixels outside of the image: "reflect", "wrap", "constant" or "nearest".
        interpolation: "bilinear" or "nearest".
        seed: an integer, or None.
        fill_value: value for "constant".
        data_format: `"channels_last"` or `"channels_first"`.

    Example:

    >>> RandomTranslation(0.1, 0.1, seed=1)(jnp.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        self._down = interval(height_factor, "height_factor", -1, 1, strict=True)
        self._across = interval(width_factor, "width_factor", -1, 1, strict=True)

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        height, width = self._size(images)
        down = random.uniform((len(images), 1), *self._down, seed=seed) * height
        across = random.uniform((len(images), 1), *self._across, seed=seed) * width
        return {"translations": jnp.concatenate([across, down], axis=1)}

    def matrix(self, transformation: Any, height: int, width: int) -> tuple[Any, ...]:
        across, down = jnp.moveaxis(transformation["translations"], -1, 0)
        return 1, 0, -across, 0, 1, -down


@registry.register("keras.layers")
class RandomRotation(_Affine):
    """Rotates each image about its center by a random angle while training.

    Args:
        factor: the angle in full turns: a number f for `[-f, f]`, or two numbers.
        fill_mode, interpolation, seed, fill_value, data_format: as in `RandomTranslation`.

    Example:

    >>> RandomRotation(0.1, seed=1)(jnp.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs)
        self.factor = interval(factor, "factor", -1, 1)

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        low, high = (turns * 360.0 for turns in self.factor)
        return {"angle": random.uniform((len(images),), low, high, seed=seed)}

    def matrix(self, transformation: Any, height: int, width: int) -> tuple[Any, ...]:
        angle = transformation["angle"] * (math.pi / 180)
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        x, y = (width - 1) / 2, (height - 1) / 2
        return cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos


@registry.register("keras.layers")
class RandomZoom(_Affine):
    """Zooms each image about its center by a random factor while training.

    Args:
        height_factor: the zoom: a number f for `[-f, f]`, or two numbers; 0.2 shows 20 % more, -0.2 shows 20 % less.
        width_factor: the same for the width; defaults to the zoom of the height, which preserves the aspect ratio.
        fill_mode, interpolation, seed, fill_value, data_format: as in `RandomTranslation`.

    Example:

    >>> RandomZoom(0.1, seed=1)(jnp.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        self._down = interval(height_factor, "height_factor", -1, 1, strict=True)
        self._across = None if width_factor is None else interval(width_factor, "width_factor", -1, 1, strict=True)
        if -1 in (self._down[0], (self._across or (0,))[0]):
            raise ValueError(f"The factors of RandomZoom must be above -1; got {height_factor!r} and {width_factor!r}.")

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        def zoom(factor: tuple[float, float]) -> Array:
            return random.uniform((len(images), 1), 1.0 + factor[0], 1.0 + factor[1], seed=seed)

        down = zoom(self._down)
        return {"height_zoom": down, "width_zoom": down if self._across is None else zoom(self._across)}

    def matrix(self, transformation: Any, height: int, width: int) -> tuple[Any, ...]:
        down, across = transformation["height_zoom"][:, 0], transformation["width_zoom"][:, 0]
        return across, 0, (width - 1) / 2 * (1 - across), 0, down, (height - 1) / 2 * (1 - down)


@registry.register("keras.layers")
class RandomShear(_Affine):
    """Shears each image by a random amount while training.

    Args:
        x_factor, y_factor: the amount along each axis: a number f for `[-f, f]`, or two numbers; the sign is random.
        interpolation, fill_mode, fill_value, data_format, seed: as in `RandomTranslation`.

    Example:

    >>> RandomShear(0.2, seed=1)(jnp.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        x_factor: Any = 0.0,
        y_factor: Any = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs)
        self.x_factor, self.y_factor = (_shear(f, n) for f, n in ((x_factor, "x_factor"), (y_factor, "y_factor")))

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        def uniform(low: float, high: float) -> Array:
            return random.uniform((len(images), 1), low, high, dtype=self.compute_dtype, seed=seed)

        sign = jnp.where(uniform(0, 1) > 0.5, -1, 1).astype(self.compute_dtype)
        down = uniform(*self.y_factor)
        return {"shear_factor": jnp.concatenate([uniform(*self.x_factor), down], axis=1) * sign}

    def matrix(self, transformation: Any, height: int, width: int) -> tuple[Any, ...]:
        across, down = jnp.moveaxis(transformation["shear_factor"], -1, 0)
        return 1, across, 0, down, 1, 0


def _shear(factor: Any, name: str) -> tuple[float, float]:
    if isinstance(factor, (tuple, list)):
        return interval(factor, name, -1, 1, strict=True)
    high = interval(factor, name, 0, 1)[1]
    return 0.0 - high, high  # never -0.0


@registry.register("keras.layers")
class RandomPerspective(ImageLayer):
    """Changes the perspective of some images, at random, while training.

    Args:
        factor: the probability that an image is changed: a number, or two for a range that it is drawn from.
        scale: maximum relative displacement of the corners, in [0, 1].
        interpolation: "bilinear" or "nearest".
        fill_value: value of pixels outside of the image.
        seed: an integer, or None.
        data_format: `"channels_last"` or `"channels_first"`.

    Example:

    >>> RandomPerspective(seed=1)(jnp.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    moves = True

    def __init__(
        self,
        factor: Any = 1.0,
        scale: float = 1.0,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        _check("interpolation", interpolation, _INTERPOLATIONS)
        if not 0 <= scale <= 1:
            raise ValueError(f"`scale` of layer '{self.name}' must be in [0, 1]; got {scale!r}.")
        self.factor = interval(factor, "factor", 0, 1)
        self.scale, self.interpolation, self.fill_value = scale, interpolation, fill_value

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        height, width = self._size(images)
        chosen = self._chosen(images, self.factor, seed)
        half = 0.5 * self.scale
        shift = random.uniform((len(images), 4, 2), -half, half, dtype=self.compute_dtype, seed=seed)
        corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], np.float32)
        start = jnp.broadcast_to(jnp.asarray(corners, self.compute_dtype), shift.shape)
        return {"apply_perspective": chosen, "start_points": start, "end_points": start + start * shift}

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        if images.ndim == 3:
            return self.change(images[None], transformation, interpolation)[0]
        changed = perspective_transform(
            images, transformation["start_points"], transformation["end_points"], interpolation or self.interpolation,
            self.fill_value, self.data_format,
        )  # fmt: skip
        return jnp.where(each(transformation["apply_perspective"]), changed.astype(images.dtype), images)

    def move_boxes(self, boxes: Array, transformation: Any, height: int, width: int) -> Array:
        start, end = (jnp.asarray(transformation[k], jnp.float32) for k in ("start_points", "end_points"))
        moved = projected(boxes, _projection(start, end))
        return jnp.where(transformation["apply_perspective"][:, None, None], moved, boxes)


def _projection(start: Array, end: Array) -> Array:
    """The projections `(batch, 3, 3)` that map four points each to four others."""
    x, y = jnp.moveaxis(start, -1, 0)
    u, v = jnp.moveaxis(end, -1, 0)
    zero, one = jnp.zeros_like(x), jnp.ones_like(x)
    equations = jnp.concatenate([
        jnp.stack([x, y, one, zero, zero, zero, -u * x, -u * y], axis=-1),
        jnp.stack([zero, zero, zero, x, y, one, -v * x, -v * y], axis=-1),
    ], axis=1)  # fmt: skip
    solution = jnp.linalg.solve(equations, jnp.concatenate([u, v], axis=1)[..., None])[..., 0]
    return jnp.pad(solution, ((0, 0), (0, 1)), constant_values=1.0).reshape(-1, 3, 3)


@registry.register("keras.layers")
class RandomElasticTransform(ImageLayer):
    """Distorts some images by smooth random fields, at random, while training (Simard et al., 2003).

    Args:
        factor: the probability that an image is changed: a number, or two for a range that it is drawn from.
        scale: strength of the distortion: a number, or two for a range to draw it from, in [0, 1].
        interpolation: "bilinear" or "nearest".
        fill_mode: how to fill pixels outside of the image: "reflect", "wrap", "constant", "nearest" or "mirror".
        fill_value: value for "constant".
        value_range: the lowest and highest pixel value.
        seed: an integer, or None.
        data_format: `"channels_last"` or `"channels_first"`.

    Example:

    >>> RandomElasticTransform(seed=1)(jnp.ones((1, 8, 8, 3))).shape
    (1, 8, 8, 3)
    """

    moves = True

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = 1.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        _check("interpolation", interpolation, _INTERPOLATIONS)
        _check("fill_mode", fill_mode, (*_FILL_MODES, "mirror"))
        value_range_of(value_range)
        self.factor, self.scale = interval(factor, "factor", 0, 1), interval(scale, "scale", 0, 1)
        self.interpolation, self.fill_mode, self.fill_value = interpolation, fill_mode, fill_value
        self.value_range = value_range

    def draw(self, images: Array, seed: Any) -> dict[str, Array] | None:
        if not self.scale[1] or not self.factor[1]:
            return None
        chosen = self._chosen(images, self.factor, seed)
        strength = random.uniform((), *self.scale, dtype=self.compute_dtype, seed=seed)
        return {"apply_transform": chosen, "distortion_factor": strength, "seed": draw_key(seed)}

    def _displacement(self, transformation: Any, count: int, height: int, width: int) -> Array:
        """The offset (down, right) of each pixel's source, `(batch, height, width, 2)`."""
        strength = jnp.asarray(transformation["distortion_factor"], jnp.float32)
        field = random.normal((count, height, width, 2), seed=transformation["seed"])
        sigma: Any = 0.05 * min(height, width) * strength
        # Wide enough for the largest sigma, since shapes cannot depend on random numbers.
        window = int(6 * 0.05 * min(height, width) * self.scale[1]) | 1
        smooth = gaussian_blur(field * sigma, (window, window), (sigma, sigma), "channels_last")
        return 0.1 * max(height, width) * strength * smooth

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        if images.ndim == 3:
            return self.change(images[None], transformation, interpolation)[0]
        shift = self._displacement(transformation, len(images), *self._size(images))
        order = _INTERPOLATIONS.index(interpolation or self.interpolation)

        def plane(image: Array, positions: Array) -> Array:
            return jax.scipy.ndimage.map_coordinates(image, list(positions), order, self.fill_mode, self.fill_value)

        positions = jnp.moveaxis(shift, -1, 1) + jnp.indices(shift.shape[1:3], dtype=shift.dtype)
        axis = self.channel_axis + images.ndim
        moved = jax.vmap(jax.vmap(plane, (axis - 1, None), axis - 1))(images, positions)
        changed = jnp.where(each(transformation["apply_transform"]), moved.astype(images.dtype), images)
        return changed if interpolation else jnp.clip(changed, *self.value_range)

    def move_boxes(self, boxes: Array, transformation: Any, height: int, width: int) -> Array:
        # Move corners against the displacement where they are, which is accurate for a smooth field.
        shift = self._displacement(transformation, len(boxes), height, width)

        def one(boxes: Array, shift: Array) -> Array:
            x0, y0, x1, y1 = jnp.moveaxis(boxes, -1, 0)
            corners = jnp.stack([jnp.stack([x, y]) for x in (x0, x1) for y in (y0, y1)], axis=-1)
            rows = jnp.clip(corners[1], 0, height - 1).astype("int32")
            columns = jnp.clip(corners[0], 0, width - 1).astype("int32")
            moved = corners - jnp.moveaxis(shift[rows, columns], -1, 0)[::-1]
            return jnp.concatenate([moved.min(-1), moved.max(-1)]).T

        moved = jax.vmap(one)(boxes, shift)
        return jnp.where(transformation["apply_transform"][:, None, None], moved, boxes)
