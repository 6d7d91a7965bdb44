"""Batch normalisation with few passes over memory.

Forward, the sums of x and x^2 and the normalisation; backward, the sums of g and g x and the gradient. XLA:CPU reads
arrays and their products in a sum, but writes differences such as x - mean to memory first. Sums of x^2 lose digits if
the mean is large relative to the deviation; in this case the centred sums are computed instead, chosen at run time.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxkeras.lowering.custom_transpose import linear_call

Array = jax.Array
Results = tuple[Array, Array, Array]

FAR = 16.0  # mean^2 / variance from which sums are centred: what is lost then is a digit


def batch_norm(x: Array, gamma: Array | None, beta: Array | None, axes: tuple[int, ...], epsilon: float) -> Results:
    shape = [1 if axis in axes else n for axis, n in enumerate(x.shape)]
    gamma = jnp.ones(shape, x.dtype) if gamma is None else gamma
    return _normalised(x, gamma, jnp.zeros(shape, x.dtype) if beta is None else beta, axes, epsilon)[:3]


@functools.partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def _normalised(x: Array, gamma: Array, beta: Array, axes: tuple[int, ...], epsilon: float) -> tuple[Array, ...]:
    """The results, and whether the mean is far from 0: decided once, for the gradient too."""
    mean = jnp.mean(x, axes, keepdims=True)
    variance = jnp.mean(x * x, axes, keepdims=True) - mean * mean
    far = ~jnp.all(mean * mean <= FAR * variance)  # also where either is NaN

    def centred(x: Array, mean: Array, _: Array) -> Array:
        return jnp.mean(jnp.square(x - mean), axes, keepdims=True)

    variance = lax.cond(far, centred, lambda x, mean, v: v, x, mean, variance)
    return (x - mean) * (lax.rsqrt(variance + epsilon) * gamma) + beta, mean, variance, far


@_normalised.defjvp
def _(axes: tuple[int, ...], epsilon: float, primals: Sequence[Array], tangents: Sequence[Array]) -> tuple:
    x, gamma, _ = primals
    *out, far = _normalised(*primals, axes, epsilon)
    forth, back = functools.partial(_tangent, axes, epsilon), functools.partial(_cotangent, axes, epsilon)
    moved = linear_call(forth, back, (x, gamma, *out[1:], far), tuple(tangents), tuple(out))
    return (*out, far), (*moved, np.zeros(far.shape, jax.dtypes.float0))


def _tangent(axes: tuple[int, ...], epsilon: float, residuals: Sequence[Array], tangents: Sequence[Array]) -> Results:
    (x, gamma, mean, variance, _), (dx, d_gamma, d_beta) = residuals, tangents
    inverse = lax.rsqrt(variance + epsilon)
    d_mean = jnp.mean(dx, axes, keepdims=True)
    d_variance = 2 * jnp.mean((x - mean) * dx, axes, keepdims=True)
    slope = inverse * d_gamma - 0.5 * inverse**3 * d_variance * gamma
    return (dx - d_mean) * (inverse * gamma) + (x - mean) * slope + d_beta, d_mean, d_variance


def _cotangent(axes: tuple[int, ...], epsilon: float, residuals: Sequence[Array], g: Sequence[Array]) -> Results:
    (x, gamma, mean, variance, far), (g_y, g_mean, g_variance) = residuals, g
    inverse = lax.rsqrt(variance + epsilon)
    size = x.size / mean.size
    total = jnp.sum(g_y, axes, keepdims=True)

    def centred(x: Array, g_y: Array, mean: Array, _: Array) -> Array:
        return jnp.sum(g_y * (x - mean), axes, keepdims=True)

    def moved(x: Array, g_y: Array, mean: Array, total: Array) -> Array:
        return jnp.sum(g_y * x, axes, keepdims=True) - mean * total

    along = lax.cond(far, centred, moved, x, g_y, mean, total)
    g_spread = 2 * g_variance - inverse**3 * gamma * along
    scale = inverse * gamma
    g_x = scale * g_y + (x - mean) * (g_spread / size) + (g_mean - scale * total) / size
    return g_x, inverse * along, total
