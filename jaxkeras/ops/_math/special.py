"""Special functions, the largest elements, distances."""

from __future__ import annotations

import inspect

import jax
import jax.numpy as jnp

from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import Axes, TensorLike, as_array
from jaxkeras.ops._make_op import FLOATING, PROMOTED_FLOATING, REDUCED, inexact, make_op


@make_op(inexact(jax.scipy.special.erf), FLOATING)
def erf(x: TensorLike) -> jax.Array:
    """Error function, `2 / sqrt(pi)` times the integral of `exp(-t**2)` from 0 to `x`.

    Example:

    >>> print(np.asarray(erf([0.0, 1.0])).round(4))
    [0.     0.8427]
    """
    ...


@make_op(inexact(jax.scipy.special.erfc), FLOATING)
def erfc(x: TensorLike) -> jax.Array:
    """`1 - erf(x)`, accurate for large `x`.

    Example:

    >>> print(np.asarray(erfc([0.0, 1.0])).round(4))
    [1.     0.1573]
    """
    ...


@make_op(inexact(jax.scipy.special.erfinv), FLOATING)
def erfinv(x: TensorLike) -> jax.Array:
    """Inverse of the error function.

    Example:

    >>> print(np.asarray(erfinv([0.0, 0.5])).round(4))
    [0.     0.4769]
    """
    ...


@make_op(jax.scipy.special.gammainc, PROMOTED_FLOATING)
def gammainc(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Regularized lower incomplete gamma function.

    `1 / gamma(x1)` times the integral of `t**(x1 - 1) exp(-t)` from 0 to `x2`.

    Args:
        x1: array of any shape, the positive parameter of the gamma function.
        x2: array that broadcasts with `x1`, the non-negative upper limit of the integral.

    Example:

    >>> print(np.asarray(gammainc([1.0, 2.0], 1.0)).round(4))
    [0.6321 0.2642]
    """
    ...


@make_op(inexact(jax.scipy.special.gammaln), FLOATING)
def lgamma(x: TensorLike) -> jax.Array:
    """Logarithm of the absolute value of the gamma function.

    Example:

    >>> print(np.asarray(lgamma([1.0, 5.0])).round(4))
    [0.     3.1781]
    """
    ...


@make_op(lambda x: jnp.linalg.slogdet(x)[1])
def logdet(x: TensorLike) -> jax.Array:
    """Logarithm of the absolute value of a determinant.

    Args:
        x: array of shape `(..., n, n)`.

    Returns:
        Array of shape `(...)`, with a floating-point dtype.

    Example:

    >>> print(np.asarray(logdet([[2.0, 0.0], [0.0, 0.5]])).round(4))
    0.0
    """
    ...


@make_op(inexact(jax.scipy.special.logsumexp), REDUCED)
def logsumexp(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """`log(sum(exp(x)))`, without overflow.

    Example:

    >>> print(np.asarray(logsumexp([1000.0, 1000.0])).round(3))
    1000.693
    """
    ...


@make_op(inexact(lambda x: jax.lax.rsqrt(as_array(x))), FLOATING)
def rsqrt(x: TensorLike) -> jax.Array:
    """One divided by the square root.

    Example:

    >>> print(np.asarray(rsqrt([4.0, 16.0])).round(4))
    [0.5  0.25]
    """
    ...


_TOP_K_HAS_STABILITY = "is_stable" in inspect.signature(jax.lax.top_k).parameters


@op
def top_k(x: TensorLike, k: int, sorted: bool = True, is_stable: bool = True) -> tuple[jax.Array, jax.Array]:
    """The `k` largest elements along the last axis, and their indices.

    Args:
        x: array of shape `(..., n)`.
        k: number of elements, at most `n`.
        sorted: for compatibility with Keras; the elements come in decreasing order in any case.
        is_stable: whether equal elements keep their order. Older versions of JAX always keep it.

    Returns:
        `(values, indices)`, of shape `(..., k)`, with the dtype of `x` and int32.

    Example:

    >>> values, indices = top_k([1, 9, 5], k=2)
    >>> values.tolist(), indices.tolist()
    ([9, 5], [1, 2])
    """
    options = {"is_stable": is_stable} if _TOP_K_HAS_STABILITY else {}
    values, indices = jax.lax.top_k(as_array(x), k, **options)
    return values, indices


@op
def cdist(x: TensorLike, y: TensorLike) -> jax.Array:
    """Euclidean distances between the rows of two arrays.

    Args:
        x: array of shape `(..., m, n)`.
        y: array of shape `(..., k, n)`.

    Returns:
        Array of shape `(..., m, k)`.

    Raises:
        ValueError: for fewer than two axes, or rows of different lengths.

    Example:

    >>> cdist([[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]]).tolist()
    [[5.0, 1.0]]
    """
    x, y = as_array(x), as_array(y)
    if min(x.ndim, y.ndim) < 2 or x.shape[-1] != y.shape[-1]:
        raise ValueError(f"Expected shapes (..., m, n) and (..., k, n), got {x.shape} and {y.shape}.")
    return jnp.sqrt(jnp.sum(jnp.square(x[..., :, None, :] - y[..., None, :, :]), axis=-1))
