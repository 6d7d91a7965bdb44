"""Rounding, clipping, and parts of numbers, element by element."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core import config
from jaxkeras.core.dtypes import is_int_dtype
from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import DTypeLike, TensorLike, as_array, as_operand
from jaxkeras.ops._make_op import FLOATING, SAME, inexact, make_op


@make_op(inexact(jnp.angle), "Real array of the shape of `x`, in radians.")
def angle(x: TensorLike) -> jax.Array:
    """Angle of complex numbers.

    Example:

    >>> print(np.asarray(angle([1.0 + 1.0j])).round(4))
    [0.7854]
    """
    ...


@make_op(inexact(jnp.ceil), FLOATING)
def ceil(x: TensorLike) -> jax.Array:
    """Smallest integers that are not less than `x`.

    Example:

    >>> ceil([1.2, -1.2]).tolist()
    [2.0, -1.0]
    """
    ...


def _within(limit: Any, dtype: Any) -> Any:
    """A limit; a Python integer outside the range of an integer dtype, which would wrap around, as its nearest end."""
    if not isinstance(limit, int) or not is_int_dtype(dtype):
        return as_operand(limit)
    return min(max(limit, jnp.iinfo(dtype).min), jnp.iinfo(dtype).max)


@op
def clip(x: TensorLike, x_min: TensorLike, x_max: TensorLike) -> jax.Array:
    """Limit values to an interval.

    Args:
        x: array of any shape.
        x_min: lower limit; a number, or an array that broadcasts with `x`.
        x_max: upper limit; a number, or an array that broadcasts with `x`.

    Returns:
        Array of the shape of `x`; int32 for booleans.

    Example:

    >>> clip([1, 5, 9], 2, 6).tolist()
    [2, 5, 6]
    """
    x = as_array(x)
    x = x.astype("int32") if x.dtype == bool else x
    return jnp.clip(x, _within(x_min, x.dtype), _within(x_max, x.dtype))


@make_op(jnp.conjugate, SAME)
def conjugate(x: TensorLike) -> jax.Array:
    """Complex conjugate.

    Example:

    >>> conjugate([1 + 2j]).tolist()
    [(1-2j)]
    """
    ...


conj = conjugate


@make_op(jnp.copy, SAME)
def copy(x: TensorLike) -> jax.Array:
    """A copy of an array.

    Example:

    >>> copy([1, 2]).tolist()
    [1, 2]
    """
    ...


@make_op(inexact(jnp.floor), FLOATING)
def floor(x: TensorLike) -> jax.Array:
    """Largest integers that are not greater than `x`.

    Example:

    >>> floor([1.8, -1.2]).tolist()
    [1.0, -2.0]
    """
    ...


@make_op(inexact(jnp.i0), FLOATING)
def i0(x: TensorLike) -> jax.Array:
    """Modified Bessel function of the first kind, of order 0.

    Example:

    >>> print(np.asarray(i0([0.0, 1.0])).round(4))
    [1.     1.2661]
    """
    ...


@make_op(jnp.imag, "Real array of the shape of `x`.")
def imag(x: TensorLike) -> jax.Array:
    """Imaginary part; zero for real numbers.

    Example:

    >>> imag([1 + 2j]).tolist()
    [2.0]
    """
    ...


@make_op(jnp.nan_to_num)
def nan_to_num(x: TensorLike, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> jax.Array:
    """NaN and infinities replaced by finite numbers.

    Args:
        x: array of any shape.
        nan: replaces NaN.
        posinf: replaces infinity; the largest number of the dtype by default.
        neginf: replaces minus infinity; the least number of the dtype by default.

    Returns:
        Array of the shape and dtype of `x`.

    Example:

    >>> nan_to_num([1.0, np.nan, np.inf], posinf=9.0).tolist()
    [1.0, 0.0, 9.0]
    """
    ...


@make_op(jnp.real, "Real array of the shape of `x`.")
def real(x: TensorLike) -> jax.Array:
    """Real part.

    Example:

    >>> real([1 + 2j]).tolist()
    [1.0]
    """
    ...


@op
def round(x: TensorLike, decimals: int = 0) -> jax.Array:
    """Round to a number of decimals, halves to the nearest even digit.

    Args:
        x: array of any shape.
        decimals: digits after the decimal point; negative numbers count digits before it.

    Returns:
        Array of the shape and dtype of `x`.

    Example:

    >>> round([0.5, 1.5, 2.25], 1).tolist()
    [0.5, 1.5, 2.200000047683716]
    """
    x = as_array(x)
    if decimals < 0 and is_int_dtype(x.dtype):
        step = 10.0**-decimals
        return (jnp.round(x.astype(config.floatx()) / step) * step).astype(x.dtype)
    return jnp.round(x, decimals)


@make_op(jnp.trunc, "Array of the shape of `x`.")
def trunc(x: TensorLike) -> jax.Array:
    """The integer part, rounded towards zero.

    Example:

    >>> trunc([1.8, -1.8]).tolist()
    [1.0, -1.0]
    """
    ...


@op
def view(x: TensorLike, dtype: DTypeLike = None) -> jax.Array:
    """The bits of an array as another dtype.

    Args:
        x: array of any shape.
        dtype: the other dtype. If its items are of another size, the last axis shrinks or grows accordingly.

    Returns:
        Array with dtype `dtype`.

    Example:

    >>> view([1.0], "int32").tolist() == [0x3F800000]
    True
    """
    return as_array(x).view(dtype)
