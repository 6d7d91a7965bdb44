"""Layer normalisation over the last axis with a gradient of few passes over memory.

The gradient needs two sums of each row and two of each column. XLA:CPU reduces rows and columns in separate passes,
each after writing its terms to memory; as products with gamma and with ones, all of them read the same two arrays.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from jaxkeras.lowering.cpu.fusion import end_fusion
from jaxkeras.lowering.custom_transpose import linear_call
from jaxkeras.lowering.reference import batch_moments

Array = jax.Array


def layer_norm(x: Array, gamma: Array | None, beta: Array | None, axes: tuple[int, ...], epsilon: float) -> Array:
    """As `reference.layer_norm`, over the last axis; gamma and beta have its size."""
    size = x.shape[-1]
    gamma = jnp.ones(size, x.dtype) if gamma is None else gamma.reshape(size)
    beta = jnp.zeros(size, x.dtype) if beta is None else beta.reshape(size)
    return _normalised(epsilon, x, gamma, beta)


def _moments(x: Array, epsilon: float) -> tuple[Array, Array]:
    """The mean of each row, and one over its deviation."""
    mean, variance = batch_moments(x, (x.ndim - 1,), None, 0.0)
    return mean, lax.rsqrt(variance + epsilon)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _normalised(epsilon: float, x: Array, gamma: Array, beta: Array) -> Array:
    return _value(x, gamma, beta, *_moments(x, epsilon))


def _value(x: Array, gamma: Array, beta: Array, mean: Array, inverse: Array) -> Array:
    """Ends the fusion: with a product behind it in the same call of YNNPACK, both are slower."""
    return end_fusion((x - mean) * inverse * gamma + beta)


@_normalised.defjvp
def _(epsilon: float, primals: Sequence[Array], tangents: Sequence[Array]) -> tuple[Array, Array]:
    x, gamma, beta = primals
    mean, inverse = _moments(x, epsilon)
    out = _value(x, gamma, beta, mean, inverse)
    return out, linear_call(_tangent, _cotangent, (x, gamma, mean, inverse), tuple(tangents), out)


def _tangent(residuals: Sequence[Array], tangents: Sequence[Array]) -> Array:
    (x, gamma, mean, inverse), (dx, d_gamma, d_beta) = residuals, tangents
    y = (x - mean) * inverse
    along = jnp.mean(y * dx, -1, keepdims=True)
    return (dx - jnp.mean(dx, -1, keepdims=True) - y * along) * inverse * gamma + y * d_gamma + d_beta


def _cotangent(residuals: Sequence[Array], g: Array) -> tuple[Array, Array, Array]:
    x, gamma, mean, inverse = residuals
    shape, size = x.shape, x.shape[-1]
    x, g, mean, inverse = (a.reshape(-1, a.shape[-1]) for a in (x, g, mean, inverse))
    y = (x - mean) * inverse
    along, column, ones = g * y, gamma[:, None], jnp.ones((1, x.shape[0]), x.dtype)
    g_mean, g_along = g @ column / size, along @ column / size
    g_x = inverse * (g * gamma - g_mean - y * g_along)
    return g_x.reshape(shape), (ones @ along)[0], (ones @ g)[0]
