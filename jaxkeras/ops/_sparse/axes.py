"""Reductions of sparse arrays, and ops that rearrange their axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.sparse import (
    BCOO,
    bcoo_broadcast_in_dim,
    bcoo_concatenate,
    bcoo_reduce_sum,
    bcoo_reshape,
    bcoo_squeeze,
    bcoo_transpose,
)

from jaxkeras.core.sparse import densify
from jaxkeras.ops._sparse.layout import same_layout, with_data, with_layout

Function = Callable[..., Any]
Axes = int | Sequence[int] | None


def sum(function: Function, x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Sum over axes; the result is sparse."""
    if not isinstance(x, BCOO):
        return function(x, axis, keepdims)
    return _sum(x.astype(_dtype(function, x)), _reduced(x, axis), keepdims)


def mean(function: Function, x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Mean over axes; the result is sparse. Half precision is summed in float32."""
    if not isinstance(x, BCOO):
        return function(x, axis, keepdims)
    axes, dtype = _reduced(x, axis), _dtype(function, x)
    total = _sum(x.astype(jnp.promote_types(dtype, "float32")), axes, keepdims)
    return with_data(total, (total.data / math.prod(x.shape[a] for a in axes)).astype(dtype))


def expand_dims(function: Function, x: Any, axis: int | Sequence[int]) -> Any:
    """New axes of size 1."""
    if not isinstance(x, BCOO):
        return function(x, axis)
    axes = [axis] if isinstance(axis, int) else list(axis)
    return _with_axes(x, _canonical(axes, x.ndim + len(axes)))


def squeeze(function: Function, x: Any, axis: Axes = None) -> Any:
    """Remove axes of size 1."""
    if not isinstance(x, BCOO):
        return function(x, axis)
    axes = [a for a, size in enumerate(x.shape) if size == 1] if axis is None else _reduced(x, axis)
    return bcoo_squeeze(x, dimensions=tuple(axes))


def transpose(function: Function, x: Any = None, axes: Sequence[int] | None = None, **kwargs: Any) -> Any:
    """Permute axes."""
    x = kwargs.get("a", x)
    if not isinstance(x, BCOO):
        return function(x) if axes is None else function(x, axes)
    order = tuple(range(x.ndim))[::-1] if axes is None else _canonical(axes, x.ndim)
    kinds = [0] * x.n_batch + [1] * x.n_sparse + [2] * x.n_dense
    if [kinds[a] for a in order] != kinds:  # batch and dense axes cannot change places with sparse ones
        x = with_layout(x)
    return bcoo_transpose(x, permutation=order)


def reshape(function: Function, x: Any, newshape: Any = None, **kwargs: Any) -> Any:
    """The same elements in another shape."""
    shape = kwargs.get("shape", newshape)
    if not isinstance(x, BCOO):
        return function(x, shape)
    return bcoo_reshape(with_layout(x), new_sizes=jax.eval_shape(lambda: jnp.zeros(x.shape).reshape(shape)).shape)


def concatenate(function: Function, xs: Sequence[Any], axis: int = 0) -> Any:
    """Sparse if all arrays are."""
    if not all(isinstance(x, BCOO) for x in xs):
        return function([densify(x) for x in xs], axis)
    (dimension,) = _canonical([axis], xs[0].ndim)
    dtype = jnp.result_type(*(x.dtype for x in xs))
    return bcoo_concatenate(same_layout(*(x.astype(dtype) for x in xs)), dimension=dimension)


def dense_indices(function: Function, x: Any, indices: Any, *args: Any, **kwargs: Any) -> Any:
    """Indices may be sparse: where they are not given they are 0."""
    return function(x, densify(indices), *args, **kwargs)


def _canonical(axes: Sequence[int], ndim: int) -> tuple[int, ...]:
    """Non-negative axes.

    Raises:
        ValueError: for an axis that is out of bounds or given twice.
    """
    for a in axes:
        if not -ndim <= a < ndim:
            raise ValueError(f"Axis {a} is out of bounds for an array with {ndim} axes.")
    found = tuple(a % ndim for a in axes)
    if len(set(found)) != len(found):
        raise ValueError(f"An axis is repeated in {tuple(axes)}.")
    return found


def _reduced(x: BCOO, axis: Axes) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(x.ndim))
    return _canonical([axis] if isinstance(axis, int) else axis, x.ndim)


def _sum(x: BCOO, axes: Sequence[int], keepdims: bool) -> BCOO:
    total = bcoo_reduce_sum(x, axes=axes)
    return _with_axes(total, axes) if keepdims else total


def _with_axes(x: BCOO, axes: Sequence[int]) -> BCOO:
    """`x` with axes of size 1 in these places of the result."""
    ndim = x.ndim + len(axes)
    kept = [a for a in range(ndim) if a not in axes]
    shape = [1] * ndim
    for a, size in zip(kept, x.shape):
        shape[a] = size
    return bcoo_broadcast_in_dim(x, shape=tuple(shape), broadcast_dimensions=kept)


def _dtype(function: Function, x: BCOO) -> Any:
    """The dtype of a reduction of dense arrays."""
    return jax.eval_shape(lambda: function(jnp.zeros(1, x.dtype))).dtype
