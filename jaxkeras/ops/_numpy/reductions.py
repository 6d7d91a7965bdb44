"""Reductions and cumulative sums along axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import Axes, DTypeLike, TensorLike, as_array
from jaxkeras.ops._make_op import REDUCED, make_op


@make_op(jnp.all, "Boolean array of the shape of `x` without the reduced axes.")
def all(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Whether all elements are true.

    Example:

    >>> all([[True, False], [True, True]], axis=1).tolist()
    [False, True]
    """
    ...


@make_op(jnp.amax)
def amax(x: TensorLike, axis: Axes = None, keepdims: bool = False, initial: float | None = None) -> jax.Array:
    """Largest element; the same as `max`.

    Args:
        x: array of any shape.
        axis: axis or axes to reduce; None for all.
        keepdims: whether to keep the reduced axes with size 1.
        initial: least value of the result; needed to reduce an axis of size 0.

    Returns:
        Array of the shape of `x` without the reduced axes, of the same dtype.

    Example:

    >>> amax([[1, 5], [3, 2]], axis=1).tolist()
    [5, 3]
    """
    ...


@make_op(jnp.amin)
def amin(x: TensorLike, axis: Axes = None, keepdims: bool = False, initial: float | None = None) -> jax.Array:
    """Smallest element; the same as `min`.

    Args:
        x: array of any shape.
        axis: axis or axes to reduce; None for all.
        keepdims: whether to keep the reduced axes with size 1.
        initial: greatest value of the result; needed to reduce an axis of size 0.

    Returns:
        Array of the shape of `x` without the reduced axes, of the same dtype.

    Example:

    >>> amin([[1, 5], [3, 2]], axis=1).tolist()
    [1, 2]
    """
    ...


@make_op(jnp.any, "Boolean array of the shape of `x` without the reduced axes.")
def any(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Whether any element is true.

    Example:

    >>> any([[True, False], [False, False]], axis=1).tolist()
    [True, False]
    """
    ...


@make_op(jnp.argmax)
def argmax(x: TensorLike, axis: int | None = None, keepdims: bool = False) -> jax.Array:
    """Index of the largest element, the first one of several.

    Args:
        x: array of any shape.
        axis: axis along which to search; None for the flattened array.
        keepdims: whether to keep the axis with size 1.

    Returns:
        int32 array of the shape of `x` without `axis`.

    Example:

    >>> argmax([[1, 5], [3, 2]], axis=1).tolist()
    [1, 0]
    """
    ...


@make_op(jnp.argmin)
def argmin(x: TensorLike, axis: int | None = None, keepdims: bool = False) -> jax.Array:
    """Index of the smallest element, the first one of several.

    Args:
        x: array of any shape.
        axis: axis along which to search; None for the flattened array.
        keepdims: whether to keep the axis with size 1.

    Returns:
        int32 array of the shape of `x` without `axis`.

    Example:

    >>> argmin([[1, 5], [3, 2]], axis=1).tolist()
    [0, 1]
    """
    ...


@op
def average(x: TensorLike, axis: Axes = None, weights: TensorLike | None = None) -> jax.Array:
    """Weighted mean, `sum(weights * x) / sum(weights)`.

    Args:
        x: array of any shape.
        axis: axis or axes to reduce; None for all.
        weights: array of the shape of `x`, or vector of its size along `axis`; equal weights by default.

    Returns:
        Array of the shape of `x` without the reduced axes, with a floating-point dtype.

    Example:

    >>> float(average([1.0, 4.0], weights=[2.0, 1.0]))
    2.0
    """
    return jnp.average(as_array(x), axis=axis, weights=None if weights is None else as_array(weights))


@make_op(jnp.count_nonzero)
def count_nonzero(x: TensorLike, axis: Axes = None) -> jax.Array:
    """Number of nonzero elements.

    Args:
        x: array of any shape.
        axis: axis or axes to reduce; None for all.

    Returns:
        int32 array of the shape of `x` without the reduced axes.

    Example:

    >>> count_nonzero([[0, 1], [2, 3]], axis=1).tolist()
    [1, 2]
    """
    ...


@make_op(jnp.cumprod)
def cumprod(x: TensorLike, axis: int | None = None, dtype: DTypeLike = None) -> jax.Array:
    """Cumulative product.

    Args:
        x: array of any shape.
        axis: axis along which to accumulate; None for the flattened array.
        dtype: dtype of the result; that of `x` by default, int32 for booleans.

    Returns:
        Array of the shape of `x`, or a vector for `axis=None`.

    Example:

    >>> cumprod([1, 2, 3]).tolist()
    [1, 2, 6]
    """
    ...


@make_op(jnp.cumsum)
def cumsum(x: TensorLike, axis: int | None = None, dtype: DTypeLike = None) -> jax.Array:
    """Cumulative sum.

    Args:
        x: array of any shape.
        axis: axis along which to accumulate; None for the flattened array.
        dtype: dtype of the result; that of `x` by default, int32 for booleans.

    Returns:
        Array of the shape of `x`, or a vector for `axis=None`.

    Example:

    >>> cumsum([1, 2, 3]).tolist()
    [1, 3, 6]
    """
    ...


@make_op(jnp.max)
def max(x: TensorLike, axis: Axes = None, keepdims: bool = False, initial: float | None = None) -> jax.Array:
    """Largest element; NaN if one is NaN.

    Args:
        x: array of any shape.
        axis: axis or axes to reduce; None for all.
        keepdims: whether to keep the reduced axes with size 1.
        initial: least value of the result; needed to reduce an axis of size 0.

    Returns:
        Array of the shape of `x` without the reduced axes, of the same dtype.

    Example:

    >>> max([[1, 5], [3, 2]], axis=1).tolist()
    [5, 3]
    """
    ...


@make_op(jnp.mean, REDUCED)
def mean(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Arithmetic mean.

    Example:

    >>> mean([[1.0, 2.0], [3.0, 4.0]], axis=1).tolist()
    [1.5, 3.5]
    """
    ...


@make_op(jnp.min)
def min(x: TensorLike, axis: Axes = None, keepdims: bool = False, initial: float | None = None) -> jax.Array:
    """Smallest element; NaN if one is NaN.

    Args:
        x: array of any shape.
        axis: axis or axes to reduce; None for all.
        keepdims: whether to keep the reduced axes with size 1.
        initial: greatest value of the result; needed to reduce an axis of size 0.

    Returns:
        Array of the shape of `x` without the reduced axes, of the same dtype.

    Example:

    >>> min([[1, 5], [3, 2]], axis=1).tolist()
    [1, 2]
    """
    ...


@make_op(jnp.nanargmax)
def nanargmax(x: TensorLike, axis: int | None = None, keepdims: bool = False) -> jax.Array:
    """Index of the largest element, ignoring NaN; -1 where all are NaN.

    Args:
        x: array of any shape.
        axis: axis along which to search; None for the flattened array.
        keepdims: whether to keep the axis with size 1.

    Returns:
        int32 array of the shape of `x` without `axis`.

    Example:

    >>> nanargmax([np.nan, 1.0, 5.0]).tolist()
    2
    """
    ...


@make_op(jnp.nanargmin)
def nanargmin(x: TensorLike, axis: int | None = None, keepdims: bool = False) -> jax.Array:
    """Index of the smallest element, ignoring NaN; -1 where all are NaN.

    Args:
        x: array of any shape.
        axis: axis along which to search; None for the flattened array.
        keepdims: whether to keep the axis with size 1.

    Returns:
        int32 array of the shape of `x` without `axis`.

    Example:

    >>> nanargmin([np.nan, 1.0, 5.0]).tolist()
    1
    """
    ...


def _along_one_axis(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """`function` with a parameter `axis` that may be a tuple of one axis."""

    def call(x: Any, axis: Any, dtype: Any) -> jax.Array:
        is_one = isinstance(axis, (tuple, list)) and len(axis) == 1
        return function(x, axis[0] if is_one else axis, dtype)

    return call


@make_op(_along_one_axis(jnp.nancumprod))
def nancumprod(x: TensorLike, axis: Axes = None, dtype: DTypeLike = None) -> jax.Array:
    """Cumulative product, NaN counting as 1.

    Args:
        x: array of any shape.
        axis: axis along which to accumulate, or a tuple of it; None for the flattened array.
        dtype: dtype of the result; that of `x` by default, int32 for booleans.

    Returns:
        Array of the shape of `x`, or a vector for `axis=None`.

    Example:

    >>> nancumprod([2.0, np.nan, 3.0]).tolist()
    [2.0, 2.0, 6.0]
    """
    ...


@make_op(_along_one_axis(jnp.nancumsum))
def nancumsum(x: TensorLike, axis: Axes = None, dtype: DTypeLike = None) -> jax.Array:
    """Cumulative sum, NaN counting as 0.

    Args:
        x: array of any shape.
        axis: axis along which to accumulate, or a tuple of it; None for the flattened array.
        dtype: dtype of the result; that of `x` by default, int32 for booleans.

    Returns:
        Array of the shape of `x`, or a vector for `axis=None`.

    Example:

    >>> nancumsum([2.0, np.nan, 3.0]).tolist()
    [2.0, 2.0, 5.0]
    """
    ...


@make_op(jnp.nanmax, REDUCED)
def nanmax(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Largest element, ignoring NaN.

    Example:

    >>> nanmax([[1.0, np.nan], [3.0, 4.0]], axis=1).tolist()
    [1.0, 4.0]
    """
    ...


@make_op(jnp.nanmean, REDUCED)
def nanmean(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Mean, ignoring NaN.

    Example:

    >>> nanmean([[1.0, np.nan], [3.0, 4.0]], axis=1).tolist()
    [1.0, 3.5]
    """
    ...


@make_op(jnp.nanmin, REDUCED)
def nanmin(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Smallest element, ignoring NaN.

    Example:

    >>> nanmin([[1.0, np.nan], [3.0, 4.0]], axis=1).tolist()
    [1.0, 3.0]
    """
    ...


@make_op(jnp.nanprod, REDUCED)
def nanprod(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Product, NaN counting as 1.

    Example:

    >>> nanprod([[1.0, np.nan], [3.0, 4.0]], axis=1).tolist()
    [1.0, 12.0]
    """
    ...


@make_op(jnp.nanstd, REDUCED)
def nanstd(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Standard deviation, ignoring NaN.

    Example:

    >>> nanstd([[1.0, np.nan], [3.0, 4.0]], axis=1).tolist()
    [0.0, 0.5]
    """
    ...


@make_op(jnp.nansum, REDUCED)
def nansum(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Sum, NaN counting as 0.

    Example:

    >>> nansum([[1.0, np.nan], [3.0, 4.0]], axis=1).tolist()
    [1.0, 7.0]
    """
    ...


@make_op(jnp.nanvar, REDUCED)
def nanvar(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Variance, ignoring NaN.

    Example:

    >>> nanvar([[1.0, np.nan], [3.0, 4.0]], axis=1).tolist()
    [0.0, 0.25]
    """
    ...


@make_op(jnp.prod, REDUCED)
def prod(x: TensorLike, axis: Axes = None, keepdims: bool = False, dtype: DTypeLike = None) -> jax.Array:
    """Product of the elements.

    Example:

    >>> prod([[1.0, 2.0], [3.0, 4.0]], axis=1).tolist()
    [2.0, 12.0]
    """
    ...


@make_op(jnp.ptp, REDUCED)
def ptp(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Range of the elements, `max(x) - min(x)`.

    Example:

    >>> ptp([[1, 5], [3, 2]], axis=1).tolist()
    [4, 1]
    """
    ...


@make_op(jnp.size, "Integer scalar.")
def size(x: TensorLike) -> int:
    """Number of elements.

    Example:

    >>> int(size([[1, 2, 3]]))
    3
    """
    ...


@make_op(jnp.std, REDUCED)
def std(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Standard deviation, `sqrt(var(x))`.

    Example:

    >>> std([[1.0, 2.0], [3.0, 4.0]], axis=1).tolist()
    [0.5, 0.5]
    """
    ...


@make_op(jnp.sum, REDUCED)
def sum(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Sum of the elements.

    Example:

    >>> sum([[1.0, 2.0], [3.0, 4.0]], axis=0).tolist()
    [4.0, 6.0]
    """
    ...


@op
def trapezoid(y: TensorLike, x: TensorLike | None = None, dx: float = 1.0, axis: int = -1) -> jax.Array:
    """Integral by the trapezoidal rule.

    Args:
        y: array of function values.
        x: the points at which `y` was sampled, a vector or an array of the shape of `y`; evenly spaced by default.
        dx: distance between the points where `x` is not given.
        axis: axis along which to integrate.

    Returns:
        Array of the shape of `y` without `axis`; zeros for fewer than two points.

    Example:

    >>> float(trapezoid([0.0, 2.0, 4.0]))
    4.0
    """
    y = as_array(y)
    if y.ndim and not y.shape[axis]:  # JAX slices off both ends
        shape = list(y.shape)
        shape[axis] = 1
        y, x = jnp.zeros(shape, y.dtype), None
    return jnp.trapezoid(y, None if x is None else as_array(x), dx=dx, axis=axis)


@make_op(jnp.var, REDUCED)
def var(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Variance, the mean of `abs(x - mean(x))**2`.

    Example:

    >>> var([[1.0, 2.0], [3.0, 4.0]], axis=1).tolist()
    [0.25, 0.25]
    """
    ...
