"""Random draws: arrays of a shape, from a seed.

Every function takes `seed`: an integer (the same numbers at every call), a `SeedGenerator` (the next numbers of its
stream), a JAX key, or None (the global generator). The same seeds give the same bits as Keras on its JAX backend.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxkeras.core import config, jax_config, lazy_imports
from jaxkeras.core.dtypes import is_float_dtype, is_int_dtype, standardize_dtype
from jaxkeras.core.seeds import SeedGenerator as SeedGenerator
from jaxkeras.core.seeds import draw_key
from jaxkeras.core.symbolic import op
from jaxkeras.registry import register

__all__ = [
    "SeedGenerator", "beta", "binomial", "categorical", "dropout", "gamma", "normal", "randint", "shuffle",
    "truncated_normal", "uniform",
]  # fmt: skip
__dir__ = lazy_imports.public_dir(__name__)

register("keras.random")(SeedGenerator)

# Sizes drawn at once by the eager path: the smallest costs a millisecond; above the largest a compilation (0.2-0.3 s
# on two CPU cores) is cheaper than the surplus numbers.
_SMALLEST_BUCKET, _LARGEST_BUCKET = 2**14, 2**22
# Up to this size NumPy draws uniform numbers in less time (20 ms) than compiling for them takes (300 ms and more).
_LARGEST_ON_HOST = 2**18


@functools.partial(jax.jit, static_argnums=(0, 2, 3))
def _flat(sampler: Callable[..., jax.Array], key: jax.Array, size: int, dtype: str, *bounds: Any) -> jax.Array:
    return sampler(key, (size,), dtype, *bounds)


def is_eager(*values: Any) -> bool:
    """Whether these are plain values and no trace is in progress (which a fresh constant tells)."""
    return not any(isinstance(v, Tracer) for v in (*values, jax.device_put(np.uint32(0))))


def _bucket(size: int) -> int:
    """The power of four, within bounds, that `size` numbers are cut from: few sizes, so few compilations."""
    exponent = max(size - 1, 0).bit_length()
    return max(1 << (exponent + exponent % 2), _SMALLEST_BUCKET)


def _sample(sampler: Callable[..., jax.Array], seed: Any, shape: Sequence[int], dtype: Any, *bounds: Any) -> Any:
    """`sampler(key, shape, dtype, *bounds)`, bit for bit; on the host if eager and not too large.

    Under partitionable threefry a number depends on its flat index alone, so any shape is the start of a longer flat
    draw: one compilation serves all shapes of a bucket, where drawing them directly compiles each anew.
    """
    key = draw_key(seed)
    shape = tuple(operator.index(d) for d in shape)
    dtype = standardize_dtype(dtype)
    size = math.prod(shape)
    if _draws_on_host(sampler, key, size, dtype, bounds):
        return _uniform_on_host(np.asarray(key), size, *bounds).reshape(shape)
    if (
        size <= _LARGEST_BUCKET
        and getattr(jax.config, "jax_threefry_partitionable", True)
        and all(np.ndim(b) == 0 for b in bounds)
        and is_eager(key, *bounds)
    ):
        return np.asarray(_flat(sampler, key, _bucket(size), dtype, *bounds))[:size].reshape(shape)
    return sampler(key, shape, dtype, *bounds)


def _draws_on_host(sampler: Any, key: Any, size: int, dtype: str, bounds: tuple[Any, ...]) -> bool:
    return (
        sampler is jax.random.uniform
        and dtype == "float32"
        and size <= _LARGEST_ON_HOST
        and all(type(b) in (int, float) for b in bounds)
        and is_eager(key)
        and key.dtype == np.uint32
        and jax_config.settings.jax_default_prng_impl == "threefry2x32"
        and getattr(jax.config, "jax_threefry_partitionable", True)
    )


_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def _threefry_bits(key: np.ndarray, size: int) -> np.ndarray:
    """The first `size` random uint32 of a key (2,): Threefry-2x32 with 20 rounds over the counters 0, 1, ...

    Reference: Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (2011).
    """
    keys = np.array([key[0], key[1], key[0] ^ key[1] ^ np.uint32(0x1BD11BDA)], np.uint32)
    high = np.full(size, keys[0], np.uint32)  # of a counter of 64 bits, whose upper half is 0 here
    low = np.arange(size, dtype=np.uint32) + keys[1]
    shifted = np.empty_like(low)
    for i in range(5):
        for rotation in _ROTATIONS[i % 2]:
            high += low
            np.left_shift(low, np.uint32(rotation), out=shifted)
            low >>= np.uint32(32 - rotation)
            low |= shifted
            low ^= high
        high += keys[(i + 1) % 3]
        low += keys[(i + 2) % 3 : (i + 2) % 3 + 1] + np.uint32(i + 1)
    return high ^ low


def _uniform_on_host(key: np.ndarray, size: int, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """What `jax.random.uniform` draws: 23 random bits as the fraction of a float in [1, 2), moved and scaled."""
    bits = _threefry_bits(key, size) >> np.uint32(9) | np.uint32(0x3F800000)
    fraction = bits.view(np.float32) - np.float32(1)
    lowest, width = np.float32(low), np.float32(high) - np.float32(low)
    # In one rounding, as compiled code multiplies and adds.
    return np.maximum(lowest, (fraction.astype(np.float64) * width + np.float64(lowest)).astype(np.float32))


def _scaled(sample: Any, scale: Any, shift: Any) -> jax.Array:
    """`sample * scale + shift`, each operation rounded by itself as JAX's eager ones are."""
    if isinstance(sample, np.ndarray):
        if type(scale) in (int, float) and type(shift) in (int, float):
            number = sample.dtype.type
            return jax.device_put(sample * number(scale) + number(shift))
        sample = jax.device_put(sample)
    return sample * scale + shift


def _two_sigma(key: jax.Array, shape: tuple[int, ...], dtype: str) -> jax.Array:
    return jax.random.truncated_normal(key, shape=shape, lower=-2.0, upper=2.0, dtype=dtype)


def normal(shape: Sequence[int], mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> jax.Array:
    """Draw from a normal distribution.

    Args:
        shape: of the result.
        mean: of the distribution; a scalar, or an array that broadcasts with `shape`.
        stddev: its standard deviation.
        dtype: floating type; `floatx()` by default.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array of `shape`.

    Example:

    >>> normal((2, 3), seed=1).shape
    (2, 3)
    """
    return _scaled(_sample(jax.random.normal, seed, shape, dtype), stddev, mean)


def truncated_normal(
    shape: Sequence[int], mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> jax.Array:
    """Draw from a normal distribution cut off at two standard deviations from its mean.

    Args:
        shape: of the result.
        mean: of the distribution before the cut.
        stddev: its standard deviation before the cut.
        dtype: floating type; `floatx()` by default.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array of `shape`.
    """
    return _scaled(_sample(_two_sigma, seed, shape, dtype), stddev, mean)


def uniform(
    shape: Sequence[int], minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None
) -> jax.Array:
    """Draw uniformly from `[minval, maxval)`.

    Args:
        shape: of the result.
        minval: lower bound, included.
        maxval: upper bound, excluded.
        dtype: floating type; `floatx()` by default.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array of `shape`.

    Raises:
        ValueError: for a dtype that is not floating (use `randint`).
    """
    if dtype and not is_float_dtype(dtype):
        raise ValueError(f"`uniform` draws floating-point numbers, got dtype={dtype!r}. For integers use `randint`.")
    sample = _sample(jax.random.uniform, seed, shape, dtype, minval, maxval)
    # A copy, so that the bucket which the sample is cut from can be freed.
    return jax.device_put(sample.copy()) if isinstance(sample, np.ndarray) else sample


def randint(shape: Sequence[int], minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None) -> jax.Array:
    """Draw integers uniformly from `[minval, maxval)`.

    Args:
        shape: of the result.
        minval: lower bound, included.
        maxval: upper bound, excluded.
        dtype: integer type.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array of `shape`.

    Raises:
        ValueError: for a dtype that is not an integer type (use `uniform`).
    """
    if dtype and not is_int_dtype(dtype):
        raise ValueError(f"`randint` draws integers, got dtype={dtype!r}. For floating-point numbers use `uniform`.")
    return jax.random.randint(draw_key(seed), shape=tuple(shape), minval=minval, maxval=maxval, dtype=dtype)


@op
def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> jax.Array:
    """Draw class indices, each row from its own unnormalised log probabilities.

    Args:
        logits: array of shape `(batch, classes)`.
        num_samples: draws from each row.
        dtype: of the indices.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array of shape `(batch, num_samples)`.

    Raises:
        ValueError: for logits that are not two-dimensional.
    """
    logits = jnp.asarray(logits)
    if logits.ndim != 2:
        raise ValueError(f"`logits` must have shape (batch, classes), got shape {logits.shape}.")
    shape = (logits.shape[0], num_samples)
    return jax.random.categorical(draw_key(seed), logits[..., None], shape=shape, axis=1).astype(dtype)


def gamma(shape: Sequence[int], alpha: Any, dtype: Any = None, seed: Any = None) -> jax.Array:
    """Draw from a gamma distribution with scale 1.

    Args:
        shape: of the result.
        alpha: shape parameter; broadcasts with `shape`.
        dtype: floating type; `floatx()` by default.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array of `shape`.
    """
    return jax.random.gamma(draw_key(seed), alpha, shape=tuple(shape), dtype=dtype or config.floatx())


def binomial(shape: Sequence[int], counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None) -> jax.Array:
    """Draw the number of successes among independent trials.

    Args:
        shape: of the result.
        counts: trials; broadcasts with `shape`.
        probabilities: of success in one trial; broadcasts with `shape`.
        dtype: floating type; `floatx()` by default.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array of `shape`.
    """
    n, p = jnp.asarray(counts), jnp.asarray(probabilities)
    return jax.random.binomial(draw_key(seed), n=n, p=p, shape=tuple(shape), dtype=dtype or config.floatx())


def beta(shape: Sequence[int], alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> jax.Array:
    """Draw from a beta distribution.

    Args:
        shape: of the result.
        alpha: first parameter; broadcasts with `shape`.
        beta: second parameter; broadcasts with `shape`.
        dtype: floating type; `floatx()` by default.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array of `shape`, values in (0, 1).
    """
    a, b = jnp.asarray(alpha), jnp.asarray(beta)
    return jax.random.beta(draw_key(seed), a=a, b=b, shape=tuple(shape), dtype=dtype or config.floatx())


@op
def dropout(inputs: Any, rate: float, noise_shape: Sequence[int | None] | None = None, seed: Any = None) -> jax.Array:
    """Set a random part of the elements to zero and scale up the others, so that the expected sum stays.

    Args:
        inputs: array.
        rate: part to drop, between 0 and 1.
        noise_shape: shape of the mask, broadcast to `inputs`; None in it takes the size of `inputs`. An axis of
            size 1 is dropped or kept as a whole.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array like `inputs`.

    Reference:
        [Srivastava et al., 2014](https://jmlr.org/papers/v15/srivastava14a.html)
    """
    inputs = jnp.asarray(inputs)
    if rate == 0.0:
        return inputs
    if rate == 1.0:
        return jnp.zeros_like(inputs)
    keep = 1.0 - rate
    sizes = inputs.shape if noise_shape is None else noise_shape
    shape = tuple(actual if size is None else size for size, actual in zip(sizes, inputs.shape))
    mask = jnp.broadcast_to(jax.random.bernoulli(draw_key(seed), p=keep, shape=shape), inputs.shape)
    return jax.lax.select(mask, inputs / keep, jnp.zeros_like(inputs))


@op
def shuffle(x: Any, axis: int = 0, seed: Any = None) -> jax.Array:
    """Permute the elements along an axis, each line of the array by a permutation of its own.

    Args:
        x: array.
        axis: along which to permute.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array of the shape of `x`.
    """
    return jax.random.permutation(draw_key(seed), jnp.asarray(x), axis, independent=True)
