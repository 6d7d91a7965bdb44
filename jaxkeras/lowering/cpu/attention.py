"""Attention with heads before time, and a gradient that keeps one array of all pairs.

Differentiating the reference keeps logits, exponentials and weights of all pairs, and sums over the sources once more
in the gradient of the softmax. Here only the unnormalised exponentials are kept: a row's sum divides its output
(targets by size) instead of its weights (targets by sources). The term that the gradient of the softmax subtracts,
sum_s p_s dp_s, is the product of a row's output and its cotangent (as in FlashAttention, Dao et al., 2022, section
3.1).

Masks are added to the logits as a very low number: XLA:CPU runs products, sums, maxima and exponentials as one program,
block by block, which a selection would divide.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax import lax

from jaxkeras.lowering.custom_transpose import linear_call
from jaxkeras.lowering.hash_rng import Drop
from jaxkeras.lowering.reference import masked_logits, whole_mask

Array = jax.Array

NARROW = 32  # columns


def transposed_product(a: Array, b: Array) -> Array:
    """a^T b for (batch, heads, targets, sources) and (batch, heads, targets, size).

    For few columns of b, both factors stay row-major and only the narrow one is transposed: transposing the wide
    factor, alone or within the product, costs more than the product. The barriers keep XLA from folding the
    transposes back into it.
    """
    if b.shape[-1] > NARROW:
        return _product(a, 2, b, 2)
    upright = lax.optimization_barrier(jnp.swapaxes(b, -1, -2))
    return jnp.swapaxes(lax.optimization_barrier(_product(upright, 3, a, 2)), -1, -2)


def _product(a: Array, a_axis: int, b: Array, b_axis: int) -> Array:
    """For each head, the product of two matrices summed over these axes. As `einsum`, which takes longer to trace."""
    return lax.dot_general(a, b, (((a_axis,), (b_axis,)), ((0, 1), (0, 1))))


def _forward(
    query: Array, key: Array, value: Array, bias: Array | None, low: Array | None, drop: Drop | None
) -> tuple[Array, Array, Array]:
    """The output, the exponentials, and one over their sums."""
    logits = _product(query, 3, key, 3)
    for term in (bias, low):
        logits = logits if term is None else logits + term.astype(logits.dtype)
    powers = jnp.exp(logits - lax.stop_gradient(jnp.max(logits, -1, keepdims=True)))
    inverse = 1.0 / jnp.sum(powers, -1, keepdims=True)
    return _product(_dropped(powers, drop), 3, value, 2) * inverse, powers, inverse


def _dropped(x: Array, drop: Drop | None) -> Array:
    return x if drop is None else drop.apply(x)


def _tangent(rate: float, residuals: tuple, tangents: tuple) -> Array:
    query, key, value, powers, inverse, _, seed = residuals
    d_query, d_key, d_value, d_bias = tangents
    drop = None if seed is None else Drop(rate, seed)
    weights = powers * inverse
    d_logits = _product(d_query, 3, key, 3) + _product(query, 3, d_key, 3)
    d_logits = d_logits if d_bias is None else d_logits + d_bias
    d_weights = weights * (d_logits - jnp.sum(weights * d_logits, -1, keepdims=True))
    moved = _product(_dropped(d_weights, drop), 3, value, 2)
    return moved + _product(_dropped(weights, drop), 3, d_value, 2)


def _cotangents(bias_shape: tuple[int, ...] | None, rate: float, residuals: tuple, cotangent: Array) -> tuple:
    query, key, value, powers, inverse, output, seed = residuals
    drop = None if seed is None else Drop(rate, seed)
    shared = jnp.sum(cotangent * output, -1, keepdims=True) * inverse
    cotangent = cotangent * inverse
    g_value = transposed_product(_dropped(powers, drop), cotangent)
    g_weights = _dropped(_product(cotangent, 3, value, 3), drop)
    g_logits = powers * (g_weights - shared)
    g_query = _product(g_logits, 3, key, 2)
    g_key = transposed_product(g_logits, query)
    g_bias = None
    if bias_shape is not None:
        spread = tuple(i for i, n in enumerate(bias_shape) if n == 1)
        g_bias = jnp.sum(g_logits, spread, keepdims=True)
    return g_query, g_key, g_value, g_bias


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _heads_first(
    rate: float,
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None,
    low: Array | None,
    seed: Array | None,
) -> Array:
    """Attention of (batch, heads, time, size), logits unscaled; weights are dropped where there is a seed.

    low: added to the logits as the bias is, without a gradient.
    """
    return _forward(query, key, value, bias, low, None if seed is None else Drop(rate, seed))[0]


@_heads_first.defjvp
def _(rate: float, primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    query, key, value, bias, low, seed = primals
    output, powers, inverse = _forward(query, key, value, bias, low, None if seed is None else Drop(rate, seed))
    residuals = (query, key, value, powers, inverse, output, seed)
    forth = functools.partial(_tangent, rate)
    back = functools.partial(_cotangents, None if bias is None else bias.shape, rate)
    return output, linear_call(forth, back, residuals, tangents[:4], output)


def attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None,
    mask: Array | None,
    scale: float,
    drop: Drop | None,
    is_causal: bool = False,
    query_mask: Array | None = None,
) -> Array:
    """As `reference.attention`."""
    whole = whole_mask(mask, is_causal, query, key)
    low = None if whole is None else masked_logits(jnp.zeros(whole.shape, query.dtype), None, whole)
    query, key, value = (jnp.swapaxes(x, 1, 2) for x in (query * jnp.asarray(scale, query.dtype), key, value))
    some = None if mask is None or whole is None else jnp.any(whole, -1, keepdims=True)
    if query_mask is not None:
        # As numbers and apart from the mask: of bools, each pair of target and source would be a step of a scalar loop.
        attends = query_mask[:, None, :, None]
        low = low if low is None else low * attends.astype(low.dtype)
        some = attends if some is None else jnp.logical_and(some, attends)
    if some is not None:  # else each target has a source
        # The weights of a target without sources are equal whatever its logits are.
        query = jnp.where(some, query, jnp.zeros_like(query))
        bias = bias if bias is None else jnp.where(some, bias, jnp.zeros_like(bias))
    rate, seed = (0.0, None) if drop is None else (drop.rate, drop.key)
    return jnp.swapaxes(_heads_first(rate, query, key, value, bias, low, seed), 1, 2)
