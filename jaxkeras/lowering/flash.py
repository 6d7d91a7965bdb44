"""Attention block by block, so that the weights of all pairs never exist at once.

Rabe and Staats, 2021, Self-attention Does Not Need O(n^2) Memory: the softmax of a target needs its own row only, so
blocks of targets are independent. A block's weights are recomputed in the backward pass instead of being kept.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxkeras.lowering import reference

Array = jax.Array

BLOCK = 256  # targets at a time


def _split(x: Array, axis: int) -> Array:
    """(..., targets, ...) to (blocks, ..., BLOCK, ...), the last block filled up with zeros."""
    x = jnp.pad(x, [(0, -x.shape[axis] % BLOCK if i == axis else 0) for i in range(x.ndim)])
    return jnp.moveaxis(x.reshape(*x.shape[:axis], -1, BLOCK, *x.shape[axis + 1 :]), axis, 0)


def attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None,
    mask: Array | None,
    scale: float,
    drop: None = None,
    is_causal: bool = False,
    query_mask: Array | None = None,
) -> Array:
    """As `reference.attention`, in blocks of targets."""
    targets = query.shape[1]
    mask = reference.whole_mask(mask, is_causal, query, key, query_mask)
    if targets <= BLOCK:
        return reference.attention(query, key, value, bias, mask, scale, None)
    rows = {name: x for name, x in (("bias", bias), ("mask", mask)) if x is not None}
    moving = {name: _split(x, 2) for name, x in rows.items() if x.shape[2] == targets}

    @jax.checkpoint
    def block(inputs: tuple[Array, dict[str, Array]]) -> Array:
        own = {**rows, **inputs[1]}
        return reference.attention(inputs[0], key, value, own.get("bias"), own.get("mask"), scale, None)

    output = lax.map(block, (_split(query, 1), moving))
    output = jnp.moveaxis(output, 0, 1)
    return output.reshape(output.shape[0], -1, *output.shape[3:])[:, :targets]
