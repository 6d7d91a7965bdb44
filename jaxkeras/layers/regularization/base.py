"""The base class of random layers that are active in training only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from jaxkeras.core.seeds import SeedGenerator
from jaxkeras.layers._base.layer import Layer


class RandomLayer(Layer):
    """Perturbs its input at random while training, unless its strength (a number in [0, 1]) is zero."""

    def __init__(self, strength: float, strength_name: str, seed: int | None, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0 <= strength <= 1:
            raise ValueError(
                f"`{strength_name}` of {type(self).__name__} must be a number from 0 to 1; got {strength!r}."
            )
        setattr(self, strength_name, strength)
        self.seed = seed
        self._active = strength > 0
        if self._active:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: jax.Array, training: bool = False) -> jax.Array:
        return self.perturb(inputs) if training and self._active else inputs

    def perturb(self, x: jax.Array) -> jax.Array:
        """The perturbed input."""
        raise NotImplementedError


def standardize_noise_shape(layer: Layer, value: Any) -> tuple[int | None, ...] | None:
    """`noise_shape` as a tuple, or None.

    Raises:
        ValueError: if it does not consist of positive integers and None.
    """
    if value is None:
        return None
    sizes = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ("?",)
    if not all(size is None or (isinstance(size, int) and size > 0) for size in sizes):
        raise ValueError(
            f"`noise_shape` of {type(layer).__name__} must hold positive integers, or None for the size of the "
            f"input; got {value!r}."
        )
    return sizes  # type: ignore[return-value]


def fill_noise_shape(shape: Sequence[int | None] | None, x: jax.Array) -> tuple[int, ...]:
    """A noise shape with None replaced by the sizes of x."""
    return x.shape if shape is None else tuple(n if size is None else size for size, n in zip(shape, x.shape))
