"""Attention."""

from __future__ import annotations

from typing import Any

import jax

from jaxkeras import lowering
from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import TensorLike, as_array


@op
def dot_product_attention(
    query: TensorLike,
    key: TensorLike,
    value: TensorLike,
    bias: TensorLike | None = None,
    mask: TensorLike | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> jax.Array:
    """`softmax(scale * query key^T + bias) value`, for several heads.

    Args:
        query: array of shape `(batch, targets, heads, size)`.
        key: array of shape `(batch, sources, key_heads, size)`; `key_heads` divides `heads`.
        value: array of shape `(batch, sources, key_heads, size)`.
        bias: array added to the logits; broadcasts to `(batch, heads, targets, sources)`.
        mask: boolean array, True where a target may attend to a source; broadcasts likewise.
        scale: factor of the logits; `1 / sqrt(size)` by default.
        is_causal: whether a target may attend only to sources that are not later.
        flash_attention: whether to compute blockwise, which needs memory only for the weights of one block: True,
            False, or None to do as `config.enable_flash_attention` or `disable_flash_attention` requested and,
            without either, where it is faster.
        attn_logits_soft_cap: for compatibility with Keras; must be None.

    Returns:
        Array of shape `(batch, targets, heads, size)`.

    Raises:
        ValueError: for arrays with other numbers of axes, or a soft cap.

    Example:

    >>> x = np.ones((1, 3, 2, 4), "float32")
    >>> dot_product_attention(x, x, x, is_causal=True).shape
    (1, 3, 2, 4)

    Reference:
        [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)
    """
    if attn_logits_soft_cap is not None:
        raise ValueError("`attn_logits_soft_cap` is not supported; use None.")
    bias, mask = (None if a is None else as_array(a) for a in (bias, mask))
    query, key, value = as_array(query), as_array(key), as_array(value)
    output: Any = lowering.dot_product_attention(query, key, value, bias, mask, scale, is_causal, flash=flash_attention)
    return output
