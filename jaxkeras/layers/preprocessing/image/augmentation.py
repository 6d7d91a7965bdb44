"""Random choices among augmentations: RandAugment and AugMix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.core
import jax.numpy as jnp

from jaxkeras import random, registry
from jaxkeras.core.seeds import draw_key
from jaxkeras.layers.preprocessing.image.color import (
    AutoContrast,
    RandomBrightness,
    RandomColorDegeneration,
    RandomContrast,
    RandomPosterization,
    RandomSharpness,
    Solarization,
)
from jaxkeras.layers.preprocessing.image.histogram import Equalization
from jaxkeras.layers.preprocessing.image.image_layer import ImageLayer, KeyStream, interval, value_range_of
from jaxkeras.layers.preprocessing.image.warp import RandomRotation, RandomShear, RandomTranslation

Array = jax.Array


def _fold(step: Callable[..., Any], carry: Any, xs: tuple[Array, ...]) -> Any:
    """`carry` after all steps. In a trace, a scan, so that each branch is compiled once instead of once per step."""
    if isinstance(xs[0], jax.core.Tracer):
        return jax.lax.scan(step, carry, xs)[0]
    for one in zip(*xs):
        carry, _ = step(carry, one)
    return carry


class _Choice(ImageLayer):
    """Applies randomly chosen layers one after the other."""

    moves = True
    random_shear: RandomShear
    random_translation: RandomTranslation
    random_rotation: RandomRotation
    random_brightness: RandomBrightness
    random_color_degeneration: RandomColorDegeneration
    random_contrast: RandomContrast
    random_sharpness: RandomSharpness
    random_posterization: RandomPosterization
    solarization: Solarization
    auto_contrast: AutoContrast
    equalization: Equalization

    def __init__(self, names: Sequence[str], factor: Any, value_range: Any, interpolation: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.value_range, self.interpolation = value_range, interpolation
        value_range_of(value_range)
        self.factor = interval(factor, "factor", 0, 1)
        own = {"data_format": self.data_format, "bounding_box_format": self.bounding_box_format}
        shared = {"dtype": self.dtype_policy, "seed": self.seed, **own}
        warp, color = {"interpolation": interpolation, **shared}, {"value_range": value_range, **shared}
        quiet = {k: v for k, v in color.items() if k != "seed"}
        f = self.factor
        makers: dict[str, Callable[[], ImageLayer]] = {
            "random_shear": lambda: RandomShear(f, f, **warp),
            "random_translation": lambda: RandomTranslation(f, f, **warp),
            "random_rotation": lambda: RandomRotation(f, **warp),
            "random_brightness": lambda: RandomBrightness(f, **color),
            "random_color_degeneration": lambda: RandomColorDegeneration(f, **color),
            "random_contrast": lambda: RandomContrast(f, **color),
            "random_sharpness": lambda: RandomSharpness(f, **color),
            "random_posterization": lambda: RandomPosterization(max(1, int(8 * f[1])), **color),
            "solarization": lambda: Solarization(f, f, **color),
            "auto_contrast": lambda: AutoContrast(**quiet),
            "equalization": lambda: Equalization(**quiet),
        }
        self._names = tuple(names)
        for name in names:
            setattr(self, name, makers[name]())

    def _switch(self, index: Array, key: Array, images: Array, x: Any, change: Callable[..., Any]) -> Any:
        """`change(layer, transformation, x)` for the layer with this index; x for an index beyond the last one."""

        def branch(name: str) -> Callable[[Any], Any]:
            layer = getattr(self, name)
            return lambda x: change(layer, layer.get_random_transformation(images, seed=KeyStream(key)), x)

        branches = [*map(branch, self._names), lambda x: x]
        if isinstance(index, jax.core.Tracer):
            return jax.lax.switch(index, branches, x)
        return branches[int(index)](x)  # a concrete index: no need to compile the other branches

    def _chain(self, indices: Array, keys: Array, images: Array, x: Any, change: Callable[..., Any]) -> Any:
        """Apply the layers with these indices one after the other."""

        def step(x: Any, one: tuple[Array, Array]) -> tuple[Any, None]:
            return self._switch(*one, images, x, change), None

        return _fold(step, x, (indices, keys))

    def _apply(self, transformation: Any, images: Array, x: Any, change: Callable[..., Any]) -> Any:
        raise NotImplementedError

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        return self._apply(transformation, images, images, lambda layer, t, x: layer.transform_images(x, t))

    def transform_segmentation_masks(
        self, segmentation_masks: Array, transformation: Any, training: bool = True
    ) -> Array:
        if not self._works(transformation, training):
            return segmentation_masks
        return self._apply(
            transformation, segmentation_masks, segmentation_masks,
            lambda layer, t, x: layer.transform_segmentation_masks(x, t),
        )  # fmt: skip


@registry.register("keras.layers")
class RandAugment(_Choice):
    """Applies `num_ops` of eleven layers, chosen at random, to a batch while training (Cubuk et al., 2019).

    Args:
        value_range: the lowest and highest pixel value.
        num_ops: number of layers to apply.
        factor: strength of the layers: a number f for `[0, f]`, or two numbers, in [0, 1].
        interpolation: "bilinear" or "nearest".
        seed: an integer, or None.
        data_format: `"channels_last"` or `"channels_first"`.

    Example:

    >>> RandAugment(seed=1)(jnp.ones((1, 8, 8, 3))).shape
    (1, 8, 8, 3)
    """

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_ops: int = 2,
        factor: Any = 0.5,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        names = (
            "random_shear random_translation random_rotation random_brightness random_color_degeneration "
            "random_contrast random_sharpness random_posterization solarization auto_contrast equalization"
        )
        super().__init__(
            names.split(), factor, value_range, interpolation, seed=seed, data_format=data_format, **kwargs
        )
        self.num_ops = num_ops

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        chosen = random.randint((self.num_ops,), 0, len(self._names), seed=seed)
        return {"layer_idxes": chosen, "keys": jax.random.split(draw_key(seed), self.num_ops)}

    def _apply(self, transformation: Any, images: Array, x: Any, change: Callable[..., Any]) -> Any:
        return self._chain(transformation["layer_idxes"], transformation["keys"], images, x, change)

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool = True, size: tuple[int, int] | None = None
    ) -> Any:
        if not self._works(transformation, training):
            return bounding_boxes
        shape = (len(bounding_boxes["boxes"]), *size)  # type: ignore[misc]
        images = jnp.zeros((*shape, 1) if self.data_format == "channels_last" else (shape[0], 1, *shape[1:]))
        return self._apply(
            transformation, images, bounding_boxes, lambda layer, t, x: layer.transform_bounding_boxes(x, t, size=size)
        )


@registry.register("keras.layers")
class AugMix(_Choice):
    """Mixes a batch with versions of it, each transformed by a chain of random layers (Hendrycks et al., 2019).

    Args:
        value_range: the lowest and highest pixel value.
        num_chains: number of versions.
        chain_depth: maximum number of layers in a chain.
        factor: strength of the layers: a number f for `[0, f]`, or two numbers, in [0, 1].
        alpha: parameter of the distributions that the weights are drawn from.
        all_ops: whether brightness, contrast, colour and sharpness are among the layers.
        interpolation: "bilinear" or "nearest".
        seed: an integer, or None.
        data_format: `"channels_last"` or `"channels_first"`.

    Example:

    >>> AugMix(seed=1)(jnp.ones((1, 8, 8, 3))).shape
    (1, 8, 8, 3)
    """

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_chains: int = 3,
        chain_depth: int = 3,
        factor: Any = 0.3,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        names = (
            "random_shear random_translation random_rotation random_posterization solarization auto_contrast "
            "equalization"
        )
        more = "random_brightness random_color_degeneration random_contrast random_sharpness" if all_ops else ""
        super().__init__(
            [*names.split(), *more.split()], factor, value_range, interpolation, seed=seed, data_format=data_format,
            **kwargs,
        )  # fmt: skip
        self.num_chains, self.chain_depth, self.alpha, self.all_ops = num_chains, chain_depth, alpha, all_ops

    def draw(self, images: Array, seed: Any) -> dict[str, Array]:
        weights = random.gamma((self.num_chains,), self.alpha, seed=seed)
        share = random.beta((), self.alpha, self.alpha, seed=seed)
        shape = (self.num_chains, self.chain_depth)
        # The index after the last layer means no layer.
        chosen = random.randint(shape, 0, len(self._names) + 1, seed=seed)
        keys = jax.random.split(draw_key(seed), shape)
        return {"chain_mixing_weights": weights / weights.sum(), "weight_sample": share, "chains": chosen, "keys": keys}

    def _apply(self, transformation: Any, images: Array, x: Any, change: Callable[..., Any]) -> Any:
        x = x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(self.compute_dtype)
        weights = transformation["chain_mixing_weights"].astype(x.dtype)

        def add(mixed: Array, one: tuple[Array, Array, Array]) -> tuple[Array, None]:
            chain, keys, weight = one
            return mixed + weight * self._chain(chain, keys, images, x, change), None

        chains = transformation["chains"], transformation["keys"], weights
        mixed = _fold(add, jnp.zeros_like(x), chains)
        share = transformation["weight_sample"].astype(x.dtype)
        return share * x + (1 - share) * mixed

    def change(self, images: Array, transformation: Any, interpolation: str | None = None) -> Array:
        return jnp.clip(super().change(images, transformation), *self.value_range)

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool = True, size: tuple[int, int] | None = None
    ) -> Any:
        return bounding_boxes
