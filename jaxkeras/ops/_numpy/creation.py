"""Ops that make arrays: of constants, ranges and windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core import config
from jaxkeras.ops._arrays import DTypeLike, Shape, TensorLike, as_array
from jaxkeras.ops._make_op import floatx_by_default, make_op


@make_op(jnp.arange)
def arange(start: float, stop: float | None = None, step: float | None = None, dtype: DTypeLike = None) -> jax.Array:
    """Evenly spaced values of a half-open interval.

    Args:
        start: first value; the end of the interval, with 0 as first value, if `stop` is None.
        stop: end of the interval, excluded.
        step: distance between values; 1 by default.
        dtype: dtype of the result; inferred from the other arguments by default.

    Returns:
        Vector of length `ceil((stop - start) / step)`.

    Example:

    >>> arange(1, 7, 2).tolist()
    [1, 3, 5]
    """
    ...


@make_op(as_array)
def array(x: TensorLike, dtype: DTypeLike = None) -> jax.Array:
    """Make an array of anything array-like.

    Args:
        x: array, variable, number or nested list.
        dtype: dtype of the result; that of `x` by default.

    Returns:
        Array of the shape of `x`.

    Example:

    >>> array([[1, 2]], dtype="float32").tolist()
    [[1.0, 2.0]]
    """
    ...


@make_op(floatx_by_default(jnp.empty))
def empty(shape: Shape, dtype: DTypeLike = None) -> jax.Array:
    """Make an array whose values are left open (in JAX they are zeros).

    Args:
        shape: shape of the result, an integer or a sequence of integers.
        dtype: dtype of the result; `floatx()` by default.

    Returns:
        Array of shape `shape`.

    Example:

    >>> empty((2, 3)).shape
    (2, 3)
    """
    ...


@make_op(jnp.empty_like)
def empty_like(x: TensorLike, dtype: DTypeLike = None) -> jax.Array:
    """Make an array like another one, whose values are left open (in JAX they are zeros).

    Args:
        x: array of any shape.
        dtype: dtype of the result; that of `x` by default.

    Returns:
        Array of the shape of `x`.

    Example:

    >>> empty_like([[1, 2]]).shape
    (1, 2)
    """
    ...


@make_op(floatx_by_default(jnp.eye))
def eye(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike = None) -> jax.Array:
    """Make a matrix with ones on a diagonal and zeros elsewhere.

    Args:
        N: number of rows.
        M: number of columns; `N` by default.
        k: offset of the diagonal: 0 for the main one, positive above it, negative below it.
        dtype: dtype of the result; `floatx()` by default.

    Returns:
        Array of shape `(N, M)`.

    Example:

    >>> eye(2, 3, k=1).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    ...


@make_op(floatx_by_default(jnp.full))
def full(shape: Shape, fill_value: Any, dtype: DTypeLike = None) -> jax.Array:
    """Make an array filled with one value.

    Args:
        shape: shape of the result, an integer or a sequence of integers.
        fill_value: scalar, or array that broadcasts to `shape`.
        dtype: dtype of the result; `floatx()` by default.

    Returns:
        Array of shape `shape`.

    Example:

    >>> full((2, 2), 7).tolist()
    [[7.0, 7.0], [7.0, 7.0]]
    """
    ...


@make_op(jnp.full_like)
def full_like(x: TensorLike, fill_value: Any, dtype: DTypeLike = None) -> jax.Array:
    """Make an array like another one, filled with one value.

    Args:
        x: array of any shape.
        fill_value: scalar, or array that broadcasts to the shape of `x`.
        dtype: dtype of the result; that of `x` by default.

    Returns:
        Array of the shape of `x`.

    Example:

    >>> full_like([[1, 2]], 7).tolist()
    [[7, 7]]
    """
    ...


@make_op(jnp.geomspace)
def geomspace(
    start: TensorLike, stop: TensorLike, num: int = 50, endpoint: bool = True, dtype: DTypeLike = None, axis: int = 0
) -> jax.Array:
    """Make values that are evenly spaced on a logarithmic scale, from the first and the last.

    Args:
        start: first value, a scalar or an array.
        stop: last value, a scalar or an array that broadcasts with `start`.
        num: number of values.
        endpoint: whether `stop` is the last value.
        dtype: dtype of the result; inferred from `start` and `stop` by default, and floating-point.
        axis: position of the new axis in the result, where `start` or `stop` is an array.

    Returns:
        Array with a new axis of size `num`.

    Example:

    >>> print(np.asarray(geomspace(1.0, 100.0, 3)).round(3))
    [  1.  10. 100.]
    """
    ...


@make_op(floatx_by_default(jnp.identity))
def identity(n: int, dtype: DTypeLike = None) -> jax.Array:
    """Make the identity matrix.

    Args:
        n: number of rows and columns.
        dtype: dtype of the result; `floatx()` by default.

    Returns:
        Array of shape `(n, n)`.

    Example:

    >>> identity(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    ...


@make_op(jnp.linspace)
def linspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DTypeLike = None,
    axis: int = 0,
) -> jax.Array:
    """Make evenly spaced values, from their number.

    Args:
        start: first value, a scalar or an array.
        stop: last value, a scalar or an array that broadcasts with `start`.
        num: number of values.
        endpoint: whether `stop` is the last value.
        retstep: whether to return the distance between values, too.
        dtype: dtype of the result; inferred from `start` and `stop` by default, and floating-point.
        axis: position of the new axis in the result, where `start` or `stop` is an array.

    Returns:
        Array with a new axis of size `num`, or a pair of it and the distance.

    Example:

    >>> linspace(0.0, 1.0, 5).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    ...


@make_op(jnp.logspace)
def logspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    base: float = 10,
    dtype: DTypeLike = None,
    axis: int = 0,
) -> jax.Array:
    """Make powers of a base, at evenly spaced exponents.

    Args:
        start: first exponent, a scalar or an array.
        stop: last exponent, a scalar or an array that broadcasts with `start`.
        num: number of values.
        endpoint: whether `stop` is the last value.
        base: the base.
        dtype: dtype of the result; inferred from `start` and `stop` by default, and floating-point.
        axis: position of the new axis in the result, where `start` or `stop` is an array.

    Returns:
        Array with a new axis of size `num`.

    Example:

    >>> print(np.asarray(logspace(0.0, 2.0, 3)).round(3))
    [  1.  10. 100.]
    """
    ...


@make_op(floatx_by_default(jnp.ones))
def ones(shape: Shape, dtype: DTypeLike = None) -> jax.Array:
    """Make an array of ones.

    Args:
        shape: shape of the result, an integer or a sequence of integers.
        dtype: dtype of the result; `floatx()` by default.

    Returns:
        Array of shape `shape`.

    Example:

    >>> ones((1, 2)).tolist()
    [[1.0, 1.0]]
    """
    ...


@make_op(jnp.ones_like)
def ones_like(x: TensorLike, dtype: DTypeLike = None) -> jax.Array:
    """Make an array of ones like another array.

    Args:
        x: array of any shape.
        dtype: dtype of the result; that of `x` by default.

    Returns:
        Array of the shape of `x`.

    Example:

    >>> ones_like([[5, 6]]).tolist()
    [[1, 1]]
    """
    ...


@make_op(floatx_by_default(jnp.tri))
def tri(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike = None) -> jax.Array:
    """Make a matrix with ones on and below a diagonal, and zeros above it.

    Args:
        N: number of rows.
        M: number of columns; `N` by default.
        k: offset of the diagonal: 0 for the main one, positive above it, negative below it.
        dtype: dtype of the result; `floatx()` by default.

    Returns:
        Array of shape `(N, M)`.

    Example:

    >>> tri(2, 3).tolist()
    [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    """
    ...


@make_op(floatx_by_default(jnp.zeros))
def zeros(shape: Shape, dtype: DTypeLike = None) -> jax.Array:
    """Make an array of zeros.

    Args:
        shape: shape of the result, an integer or a sequence of integers.
        dtype: dtype of the result; `floatx()` by default.

    Returns:
        Array of shape `shape`.

    Example:

    >>> zeros((1, 2)).tolist()
    [[0.0, 0.0]]
    """
    ...


@make_op(jnp.zeros_like)
def zeros_like(x: TensorLike, dtype: DTypeLike = None) -> jax.Array:
    """Make an array of zeros like another array.

    Args:
        x: array of any shape.
        dtype: dtype of the result; that of `x` by default.

    Returns:
        Array of the shape of `x`.

    Example:

    >>> zeros_like([[5, 6]]).tolist()
    [[0, 0]]
    """
    ...


def _window(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    def call(x: Any, **settings: Any) -> jax.Array:
        return function(int(x), **settings).astype(config.floatx())

    return call


@make_op(_window(jnp.bartlett))
def bartlett(x: int) -> jax.Array:
    """Bartlett window, a triangle with zeros at the ends.

    Args:
        x: number of points.

    Returns:
        Vector of length `x`, with dtype `floatx()`.

    Example:

    >>> bartlett(5).tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    ...


@make_op(_window(jnp.blackman))
def blackman(x: int) -> jax.Array:
    """Blackman window.

    `0.42 - 0.5 cos(2 pi n / (x - 1)) + 0.08 cos(4 pi n / (x - 1))` for `n` from 0 to `x - 1`.

    Args:
        x: number of points.

    Returns:
        Vector of length `x`, with dtype `floatx()`.

    Example:

    >>> print(np.asarray(blackman(5)).round(3))
    [-0.    0.34  1.    0.34 -0.  ]
    """
    ...


@make_op(_window(jnp.hamming))
def hamming(x: int) -> jax.Array:
    """Hamming window.

    `0.54 - 0.46 cos(2 pi n / (x - 1))` for `n` from 0 to `x - 1`.

    Args:
        x: number of points.

    Returns:
        Vector of length `x`, with dtype `floatx()`.

    Example:

    >>> print(np.asarray(hamming(5)).round(3))
    [0.08 0.54 1.   0.54 0.08]
    """
    ...


@make_op(_window(jnp.hanning))
def hanning(x: int) -> jax.Array:
    """Hann window.

    `0.5 - 0.5 cos(2 pi n / (x - 1))` for `n` from 0 to `x - 1`.

    Args:
        x: number of points.

    Returns:
        Vector of length `x`, with dtype `floatx()`.

    Example:

    >>> print(np.asarray(hanning(5)).round(3))
    [0.  0.5 1.  0.5 0. ]
    """
    ...


@make_op(_window(jnp.kaiser))
def kaiser(x: int, beta: float) -> jax.Array:
    """Kaiser window.

    `i0(beta sqrt(1 - (2 n / (x - 1) - 1)**2)) / i0(beta)` for `n` from 0 to `x - 1`.

    Args:
        x: number of points.
        beta: shape of the window: 0 for a rectangle, larger for narrower windows.

    Returns:
        Vector of length `x`, with dtype `floatx()`.

    Example:

    >>> print(np.asarray(kaiser(3, 2.0)).round(3))
    [0.439 1.    0.439]
    """
    ...
