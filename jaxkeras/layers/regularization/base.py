"""The base class of random layers that are active in training only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from jaxkeras.core.seeds import SeedGenerator
from jaxkeras.layers._base.layer import Layer


class _Noise(Layer):
    """Changes its input by random numbers while training, unless its strength (a number in [0, 1]) is zero."""

    def __init__(self, strength: float, name_of_strength: str, seed: int | None, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0 <= strength <= 1:
            raise ValueError(
                f"`{name_of_strength}` of {type(self).__name__} must be a number from 0 to 1; got {strength!r}."
            )
        setattr(self, name_of_strength, strength)
        self.seed = seed
        self._active = strength > 0
        if self._active:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: jax.Array, training: bool = False) -> jax.Array:
        return self.disturb(inputs) if training and self._active else inputs

    def disturb(self, x: jax.Array) -> jax.Array:
        raise NotImplementedError


def _noise_shape(layer: Layer, value: Any) -> tuple[int | None, ...] | None:
    if value is None:
        return None
    sizes = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ("?",)
    if not all(size is None or (isinstance(size, int) and size > 0) for size in sizes):
        raise ValueError(
            f"`noise_shape` of {type(layer).__name__} must hold positive integers, and None where the size of the "
            f"input is taken; got {value!r}."
        )
    return sizes  # type: ignore[return-value]


def _filled(shape: Sequence[int | None] | None, x: jax.Array) -> tuple[int, ...]:
    """A noise shape with the sizes of the input in place of None."""
    return x.shape if shape is None else tuple(n if size is None else size for size, n in zip(shape, x.shape))
