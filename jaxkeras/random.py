"""Random arrays.

Every function takes a `seed`: an integer (the same numbers in every call), a `SeedGenerator` (the next numbers of its
stream), a JAX key, or None (the global generator). Equal seeds give the same bits as Keras on its JAX backend.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxkeras.core import config, lazy_imports
from jaxkeras.core.dtypes import is_float_dtype, is_int_dtype, standardize_dtype
from jaxkeras.core.seeds import SeedGenerator as SeedGenerator
from jaxkeras.core.seeds import draw_key
from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import DTypeLike, TensorLike, as_array
from jaxkeras.registry import register

__all__ = [
    "SeedGenerator", "beta", "binomial", "categorical", "dropout", "gamma", "normal", "randint", "shuffle",
    "truncated_normal", "uniform",
]  # fmt: skip
__dir__ = lazy_imports.public_dir(__name__)

register("keras.random")(SeedGenerator)

Seed: TypeAlias = int | SeedGenerator | jax.Array | None


# The eager path draws more numbers than needed, so that few sizes are compiled. The smallest size costs a millisecond;
# above the largest a compilation (0.2-0.3 s on two CPU cores) is cheaper than the surplus numbers.
_SMALLEST_BUCKET, _LARGEST_BUCKET = 2**14, 2**22
# Up to this size NumPy takes less time (20 ms) to draw uniform numbers than a compilation (300 ms and more).
_LARGEST_ON_HOST = 2**18


@functools.partial(jax.jit, static_argnums=(0, 2, 3))
def _flat(sampler: Callable[..., jax.Array], key: jax.Array, size: int, dtype: str, *bounds: Any) -> jax.Array:
    return sampler(key, (size,), dtype, *bounds)


def is_eager(*values: Any) -> bool:
    """Whether these are concrete values and no trace is in progress (in which a new constant would be a tracer)."""
    return not any(isinstance(v, Tracer) for v in (*values, jax.device_put(np.uint32(0))))


def _bucket(size: int) -> int:
    """The size to draw for `size` numbers: a power of four, so that few sizes are compiled."""
    exponent = max(size - 1, 0).bit_length()
    return max(1 << (exponent + exponent % 2), _SMALLEST_BUCKET)


def _sample(sampler: Callable[..., jax.Array], seed: Any, shape: Sequence[int], dtype: Any, *bounds: Any) -> Any:
    """`sampler(key, shape, dtype, *bounds)`, bit for bit; on the host if eager and not too large.

    With partitionable threefry a number depends only on its flat index, so an array of any shape is the beginning of a
    longer vector: one compilation serves all shapes of a bucket, while drawing them directly compiles for each shape.
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
        and jax.config.jax_default_prng_impl == "threefry2x32"  # type: ignore[attr-defined]
        and getattr(jax.config, "jax_threefry_partitionable", True)
    )


_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def _threefry_bits(key: np.ndarray, size: int) -> np.ndarray:
    """The first `size` random uint32 for a key of shape (2,): Threefry-2x32 with 20 rounds of the counters 0, 1, ...

    Reference: Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (2011).
    """
    keys = np.array([key[0], key[1], key[0] ^ key[1] ^ np.uint32(0x1BD11BDA)], np.uint32)
    high = np.full(size, keys[0], np.uint32)  # the upper half of a 64-bit counter, which is 0
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
    """The numbers of `jax.random.uniform`: 23 random bits as the fraction of a float in [1, 2), shifted and scaled."""
    bits = _threefry_bits(key, size) >> np.uint32(9) | np.uint32(0x3F800000)
    fraction = bits.view(np.float32) - np.float32(1)
    lowest, width = np.float32(low), np.float32(high) - np.float32(low)
    # Rounded once, like the fused multiply-add of compiled code.
    return np.maximum(lowest, (fraction.astype(np.float64) * width + np.float64(lowest)).astype(np.float32))


def _scaled(sample: Any, scale: Any, shift: Any) -> jax.Array:
    """`sample * scale + shift`, with each operation rounded separately as JAX does eagerly."""
    if isinstance(sample, np.ndarray):
        if type(scale) in (int, float) and type(shift) in (int, float):
            number = sample.dtype.type
            return jax.device_put(sample * number(scale) + number(shift))
        sample = jax.device_put(sample)
    return sample * scale + shift


def _two_sigma(key: jax.Array, shape: tuple[int, ...], dtype: str) -> jax.Array:
    return jax.random.truncated_normal(key, shape=shape, lower=-2.0, upper=2.0, dtype=dtype)


def normal(
    shape: Sequence[int],
    mean: ArrayLike = 0.0,
    stddev: ArrayLike = 1.0,
    dtype: DTypeLike = None,
    seed: Seed = None,
) -> jax.Array:
    """Draw from a normal distribution.

    Args:
        shape: shape of the result.
        mean: mean of the distribution; a scalar, or an array that broadcasts with `shape`.
        stddev: its standard deviation; likewise.
        dtype: floating-point dtype of the result; `floatx()` by default.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array of `shape`.

    Example:

    >>> normal((2, 3), seed=1).shape
    (2, 3)
    """
    return _scaled(_sample(jax.random.normal, seed, shape, dtype), stddev, mean)


def truncated_normal(
    shape: Sequence[int],
    mean: ArrayLike = 0.0,
    stddev: ArrayLike = 1.0,
    dtype: DTypeLike = None,
    seed: Seed = None,
) -> jax.Array:
    """Draw from a normal distribution truncated at two standard deviations from its mean.

    Args:
        shape: shape of the result.
        mean: mean of the distribution before truncation; a scalar, or an array that broadcasts with `shape`.
        stddev: its standard deviation before truncation; likewise.
        dtype: floating-point dtype of the result; `floatx()` by default.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array of `shape`.

    Example:

    >>> x = truncated_normal((100,), mean=1.0, stddev=0.5, seed=1)
    >>> bool((abs(x - 1.0) <= 1.0).all())
    True
    """
    return _scaled(_sample(_two_sigma, seed, shape, dtype), stddev, mean)


def uniform(
    shape: Sequence[int],
    minval: ArrayLike = 0.0,
    maxval: ArrayLike = 1.0,
    dtype: DTypeLike = None,
    seed: Seed = None,
) -> jax.Array:
    """Draw uniformly from `[minval, maxval)`.

    Args:
        shape: shape of the result.
        minval: lower bound, inclusive.
        maxval: upper bound, exclusive.
        dtype: floating-point dtype of the result; `floatx()` by default.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array of `shape`.

    Raises:
        ValueError: for a dtype that is not floating-point (use `randint`).

    Example:

    >>> x = uniform((2, 3), minval=-1.0, maxval=1.0, seed=1)
    >>> x.shape, bool((-1 <= x).all() and (x < 1).all())
    ((2, 3), True)
    """
    if dtype and not is_float_dtype(dtype):
        raise ValueError(f"`uniform` draws floating-point numbers, got dtype={dtype!r}. For integers use `randint`.")
    sample = _sample(jax.random.uniform, seed, shape, dtype, minval, maxval)
    # A copy, so that the longer vector of which the sample is a view can be freed.
    return jax.device_put(sample.copy()) if isinstance(sample, np.ndarray) else sample


def randint(
    shape: Sequence[int], minval: ArrayLike, maxval: ArrayLike, dtype: DTypeLike = "int32", seed: Seed = None
) -> jax.Array:
    """Draw integers uniformly from `[minval, maxval)`.

    Args:
        shape: shape of the result.
        minval: lower bound, inclusive.
        maxval: upper bound, exclusive.
        dtype: integer dtype of the result.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array of `shape`.

    Raises:
        ValueError: for a dtype that is not an integer dtype (use `uniform`).

    Example:

    >>> x = randint((100,), 0, 3, seed=1)
    >>> sorted(set(x.tolist()))
    [0, 1, 2]
    """
    if dtype and not is_int_dtype(dtype):
        raise ValueError(f"`randint` draws integers, got dtype={dtype!r}. For floating-point numbers use `uniform`.")
    return jax.random.randint(draw_key(seed), shape=tuple(shape), minval=minval, maxval=maxval, dtype=dtype)


@op
def categorical(logits: TensorLike, num_samples: int, dtype: DTypeLike = "int32", seed: Seed = None) -> jax.Array:
    """Draw class indices, each row from its own unnormalized log probabilities.

    Args:
        logits: floating-point array of shape `(batch, classes)`.
        num_samples: number of draws from each row.
        dtype: dtype of the indices.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array of shape `(batch, num_samples)`.

    Raises:
        ValueError: for logits that are not two-dimensional.

    Example:

    >>> categorical(np.log([[0.0, 1.0]]), num_samples=3, seed=1).tolist()
    [[1, 1, 1]]
    """
    logits = as_array(logits)
    if logits.ndim != 2:
        raise ValueError(f"`logits` must have shape (batch, classes), got shape {logits.shape}.")
    shape = (logits.shape[0], num_samples)
    return jax.random.categorical(draw_key(seed), logits[..., None], shape=shape, axis=1).astype(dtype)


def gamma(shape: Sequence[int], alpha: ArrayLike, dtype: DTypeLike = None, seed: Seed = None) -> jax.Array:
    """Draw from a gamma distribution with scale 1.

    Args:
        shape: shape of the result.
        alpha: positive shape parameter; a scalar, or an array that broadcasts with `shape`.
        dtype: floating-point dtype of the result; `floatx()` by default.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array of `shape`.

    Example:

    >>> bool((gamma((2, 3), alpha=2.0, seed=1) > 0).all())
    True
    """
    return jax.random.gamma(draw_key(seed), alpha, shape=tuple(shape), dtype=dtype or config.floatx())


def binomial(
    shape: Sequence[int],
    counts: ArrayLike,
    probabilities: ArrayLike,
    dtype: DTypeLike = None,
    seed: Seed = None,
) -> jax.Array:
    """Draw from a binomial distribution: the number of successes in independent trials.

    Args:
        shape: shape of the result.
        counts: number of trials; a scalar, or an array that broadcasts with `shape`.
        probabilities: probability of success in one trial; likewise.
        dtype: floating-point dtype of the result; `floatx()` by default.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array of `shape`.

    Example:

    >>> binomial((3,), counts=[10, 20, 30], probabilities=1.0, seed=1).tolist()
    [10.0, 20.0, 30.0]
    """
    n, p = jnp.asarray(counts), jnp.asarray(probabilities)
    return jax.random.binomial(draw_key(seed), n=n, p=p, shape=tuple(shape), dtype=dtype or config.floatx())


def beta(
    shape: Sequence[int], alpha: ArrayLike, beta: TensorLike, dtype: DTypeLike = None, seed: Seed = None
) -> jax.Array:
    """Draw from a beta distribution.

    Args:
        shape: shape of the result.
        alpha: first positive parameter; a scalar, or an array that broadcasts with `shape`.
        beta: second positive parameter; likewise.
        dtype: floating-point dtype of the result; `floatx()` by default.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array of `shape`, values in (0, 1).

    Example:

    >>> x = beta((2, 3), alpha=2.0, beta=1.0, seed=1)
    >>> bool((0 < x).all() and (x < 1).all())
    True
    """
    a, b = jnp.asarray(alpha), jnp.asarray(beta)
    return jax.random.beta(draw_key(seed), a=a, b=b, shape=tuple(shape), dtype=dtype or config.floatx())


@op
def dropout(
    inputs: TensorLike, rate: float, noise_shape: Sequence[int | None] | None = None, seed: Seed = None
) -> jax.Array:
    """Set random elements to zero and scale the others by `1 / (1 - rate)`, which preserves the expected sum.

    Args:
        inputs: floating-point array of any shape.
        rate: fraction of elements to drop, between 0 and 1.
        noise_shape: shape of the mask, which broadcasts to `inputs`; None stands for the size of `inputs`. Elements
            along an axis of size 1 are dropped or kept together.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array of the shape and dtype of `inputs`.

    Example:

    >>> sorted(set(dropout(np.ones(100, "float32"), 0.5, seed=1).tolist()))
    [0.0, 2.0]

    Reference:
        [Srivastava et al., 2014](https://jmlr.org/papers/v15/srivastava14a.html)
    """
    inputs = as_array(inputs)
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
def shuffle(x: TensorLike, axis: int = 0, seed: Seed = None) -> jax.Array:
    """Permute the elements along an axis, independently for each vector.

    Args:
        x: array with at least one axis.
        axis: axis along which to permute.
        seed: integer, `SeedGenerator`, JAX key or None.

    Returns:
        Array of the shape and dtype of `x`.

    Example:

    >>> sorted(shuffle([1, 2, 3], seed=1).tolist())
    [1, 2, 3]
    """
    return jax.random.permutation(draw_key(seed), as_array(x), axis, independent=True)
