"""Attention by cuDNN, which never keeps the weights of all pairs (as FlashAttention, Dao et al., 2022)."""

from __future__ import annotations

import functools
import importlib.util
from typing import Any

import jax

from jaxkeras.lowering.reference import whole_mask

Array = jax.Array

MAX_SIZE = 128  # of a head; later GPUs take 256


@functools.cache
def is_available() -> bool:
    """Whether this process has a CUDA device whose cuDNN has the kernels (Ampere or later).

    A program that is exported for CUDA from a process without one keeps the plain form.
    """
    if importlib.util.find_spec("jax_cuda12_plugin") is None and importlib.util.find_spec("jax_cuda13_plugin") is None:
        return False
    try:
        return float(jax.local_devices(backend="cuda")[0].compute_capability) >= 8
    except RuntimeError:  # the plugin is installed, but there is no device
        return False


def fits(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None,
    mask: Array | None,
    scale: float,
    drop: Any,
    is_causal: bool = False,
    query_mask: Array | None = None,
) -> bool:
    """What cuDNN computes: 16-bit numbers, heads of a multiple of 8, no dropout; with a bias or mask, even lengths."""
    size = query.shape[-1]
    sized = size == value.shape[-1] and size % 8 == 0 and size <= MAX_SIZE
    even = all(x is None for x in (bias, mask, query_mask)) or query.shape[1] % 2 == key.shape[1] % 2 == 0
    return drop is None and query.dtype.itemsize == 2 and sized and even and is_available()


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
    """As `reference.attention`; the softmax and its sums are in 32 bits."""
    mask = whole_mask(mask, False, query, key, query_mask)
    bias = bias if bias is None else bias.astype(query.dtype)
    return jax.nn.dot_product_attention(
        query, key, value, bias, mask, scale=scale, is_causal=is_causal, implementation="cudnn"
    )
