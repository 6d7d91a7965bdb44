"""Attention with heads before time, and a gradient that keeps one array of all pairs.

Differentiating the plain form keeps logits, exponentials and weights of all pairs, and sums over the sources once more
in the gradient of the softmax. Here the exponentials stay, unnormalised: a row's sum divides its output (targets by
size) and not its weights (targets by sources). What the gradient of the softmax subtracts, sum_s p_s dp_s, is the
product of a row's output and its cotangent (as in FlashAttention, Dao et al., 2022, section 3.1).
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax import lax

from jaxkeras.lowering.bits import Drop
from jaxkeras.lowering.dispatch import lower
from jaxkeras.lowering.linear import linear_call
from jaxkeras.lowering.plain import masked_logits

Array = jax.Array


def turned_product(a: Array, b: Array) -> Array:
    """`plain.transposed_product`: both factors upright and the narrow one turned, for few columns of b.

    Turning the wide factor, or letting the product do so, costs more than the product. The barriers keep XLA from
    folding the turns back into it.
    """
    upright = lax.optimization_barrier(jnp.swapaxes(b, -1, -2))
    return jnp.swapaxes(lax.optimization_barrier(jnp.einsum("bndt,bnts->bnds", upright, a)), -1, -2)


def _forward(
    query: Array, key: Array, value: Array, bias: Array | None, mask: Array | None, drop: Drop | None
) -> tuple[Array, Array, Array]:
    """The output, the exponentials, and one over their sums."""
    logits = masked_logits(jnp.einsum("bntd,bnsd->bnts", query, key), bias, mask)
    powers = jnp.exp(logits - lax.stop_gradient(jnp.max(logits, -1, keepdims=True)))
    inverse = 1.0 / jnp.sum(powers, -1, keepdims=True)
    return jnp.einsum("bnts,bnsd->bntd", _dropped(powers, drop), value) * inverse, powers, inverse


def _dropped(x: Array, drop: Drop | None) -> Array:
    return x if drop is None else drop.apply(x)


def _allowed(x: Array, mask: Array | None) -> Array:
    return x if mask is None else jnp.where(mask, x, jnp.zeros_like(x))


def _tangent(rate: float, residuals: tuple, tangents: tuple) -> Array:
    query, key, value, powers, inverse, _, mask, seed = residuals
    d_query, d_key, d_value, d_bias = tangents
    drop = None if seed is None else Drop(rate, seed)
    weights = powers * inverse
    d_logits = jnp.einsum("bntd,bnsd->bnts", d_query, key) + jnp.einsum("bntd,bnsd->bnts", query, d_key)
    d_logits = _allowed(d_logits if d_bias is None else d_logits + d_bias, mask)
    d_weights = weights * (d_logits - jnp.sum(weights * d_logits, -1, keepdims=True))
    moved = jnp.einsum("bnts,bnsd->bntd", _dropped(d_weights, drop), value)
    return moved + jnp.einsum("bnts,bnsd->bntd", _dropped(weights, drop), d_value)


def _cotangents(bias_shape: tuple[int, ...] | None, rate: float, residuals: tuple, cotangent: Array) -> tuple:
    query, key, value, powers, inverse, output, mask, seed = residuals
    drop = None if seed is None else Drop(rate, seed)
    shared = jnp.sum(cotangent * output, -1, keepdims=True) * inverse
    cotangent = cotangent * inverse
    g_value = lower("transposed_product", _dropped(powers, drop), cotangent)
    g_weights = _dropped(jnp.einsum("bntd,bnsd->bnts", cotangent, value), drop)
    g_logits = _allowed(powers * (g_weights - shared), mask)
    g_query = jnp.einsum("bnts,bnsd->bntd", g_logits, key)
    g_key = lower("transposed_product", g_logits, query)
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
    mask: Array | None,
    seed: Array | None,
) -> Array:
    """Attention of (batch, heads, time, size), logits unscaled; weights are dropped where there is a seed."""
    return _forward(query, key, value, bias, mask, None if seed is None else Drop(rate, seed))[0]


@_heads_first.defjvp
def _(rate: float, primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    query, key, value, bias, mask, seed = primals
    output, powers, inverse = _forward(query, key, value, bias, mask, None if seed is None else Drop(rate, seed))
    residuals = (query, key, value, powers, inverse, output, mask, seed)
    forth = functools.partial(_tangent, rate)
    back = functools.partial(_cotangents, None if bias is None else bias.shape, rate)
    return output, linear_call(forth, back, residuals, tangents[:4])


def attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None,
    mask: Array | None,
    scale: float,
    drop: Drop | None,
) -> Array:
    """What `plain.attention` returns."""
    rate, seed = (0.0, None) if drop is None else (drop.rate, drop.key)
    turned = (jnp.swapaxes(x, 1, 2) for x in (query * jnp.asarray(scale, query.dtype), key, value))
    return jnp.swapaxes(_heads_first(rate, *turned, bias, mask, seed), 1, 2)
