"""Dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from jaxkeras import lowering, registry
from jaxkeras.core.seeds import draw_key
from jaxkeras.layers.regularization.base import _filled, _Noise, _noise_shape


@registry.register("keras.layers")
class Dropout(_Noise):
    """While training, sets a random part of the input to zero and scales up the rest (Srivastava et al., 2014).

    The mask for a seed is not the one that Keras draws for it, on purpose: it takes a twentieth of the time. Use
    `jaxkeras.random.dropout` for Keras's own.

    Args:
        rate: the part to drop, from 0 to 1.
        noise_shape: shape of the mask, broadcast to the input; None in it takes the size of the input. With
            `(None, 1, None)` all steps of a sequence share one mask.
        seed: an integer, or None.

    Call arguments:
        inputs: any float array.
        training: whether to drop.

    Example:

    >>> Dropout(0.5)(jnp.ones((2, 3)), training=False)[0]
    Array([1., 1., 1.], dtype=float32)
    """

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **kwargs: Any
    ):
        super().__init__(rate, "rate", seed, **kwargs)
        self.noise_shape = _noise_shape(self, noise_shape)

    def disturb(self, x: jax.Array) -> jax.Array:
        shape = _filled(self.noise_shape, x)
        return lowering.dropout(x, self.rate, draw_key(self.seed_generator), shape)
