"""Dropout that preserves mean and variance, for SELU activations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering, registry
from jaxkeras.core.seeds import draw_key
from jaxkeras.layers.regularization.base import RandomLayer, fill_noise_shape, standardize_noise_shape


@registry.register("keras.layers")
class AlphaDropout(RandomLayer):
    """Dropout that preserves mean and variance, for networks with SELU activations (Klambauer et al., 2017).

    Args:
        rate: the fraction to drop, from 0 to 1.
        noise_shape: shape of the mask, which is broadcast to the input; None stands for the size of the input.
        seed: an integer, or None.

    Example:

    >>> AlphaDropout(0.5)(jnp.ones((2, 3)), training=True).shape
    (2, 3)
    """

    rate: float

    # The limit of SELU for negative inputs: -scale * alpha.
    _floor = -1.0507009873554805 * 1.6732632423543772

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **kwargs: Any
    ):
        super().__init__(rate, "rate", seed, **kwargs)
        self.noise_shape = standardize_noise_shape(self, noise_shape)

    def perturb(self, x: jax.Array) -> jax.Array:
        if self.rate == 1:
            return jnp.zeros_like(x)
        keep = lowering.dropout_mask(draw_key(self.seed_generator), fill_noise_shape(self.noise_shape, x), self.rate)
        a = ((1 - self.rate) * (1 + self.rate * self._floor**2)) ** -0.5
        return a * jnp.where(keep, x, self._floor) - a * self._floor * self.rate
