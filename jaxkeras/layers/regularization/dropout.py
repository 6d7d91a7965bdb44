"""Dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from jaxkeras import lowering, registry
from jaxkeras.core.seeds import draw_key
from jaxkeras.layers.regularization.base import RandomLayer, fill_noise_shape, standardize_noise_shape


@registry.register("keras.layers")
class Dropout(RandomLayer):
    """While training, sets a random fraction of the input to zero and scales up the rest (Srivastava et al., 2014).

    For a given seed the mask differs from Keras's, on purpose: it takes a twentieth of the time to draw. Use
    `jaxkeras.random.dropout` for that of Keras.

    Args:
        rate: the fraction to drop, from 0 to 1.
        noise_shape: shape of the mask, which is broadcast to the input; None stands for the size of the input. With
            `(None, 1, None)` all steps of a sequence share a mask.
        seed: an integer, or None.

    Call arguments:
        inputs: any float array.
        training: whether to drop.

    Example:

    >>> Dropout(0.5)(jnp.ones((2, 3)), training=False)[0]
    Array([1., 1., 1.], dtype=float32)
    """

    rate: float

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **kwargs: Any
    ):
        super().__init__(rate, "rate", seed, **kwargs)
        self.noise_shape = standardize_noise_shape(self, noise_shape)

    def perturb(self, x: jax.Array) -> jax.Array:
        shape = fill_noise_shape(self.noise_shape, x)
        return lowering.dropout(x, self.rate, draw_key(self.seed_generator), shape)
