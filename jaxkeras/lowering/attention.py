"""Dot-product attention and softmax."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from jaxkeras.core import config
from jaxkeras.lowering import operations, reference
from jaxkeras.lowering.hash_rng import Drop

Array = jax.Array


def softmax(x: Array, axis: int | tuple[int, ...] = -1) -> Array:
    """exp(x) / sum(exp(x)) over `axis`; its tangent needs the result only.

    Args:
        x: Any float array.
        axis: One axis or several that are normalised together.

    Returns:
        An array of the shape of x.
    """
    return jax.nn.softmax(x, axis=axis)


def _rank4(x: Array | None) -> Array | None:
    return x if x is None else x.reshape((1,) * (4 - x.ndim) + x.shape)


def dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None = None,
    mask: Array | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    dropout_rate: float = 0.0,
    dropout_key: Array | None = None,
    return_scores: bool = False,
    flash: bool | None = None,
    query_mask: Array | None = None,
) -> Array | tuple[Array, Array]:
    """softmax(scale * query key^T + bias) value (Vaswani et al., 2017). The softmax runs in at least float32.

    Args:
        query: (batch, targets, heads, size).
        key: (batch, sources, key_heads, size); key_heads divides heads.
        value: (batch, sources, key_heads, value_size).
        bias: Added to the logits; broadcastable to (batch, heads, targets, sources).
        mask: True where a target may attend to a source; broadcastable likewise. A row that is all False attends to
            everything equally.
        scale: Factor of the logits; 1 / sqrt(size) where None.
        is_causal: Also mask later sources.
        dropout_rate: Share of the attention weights to drop.
        dropout_key: A key; without one nothing is dropped.
        return_scores: Also return the weights before dropout, (batch, heads, targets, sources).
        flash: Whether to process the targets block by block, if nothing is dropped and no weights are returned:
            True or False, or None for the setting of `config.enable_flash_attention` or `disable_flash_attention`,
            or without a setting where it is faster.
        query_mask: (batch, targets), False for a target that attends to everything equally: for masks of padding, which
            the CPU need not spread over all pairs.

    Returns:
        (batch, targets, heads, value_size), or that and the weights.

    Raises:
        ValueError: if the arrays are not of rank 4 or heads do not fit.
    """
    if query.ndim != 4 or key.ndim != 4 or value.ndim != 4 or query.shape[2] % key.shape[2]:
        raise ValueError(
            "Attention takes query, key and value of (batch, time, heads, size), key heads dividing query heads; got "
            f"{query.shape}, {key.shape} and {value.shape}."
        )
    dtype = jnp.result_type(query.dtype, key.dtype, value.dtype)
    query, key, value = query.astype(dtype), key.astype(dtype), value.astype(dtype)
    repeats = query.shape[2] // key.shape[2]
    if repeats > 1:
        key, value = jnp.repeat(key, repeats, axis=2), jnp.repeat(value, repeats, axis=2)
    bias, mask = _rank4(bias), _rank4(mask)
    mask, query_mask = (m if m is None else m.astype(bool) for m in (mask, query_mask))
    scale = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale

    drop = Drop(dropout_rate, dropout_key) if dropout_rate and dropout_key is not None else None
    if return_scores:
        mask = reference.whole_mask(mask, is_causal, query, key, query_mask)
        return reference.attention_with_weights(query, key, value, bias, mask, scale, drop)
    if drop is None:
        flash = config.is_flash_attention_enabled() if flash is None else flash
        if flash:
            return operations.blockwise_attention(query, key, value, bias, mask, scale, None, is_causal, query_mask)
        if flash is None:
            return operations.attention_of_any_length(query, key, value, bias, mask, scale, None, is_causal, query_mask)
    return operations.attention(query, key, value, bias, mask, scale, drop, is_causal, query_mask)
