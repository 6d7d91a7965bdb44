"""Gaussian noise, additive and multiplicative."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering, registry
from jaxkeras.core.seeds import draw_key
from jaxkeras.layers.regularization.base import RandomLayer


@registry.register("keras.layers")
class GaussianDropout(RandomLayer):
    """While training, multiplies by Gaussian noise of mean 1 (Srivastava et al., 2014).

    Args:
        rate: from 0 to 1, as in Dropout; the noise has the standard deviation `sqrt(rate / (1 - rate))`.
        seed: an integer, or None.

    Example:

    >>> GaussianDropout(0.5)(jnp.ones((2, 3)), training=True).shape
    (2, 3)
    """

    rate: float

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any):
        super().__init__(rate, "rate", seed, **kwargs)

    def perturb(self, x: jax.Array) -> jax.Array:
        stddev = math.sqrt(self.rate / (1.0 - self.rate))
        noise = lowering.normal_noise(draw_key(self.seed_generator), x.shape, jnp.dtype(self.compute_dtype))
        return x * (1.0 + stddev * noise)


@registry.register("keras.layers")
class GaussianNoise(RandomLayer):
    """While training, adds Gaussian noise of mean 0.

    Args:
        stddev: standard deviation of the noise, from 0 to 1.
        seed: an integer, or None.

    Example:

    >>> GaussianNoise(0.1)(jnp.ones((2, 3)), training=True).shape
    (2, 3)
    """

    stddev: float

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any):
        super().__init__(stddev, "stddev", seed, **kwargs)

    def perturb(self, x: jax.Array) -> jax.Array:
        noise = lowering.normal_noise(draw_key(self.seed_generator), x.shape, jnp.dtype(self.compute_dtype))
        return x + self.stddev * noise
