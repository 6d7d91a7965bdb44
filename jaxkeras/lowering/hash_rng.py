"""Random masks and noise for layers: a hash of the position, seeded by a key.

`jax.random` uses Threefry, twenty rounds for two words, which on a CPU costs many times as much as a small layer.
Dropout needs much less: elements that look independent of their neighbours, of other layers and of other steps. Here
every element hashes its own index with three multiplications. Only uint32 arithmetic is used, so the same key gives the
same bits on every platform, in any loop and under `vmap`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Array = jax.Array

_STARTS = np.array([0x9E3779B9, 0x85EBCA6B], np.uint32)  # any two numbers


def _scrambled(x: Array) -> Array:
    """A bijection of uint32 in which every input bit affects about half of the output bits.

    The constants were found by search by Chris Wellons (github.com/skeeto/hash-prospector, "lowbias32").
    """
    x = (x ^ (x >> 16)) * np.uint32(0x21F0AAAD)
    x = (x ^ (x >> 15)) * np.uint32(0xD35A2D97)
    return x ^ (x >> 15)


def _seeds(key: Array) -> tuple[Array, Array]:
    """Two words that depend on every bit of a key, and differ between keys of two words."""
    words = jax.random.key_data(key) if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else key
    a, b = jnp.asarray(_STARTS[0]), jnp.asarray(_STARTS[1])
    for i in range(0, words.shape[-1], 2):
        a = _scrambled(a ^ words[..., i])
        b = _scrambled(b ^ words[..., min(i + 1, words.shape[-1] - 1)] ^ a)
        a = _scrambled(a ^ b)
    return a, b


def random_bits(key: Array, shape: Sequence[int]) -> Array:
    """Uniform uint32 numbers, a hash of each index.

    The hash is "triple32" of the same search, with half of the seed added between its rounds: two keys that
    start equal at different indices diverge there, and two multiplications follow. (With one, shifted masks of two keys
    are visibly correlated.) Numbers repeat after 2**32 places.

    Args:
        key: A JAX PRNG key, new or old style. One key is one draw: fold in a counter for every step.
        shape: Shape of the result.

    Returns:
        A uint32 array.
    """
    first, second = _seeds(key)
    x = lax.iota(np.uint32, math.prod(shape)).reshape(tuple(shape)) + first
    x = (x ^ (x >> 17)) * np.uint32(0xED5AD4BB)
    x = (x ^ (x >> 11)) + second
    x = x * np.uint32(0xAC4C1B51)
    x = (x ^ (x >> 15)) * np.uint32(0x31848BAB)
    return x ^ (x >> 14)


def dropout_mask(key: Array, shape: Sequence[int], rate: float | Array) -> Array:
    """True where a value is kept.

    Args:
        key: A JAX PRNG key, new or old style. One key is one mask: fold in a counter for every step.
        shape: Shape of the mask.
        rate: Share to drop, in [0, 1); a traced number may also be 1.

    Returns:
        A boolean array, each element True with probability 1 - rate.

    Raises:
        ValueError: if `rate` is outside [0, 1).
    """
    if isinstance(rate, jax.Array):
        scaled = jnp.minimum(jnp.asarray(rate, jnp.float32) * 2.0**32, 2.0**32 - 2.0**8)  # the largest that fits
        return random_bits(key, shape) >= scaled.astype(jnp.uint32)
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"`rate` is the share of values to drop and must be in [0, 1), got {rate}.")
    return random_bits(key, shape) >= np.uint32(min(round(rate * 2**32), 2**32 - 1))


def dropout(x: Array, rate: float | Array, key: Array, shape: Sequence[int] | None = None) -> Array:
    """Zero where a value is dropped, x / (1 - rate) elsewhere (Srivastava et al., 2014).

    Args:
        x: Any float array.
        rate: Share to drop, in [0, 1]; it may be traced.
        key: A JAX PRNG key, new or old style.
        shape: Shape of the mask, broadcast to x; by default that of x.

    Returns:
        An array like x.
    """
    if isinstance(rate, jax.Array):
        keep = dropout_mask(key, x.shape if shape is None else shape, rate)
        # Rounded as a division by a constant; with a rate of 1 nothing may be divided by 0, not even in gradients.
        share = jnp.where(rate < 1.0, 1.0 - rate, 1.0).astype(x.dtype)
        return jnp.where(keep & (rate < 1.0), x / share, jnp.zeros_like(x))
    if rate == 0.0:
        return x
    if rate == 1.0:
        return jnp.zeros_like(x)
    keep = dropout_mask(key, x.shape if shape is None else shape, rate)
    return jnp.where(keep, x / (1.0 - rate), jnp.zeros_like(x))


class Drop(NamedTuple):
    """A dropout to be applied: `key` may be traced, `rate` is a number in (0, 1)."""

    rate: float
    key: Array

    def apply(self, x: Array) -> Array:
        """Apply dropout to x."""
        return dropout(x, self.rate, self.key)


def normal_noise(key: Array, shape: Sequence[int], dtype: jnp.dtype) -> Array:
    """Standard normal numbers, by the inverse of their distribution function. At most 5.3 in float32, 6.3 in float64.

    Args:
        key: A JAX PRNG key, new or old style.
        shape: Shape of the result.
        dtype: Float type of the result; the numbers are computed in at least float32.

    Returns:
        An array of `dtype`.
    """
    wide = jnp.promote_types(dtype, jnp.float32)
    digits = 23 if wide == jnp.float32 else 32  # then the middle of each interval is exact, and neither end is reached
    steps = (random_bits(key, shape) >> (32 - digits)).astype(wide)
    uniform = (steps + 0.5) * 2.0 ** (1 - digits) - 1.0
    return (math.sqrt(2.0) * lax.erf_inv(uniform)).astype(dtype)
