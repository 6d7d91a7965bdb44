"""Order statistics, histograms and covariances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxkeras.core import config
from jaxkeras.core.sparse import is_sparse
from jaxkeras.core.symbolic import op
from jaxkeras.ops import _output_specs
from jaxkeras.ops._arrays import Axes, TensorLike, as_array
from jaxkeras.ops._make_op import REDUCED, make_op


def _order_statistic(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` that also takes a list as `axis`, and returns NaN for no elements."""

    def call(x: Any, *args: Any, axis: Any = None, **kwargs: Any) -> Any:
        x, axis = as_array(x), tuple(axis) if isinstance(axis, list) else axis
        if not x.size:
            axes = np.atleast_1d(np.arange(x.ndim) if axis is None else axis) % x.ndim
            shape = [n or 1 if i in axes else n for i, n in enumerate(x.shape)]
            x = jnp.full(shape, jnp.nan, x.dtype if jnp.issubdtype(x.dtype, jnp.inexact) else config.floatx())
        return function(x, *args, axis=axis, **kwargs)

    return call


@op(output_spec=_output_specs.bincount)
def bincount(x: TensorLike, weights: TensorLike | None = None, minlength: int = 0, sparse: bool = False) -> jax.Array:
    """Count the occurrences of each non-negative integer.

    Args:
        x: integers of shape `(n,)`, or `(rows, n)` to count each row separately.
        weights: array of the shape of `x`, what each occurrence counts; 1 by default.
        minlength: minimum length of the result. Under `jit`, where values are unknown, its length; larger values
            are not counted then.
        sparse: whether to return a `BCOO` array. A sparse `x`, of which only the integers it holds are counted, gives
            one too.

    Returns:
        Counts of shape `(length,)` or `(rows, length)`.

    Raises:
        ValueError: under `jit` without `minlength`.

    Example:

    >>> bincount([1, 3, 1]).tolist()
    [0, 2, 0, 1]
    """
    numbers, counted = (a if a is None or is_sparse(a) else as_array(a) for a in (x, weights))
    return _bincount(numbers, counted, minlength, sparse)


def _bincount(x: Any, weights: Any, minlength: int, sparse: bool) -> Any:
    values = x.data if is_sparse(x) else x
    traced = isinstance(values, Tracer)
    length = minlength if traced or not values.size else max(minlength, int(values.max()) + 1)
    if traced and not minlength:
        raise ValueError("Under jit the length of the result cannot depend on values: give `bincount` a `minlength`.")
    if sparse or is_sparse(x):
        from jaxkeras.ops._sparse import encodings

        return encodings.bincount(x, weights, length)
    if x.ndim == 1:
        return jnp.bincount(x, weights, length=length)
    return jax.vmap(lambda row, w: jnp.bincount(row, w, length=length))(x, weights)


@make_op(jnp.corrcoef, "Array of shape `(variables, variables)`, with a floating-point dtype.")
def corrcoef(x: TensorLike) -> jax.Array:
    """Pearson correlation coefficients of the rows of a matrix.

    Args:
        x: array of shape `(variables, observations)`, or a vector.

    Example:

    >>> print(np.asarray(corrcoef([[1.0, 2.0, 3.0], [6.0, 4.0, 2.0]])).round(4))
    [[ 1. -1.]
     [-1.  1.]]
    """
    ...


@make_op(jnp.cov, "Array of shape `(variables, variables)`, or a scalar for a vector, with a floating-point dtype.")
def cov(x: TensorLike) -> jax.Array:
    """Covariance matrix of the rows of a matrix, normalized by the number of observations minus one.

    Args:
        x: array of shape `(variables, observations)`, or a vector.

    Example:

    >>> cov([[1.0, 2.0, 3.0], [6.0, 4.0, 2.0]]).tolist()
    [[1.0, -2.0], [-2.0, 4.0]]
    """
    ...


@op
def histogram(x: TensorLike, bins: int = 10, range: tuple[float, float] | None = None) -> tuple[jax.Array, jax.Array]:
    """Count values in bins of equal width.

    Args:
        x: vector.
        bins: number of bins.
        range: lower and upper end; the smallest and largest value by default.

    Returns:
        `(counts, edges)`, vectors of length `bins` and `bins + 1`.

    Raises:
        TypeError: for `bins` that is not an integer.
        ValueError: for a range that is not an interval, or `x` that is not a vector.

    Example:

    >>> counts, edges = histogram([1.0, 2.0, 2.5, 4.0], bins=3)
    >>> counts.tolist(), edges.tolist()
    ([1.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0])
    """
    if not isinstance(bins, int):
        raise TypeError(f"`bins` must be an integer, got {bins!r}.")
    if bins < 0 or (range and (len(range) != 2 or range[1] < range[0])):
        raise ValueError(f"Expected bins >= 0 and range=(low, high), got bins={bins} and range={range}.")
    x = as_array(x)
    if x.ndim > 1:
        raise ValueError(f"`histogram` takes a vector, got shape {x.shape}.")
    return jnp.histogram(x, bins=bins, range=range)


@make_op(_order_statistic(jnp.median), REDUCED)
def median(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Median.

    Example:

    >>> median([[1.0, 5.0, 2.0], [4.0, 3.0, 9.0]], axis=1).tolist()
    [2.0, 4.0]
    """
    ...


@make_op(_order_statistic(jnp.nanmedian), REDUCED)
def nanmedian(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Median, ignoring NaN.

    Example:

    >>> nanmedian([1.0, np.nan, 2.0]).tolist()
    1.5
    """
    ...


@make_op(_order_statistic(jnp.nanpercentile))
def nanpercentile(
    x: TensorLike, q: TensorLike, axis: Axes = None, method: str = "linear", keepdims: bool = False
) -> jax.Array:
    """Percentile, ignoring NaN.

    Args:
        x: array of any shape; booleans and integers are cast to `floatx()`.
        q: scalar or vector of levels between 0 and 100.
        axis: axis or axes to reduce; None for all.
        method: interpolation between elements: `"linear"`, `"lower"`, `"higher"`, `"midpoint"` or `"nearest"`.
        keepdims: whether to keep the reduced axes with size 1.

    Returns:
        Array of shape `(*q.shape, *reduced)`, where `reduced` is the shape of `x` without the reduced axes.

    Example:

    >>> nanpercentile([1.0, np.nan, 3.0], 50.0).tolist()
    2.0
    """
    ...


@make_op(_order_statistic(jnp.nanquantile))
def nanquantile(
    x: TensorLike, q: TensorLike, axis: Axes = None, method: str = "linear", keepdims: bool = False
) -> jax.Array:
    """Quantile, ignoring NaN.

    Args:
        x: array of any shape; booleans and integers are cast to `floatx()`.
        q: scalar or vector of levels between 0 and 1.
        axis: axis or axes to reduce; None for all.
        method: interpolation between elements: `"linear"`, `"lower"`, `"higher"`, `"midpoint"` or `"nearest"`.
        keepdims: whether to keep the reduced axes with size 1.

    Returns:
        Array of shape `(*q.shape, *reduced)`, where `reduced` is the shape of `x` without the reduced axes.

    Example:

    >>> nanquantile([1.0, np.nan, 3.0], 0.5).tolist()
    2.0
    """
    ...


@make_op(_order_statistic(jnp.percentile))
def percentile(
    x: TensorLike, q: TensorLike, axis: Axes = None, method: str = "linear", keepdims: bool = False
) -> jax.Array:
    """Percentile.

    Args:
        x: array of any shape; booleans and integers are cast to `floatx()`.
        q: scalar or vector of levels between 0 and 100.
        axis: axis or axes to reduce; None for all.
        method: interpolation between elements: `"linear"`, `"lower"`, `"higher"`, `"midpoint"` or `"nearest"`.
        keepdims: whether to keep the reduced axes with size 1.

    Returns:
        Array of shape `(*q.shape, *reduced)`, where `reduced` is the shape of `x` without the reduced axes.

    Example:

    >>> percentile([1.0, 2.0, 3.0], [50.0, 100.0]).tolist()
    [2.0, 3.0]
    """
    ...


@make_op(_order_statistic(jnp.quantile))
def quantile(
    x: TensorLike, q: TensorLike, axis: Axes = None, method: str = "linear", keepdims: bool = False
) -> jax.Array:
    """Quantile.

    Args:
        x: array of any shape; booleans and integers are cast to `floatx()`.
        q: scalar or vector of levels between 0 and 1.
        axis: axis or axes to reduce; None for all.
        method: interpolation between elements: `"linear"`, `"lower"`, `"higher"`, `"midpoint"` or `"nearest"`.
        keepdims: whether to keep the reduced axes with size 1.

    Returns:
        Array of shape `(*q.shape, *reduced)`, where `reduced` is the shape of `x` without the reduced axes.

    Example:

    >>> quantile([1.0, 2.0, 3.0], [0.5, 1.0]).tolist()
    [2.0, 3.0]
    """
    ...
