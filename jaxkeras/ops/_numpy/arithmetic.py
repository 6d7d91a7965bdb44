"""Arithmetic, powers, exponentials and logarithms, element by element."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxkeras.core.dtypes import is_int_dtype
from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import TensorLike, as_array
from jaxkeras.ops._make_op import (
    FLOATING,
    PROMOTED,
    PROMOTED_FLOATING,
    SAME,
    in_float32,
    inexact,
    make_op,
    on_magnitudes,
)


@make_op(jnp.absolute, "Array of the shape of `x`; real for complex numbers.")
def absolute(x: TensorLike) -> jax.Array:
    """Absolute value.

    Example:

    >>> absolute([-1.5, 2.0]).tolist()
    [1.5, 2.0]
    """
    ...


abs = absolute


@make_op(jnp.add, PROMOTED)
def add(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Sum of two arrays.

    Example:

    >>> add([1, 2], 10).tolist()
    [11, 12]
    """
    ...


@make_op(inexact(jnp.cbrt), FLOATING)
def cbrt(x: TensorLike) -> jax.Array:
    """Cube root.

    Example:

    >>> print(np.asarray(cbrt([8.0, -27.0])).round(4))
    [ 2. -3.]
    """
    ...


@make_op(jnp.copysign, PROMOTED_FLOATING)
def copysign(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """The magnitude of `x1` with the sign of `x2`.

    Example:

    >>> copysign([1.0, -2.0], [-0.0, 3.0]).tolist()
    [-1.0, 2.0]
    """
    ...


@make_op(jnp.divide, PROMOTED_FLOATING)
def divide(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Quotient of two arrays.

    Example:

    >>> divide([1, 3], 2).tolist()
    [0.5, 1.5]
    """
    ...


true_divide = divide


@op
def divide_no_nan(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Quotient of two arrays, 0 where `x2` is 0. Its gradient is 0 there, too.

    Args:
        x1: array of any shape.
        x2: array that broadcasts with `x1`.

    Returns:
        Array of the shape to which `x1` and `x2` broadcast, with a floating-point or complex dtype.

    Example:

    >>> divide_no_nan([1.0, 3.0], [0.0, 2.0]).tolist()
    [0.0, 1.5]
    """
    x1, x2 = as_array(x1), as_array(x2)
    return jnp.where(x2 == 0, 0, jnp.divide(x1, jnp.where(x2 == 0, 1, x2)))


@make_op(inexact(jnp.exp), FLOATING)
def exp(x: TensorLike) -> jax.Array:
    """Exponential function.

    Example:

    >>> exp([0.0, 1.0]).tolist()[0]
    1.0
    """
    ...


@make_op(inexact(in_float32(jnp.exp2)), FLOATING)
def exp2(x: TensorLike) -> jax.Array:
    """Two to the power of `x`.

    Example:

    >>> print(np.asarray(exp2([3.0, -1.0])).round(4))
    [8.  0.5]
    """
    ...


@make_op(inexact(jnp.expm1), FLOATING)
def expm1(x: TensorLike) -> jax.Array:
    """`exp(x) - 1`, accurate near zero.

    Example:

    >>> f"{expm1(1e-6):.4e}"
    '1.0000e-06'
    """
    ...


@op
def fabs(x: TensorLike) -> jax.Array:
    """Absolute value as a floating-point number.

    Args:
        x: real array of any shape.

    Returns:
        Array of the shape of `x`, with a floating-point dtype.

    Raises:
        TypeError: for complex numbers.

    Example:

    >>> fabs([-2, 3]).tolist()
    [2.0, 3.0]
    """
    x = as_array(x)
    if jnp.iscomplexobj(x):
        raise TypeError(f"`fabs` takes real numbers, got dtype {x.dtype}. Use `abs`.")
    return jnp.fabs(x)


@make_op(jnp.float_power, PROMOTED_FLOATING)
def float_power(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """`x1` to the power of `x2`, in floating-point numbers for integers, too.

    Example:

    >>> float_power([2, 4], [-1, 0.5]).tolist()
    [0.5, 2.0]
    """
    ...


@make_op(jnp.floor_divide, PROMOTED)
def floor_divide(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Quotient of two arrays, rounded down.

    Example:

    >>> floor_divide([7, -7], 2).tolist()
    [3, -4]
    """
    ...


@make_op(jnp.fmax, PROMOTED)
def fmax(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Larger element of two; the other one where one is NaN.

    Example:

    >>> fmax([1.0, np.nan], [0.0, 2.0]).tolist()
    [1.0, 2.0]
    """
    ...


@make_op(jnp.fmin, PROMOTED)
def fmin(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Smaller element of two; the other one where one is NaN.

    Example:

    >>> fmin([1.0, np.nan], [0.0, 2.0]).tolist()
    [0.0, 2.0]
    """
    ...


@make_op(jnp.fmod, PROMOTED)
def fmod(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Remainder of a division, with the sign of `x1`.

    Example:

    >>> fmod([7, -7], 3).tolist()
    [1, -1]
    """
    ...


@make_op(on_magnitudes(jnp.gcd), PROMOTED)
def gcd(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Greatest common divisor of integers.

    Example:

    >>> gcd([12, 18], 8).tolist()
    [4, 2]
    """
    ...


@make_op(jnp.heaviside, PROMOTED_FLOATING)
def heaviside(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Step function of `x1`: 0 below zero, `x2` at zero, 1 above it.

    Example:

    >>> heaviside([-1.0, 0.0, 1.0], 0.5).tolist()
    [0.0, 0.5, 1.0]
    """
    ...


@make_op(jnp.hypot, PROMOTED_FLOATING)
def hypot(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Length of the hypotenuse, `sqrt(x1**2 + x2**2)`, without overflow.

    Example:

    >>> hypot(3.0, 4.0).tolist()
    5.0
    """
    ...


@make_op(on_magnitudes(jnp.lcm), PROMOTED)
def lcm(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Least common multiple of integers.

    Example:

    >>> lcm([4, 6], 10).tolist()
    [20, 30]
    """
    ...


@op
def ldexp(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """`x1 * 2**x2`.

    Args:
        x1: array of any shape.
        x2: integer array that broadcasts with `x1`.

    Returns:
        Array of the shape to which `x1` and `x2` broadcast, with a floating-point dtype.

    Raises:
        TypeError: for `x2` that is not of an integer dtype.

    Example:

    >>> ldexp([1.5, 3.0], [2, -1]).tolist()
    [6.0, 1.5]
    """
    x1, x2 = as_array(x1), as_array(x2)
    if not is_int_dtype(x2.dtype):
        raise TypeError(f"The exponent `x2` of `ldexp` must be of an integer dtype, got {x2.dtype}.")
    return jnp.ldexp(x1, x2)


@make_op(inexact(jnp.log), FLOATING)
def log(x: TensorLike) -> jax.Array:
    """Natural logarithm.

    Example:

    >>> print(np.asarray(log([1.0, 10.0])).round(4))
    [0.     2.3026]
    """
    ...


@make_op(inexact(jnp.log10), FLOATING)
def log10(x: TensorLike) -> jax.Array:
    """Logarithm to base 10.

    Example:

    >>> print(np.asarray(log10([1.0, 100.0])).round(4))
    [0. 2.]
    """
    ...


@make_op(inexact(jnp.log1p), FLOATING)
def log1p(x: TensorLike) -> jax.Array:
    """`log(1 + x)`, accurate near zero.

    Example:

    >>> f"{log1p(1e-6):.4e}"
    '1.0000e-06'
    """
    ...


@make_op(inexact(jnp.log2), FLOATING)
def log2(x: TensorLike) -> jax.Array:
    """Logarithm to base 2.

    Example:

    >>> print(np.asarray(log2([1.0, 8.0])).round(4))
    [0. 3.]
    """
    ...


@make_op(jnp.logaddexp, PROMOTED_FLOATING)
def logaddexp(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """`log(exp(x1) + exp(x2))`, without overflow.

    Example:

    >>> print(np.asarray(logaddexp(1000.0, 1000.0)).round(3))
    1000.693
    """
    ...


@make_op(jnp.logaddexp2, PROMOTED_FLOATING)
def logaddexp2(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """`log2(2**x1 + 2**x2)`, without overflow.

    Example:

    >>> logaddexp2(1000.0, 1000.0).tolist()
    1001.0
    """
    ...


@make_op(jnp.maximum, PROMOTED)
def maximum(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Larger element of two; NaN where one is NaN.

    Example:

    >>> maximum([1, 5], 3).tolist()
    [3, 5]
    """
    ...


@make_op(jnp.minimum, PROMOTED)
def minimum(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Smaller element of two; NaN where one is NaN.

    Example:

    >>> minimum([1, 5], 3).tolist()
    [1, 3]
    """
    ...


@make_op(jnp.mod, PROMOTED)
def mod(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Remainder of a division, with the sign of `x2`.

    Example:

    >>> mod([7, -7], 3).tolist()
    [1, 2]
    """
    ...


@make_op(jnp.multiply, PROMOTED)
def multiply(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Product of two arrays.

    Example:

    >>> multiply([1, 2], 10).tolist()
    [10, 20]
    """
    ...


@make_op(jnp.negative, SAME)
def negative(x: TensorLike) -> jax.Array:
    """The elements with opposite signs.

    Example:

    >>> negative([1, -2]).tolist()
    [-1, 2]
    """
    ...


@make_op(jnp.nextafter, PROMOTED_FLOATING)
def nextafter(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Next floating-point number after `x1` towards `x2`.

    Example:

    >>> float(nextafter(1.0, 2.0)) - 1
    1.1920928955078125e-07
    """
    ...


@make_op(jnp.power, PROMOTED)
def power(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """`x1` to the power of `x2`.

    Example:

    >>> power([2, 3], 2).tolist()
    [4, 9]
    """
    ...


@make_op(jnp.reciprocal, SAME)
def reciprocal(x: TensorLike) -> jax.Array:
    """One divided by `x`.

    Example:

    >>> reciprocal([2.0, -4.0]).tolist()
    [0.5, -0.25]
    """
    ...


@make_op(jnp.sign, SAME)
def sign(x: TensorLike) -> jax.Array:
    """-1, 0 or 1, by the sign of `x`; for complex numbers `x / abs(x)`.

    Example:

    >>> sign([-3.0, 0.0, 2.0]).tolist()
    [-1.0, 0.0, 1.0]
    """
    ...


@make_op(inexact(jnp.sqrt), FLOATING)
def sqrt(x: TensorLike) -> jax.Array:
    """Square root.

    Example:

    >>> sqrt([4, 9]).tolist()
    [2.0, 3.0]
    """
    ...


@make_op(jnp.square, SAME)
def square(x: TensorLike) -> jax.Array:
    """The elements squared.

    Example:

    >>> square([2, -3]).tolist()
    [4, 9]
    """
    ...


@make_op(jnp.subtract, PROMOTED)
def subtract(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Difference of two arrays.

    Example:

    >>> subtract([1, 2], 10).tolist()
    [-9, -8]
    """
    ...
