"""Comparisons, logic and bits, element by element."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxkeras.ops._arrays import TensorLike
from jaxkeras.ops._make_op import BOOLEAN, COMPARED, SAME, make_op


@make_op(jnp.allclose)
def allclose(
    x1: TensorLike, x2: TensorLike, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> jax.Array:
    """Whether all elements are equal within a tolerance.

    Elements are close where `abs(x1 - x2) <= atol + rtol * abs(x2)`.

    Args:
        x1: array of any shape.
        x2: array that broadcasts with `x1`.
        rtol: relative tolerance.
        atol: absolute tolerance.
        equal_nan: whether NaN is close to NaN.

    Returns:
        Boolean scalar.

    Example:

    >>> bool(allclose([1.0, 2.0], [1.0, 2.000001]))
    True
    """
    ...


@make_op(jnp.bitwise_and)
def bitwise_and(x: TensorLike, y: TensorLike) -> jax.Array:
    """Bitwise and.

    Args:
        x: integer or boolean array of any shape.
        y: array of the same kind that broadcasts with `x`.

    Returns:
        Array of the shape to which `x` and `y` broadcast, with their promoted dtype.

    Example:

    >>> bitwise_and([6, 5], 3).tolist()
    [2, 1]
    """
    ...


@make_op(jnp.bitwise_invert, SAME)
def bitwise_invert(x: TensorLike) -> jax.Array:
    """All bits inverted.

    Example:

    >>> bitwise_invert([0, 5]).tolist()
    [-1, -6]
    """
    ...


bitwise_not = bitwise_invert


@make_op(jnp.bitwise_or)
def bitwise_or(x: TensorLike, y: TensorLike) -> jax.Array:
    """Bitwise or.

    Args:
        x: integer or boolean array of any shape.
        y: array of the same kind that broadcasts with `x`.

    Returns:
        Array of the shape to which `x` and `y` broadcast, with their promoted dtype.

    Example:

    >>> bitwise_or([6, 5], 3).tolist()
    [7, 7]
    """
    ...


@make_op(jnp.bitwise_xor)
def bitwise_xor(x: TensorLike, y: TensorLike) -> jax.Array:
    """Bitwise exclusive or.

    Args:
        x: integer or boolean array of any shape.
        y: array of the same kind that broadcasts with `x`.

    Returns:
        Array of the shape to which `x` and `y` broadcast, with their promoted dtype.

    Example:

    >>> bitwise_xor([6, 5], 3).tolist()
    [5, 6]
    """
    ...


@make_op(jnp.equal, COMPARED)
def equal(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """True where two arrays are equal.

    Example:

    >>> equal([1, 2], [1, 3]).tolist()
    [True, False]
    """
    ...


@make_op(jnp.greater, COMPARED)
def greater(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """True where `x1 > x2`.

    Example:

    >>> greater([1, 3], 2).tolist()
    [False, True]
    """
    ...


@make_op(jnp.greater_equal, COMPARED)
def greater_equal(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """True where `x1 >= x2`.

    Example:

    >>> greater_equal([1, 2], 2).tolist()
    [False, True]
    """
    ...


@make_op(jnp.isclose)
def isclose(
    x1: TensorLike, x2: TensorLike, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> jax.Array:
    """True where two arrays are equal within a tolerance.

    Elements are close where `abs(x1 - x2) <= atol + rtol * abs(x2)`.

    Args:
        x1: array of any shape.
        x2: array that broadcasts with `x1`.
        rtol: relative tolerance.
        atol: absolute tolerance.
        equal_nan: whether NaN is close to NaN.

    Returns:
        Boolean array of the shape to which `x1` and `x2` broadcast.

    Example:

    >>> isclose([1.0, 2.0], [1.000001, 2.1]).tolist()
    [True, False]
    """
    ...


@make_op(jnp.isfinite, BOOLEAN)
def isfinite(x: TensorLike) -> jax.Array:
    """True where elements are neither infinite nor NaN.

    Example:

    >>> isfinite([1.0, np.inf, np.nan]).tolist()
    [True, False, False]
    """
    ...


@make_op(jnp.isinf, BOOLEAN)
def isinf(x: TensorLike) -> jax.Array:
    """True where elements are infinite.

    Example:

    >>> isinf([1.0, -np.inf, np.nan]).tolist()
    [False, True, False]
    """
    ...


@make_op(jnp.isnan, BOOLEAN)
def isnan(x: TensorLike) -> jax.Array:
    """True where elements are NaN.

    Example:

    >>> isnan([1.0, np.inf, np.nan]).tolist()
    [False, False, True]
    """
    ...


@make_op(jnp.isneginf, BOOLEAN)
def isneginf(x: TensorLike) -> jax.Array:
    """True where elements are minus infinity.

    Example:

    >>> isneginf([np.inf, -np.inf]).tolist()
    [False, True]
    """
    ...


@make_op(jnp.isposinf, BOOLEAN)
def isposinf(x: TensorLike) -> jax.Array:
    """True where elements are plus infinity.

    Example:

    >>> isposinf([np.inf, -np.inf]).tolist()
    [True, False]
    """
    ...


@make_op(jnp.isreal, BOOLEAN)
def isreal(x: TensorLike) -> jax.Array:
    """True where the imaginary part is zero.

    Example:

    >>> isreal([1 + 0j, 2j]).tolist()
    [True, False]
    """
    ...


@make_op(jnp.left_shift)
def left_shift(x: TensorLike, y: TensorLike) -> jax.Array:
    """Bits shifted to the left.

    Args:
        x: integer or boolean array of any shape.
        y: number of positions, an integer array that broadcasts with `x`.

    Returns:
        Array of the shape to which `x` and `y` broadcast, with their promoted dtype.

    Example:

    >>> left_shift([1, 3], 2).tolist()
    [4, 12]
    """
    ...


bitwise_left_shift = left_shift


@make_op(jnp.less, COMPARED)
def less(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """True where `x1 < x2`.

    Example:

    >>> less([1, 3], 2).tolist()
    [True, False]
    """
    ...


@make_op(jnp.less_equal, COMPARED)
def less_equal(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """True where `x1 <= x2`.

    Example:

    >>> less_equal([2, 3], 2).tolist()
    [True, False]
    """
    ...


@make_op(jnp.logical_and, COMPARED)
def logical_and(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Logical and; elements count as true unless they are zero.

    Example:

    >>> logical_and([True, True], [True, False]).tolist()
    [True, False]
    """
    ...


@make_op(jnp.logical_not, BOOLEAN)
def logical_not(x: TensorLike) -> jax.Array:
    """Logical not; elements count as true unless they are zero.

    Example:

    >>> logical_not([True, False]).tolist()
    [False, True]
    """
    ...


@make_op(jnp.logical_or, COMPARED)
def logical_or(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Logical or; elements count as true unless they are zero.

    Example:

    >>> logical_or([False, True], [False, False]).tolist()
    [False, True]
    """
    ...


@make_op(jnp.logical_xor, COMPARED)
def logical_xor(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Logical exclusive or; elements count as true unless they are zero.

    Example:

    >>> logical_xor([True, True], [True, False]).tolist()
    [False, True]
    """
    ...


@make_op(jnp.not_equal, COMPARED)
def not_equal(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """True where two arrays differ.

    Example:

    >>> not_equal([1, 2], [1, 3]).tolist()
    [False, True]
    """
    ...


@make_op(jnp.right_shift)
def right_shift(x: TensorLike, y: TensorLike) -> jax.Array:
    """Bits shifted to the right; the sign bit fills up for signed integers.

    Args:
        x: integer or boolean array of any shape.
        y: number of positions, an integer array that broadcasts with `x`.

    Returns:
        Array of the shape to which `x` and `y` broadcast, with their promoted dtype.

    Example:

    >>> right_shift([8, -8], 2).tolist()
    [2, -2]
    """
    ...


bitwise_right_shift = right_shift


@make_op(jnp.signbit, BOOLEAN)
def signbit(x: TensorLike) -> jax.Array:
    """True where the sign bit is set.

    Example:

    >>> signbit([1.0, -0.0]).tolist()
    [False, True]
    """
    ...
