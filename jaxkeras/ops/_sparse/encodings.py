"""Encodings of integers as sparse arrays."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.experimental.sparse import BCOO, bcoo_reduce_sum

from jaxkeras.ops._sparse.layout import unique, with_data, with_layout, within_shape


def one_hot(x: jax.Array, num_classes: int, axis: int, dtype: Any) -> Any:
    """Class indices as vectors with a one at the index; indices out of range become zeros.

    Args:
        x: integers.
        num_classes: length of a vector.
        axis: position of the new axis in the result.
        dtype: dtype of the result.
    """
    axis = axis % (x.ndim + 1)
    known = ((x >= 0) & (x < num_classes)).ravel()
    columns = [grid.ravel() for grid in jnp.indices(x.shape, dtype="int32")]
    columns.insert(axis, jnp.where(known, x.ravel(), 0).astype("int32"))
    return BCOO(
        (known.astype(dtype), jnp.stack(columns, axis=1)),
        shape=(*x.shape[:axis], num_classes, *x.shape[axis:]),
        indices_sorted=axis == x.ndim,
        unique_indices=True,
    )


def multi_hot(x: jax.Array, num_classes: int, axis: int, dtype: Any) -> Any:
    """Sets of class indices as vectors with a one at each index of the set; arguments as of `one_hot`."""
    counts = bcoo_reduce_sum(one_hot(x, num_classes, axis, "int32"), axes=(1 if x.ndim > 1 else 0,))
    counts = unique(counts)
    return with_data(counts, (counts.data > 0).astype(dtype))


def bincount(x: Any, weights: Any, length: int) -> Any:
    """Counts of each integer in each row.

    Args:
        x: integers `(n,)` or `(rows, n)`; of a sparse array, those that it holds.
        weights: what each occurrence counts, sparse if `x` is; 1 by default.
        length: the length of the counts.

    Raises:
        ValueError: if only one of `x` and `weights` is sparse, or their indices differ.
    """
    dtype: Any = "int32" if weights is None else weights.dtype
    if not isinstance(x, BCOO):
        encoded = one_hot(x, length, -1, dtype)
        if weights is not None:
            encoded = with_data(encoded, encoded.data * jnp.ravel(weights))
        return bcoo_reduce_sum(encoded, axes=(1 if x.ndim > 1 else 0,))
    x = with_layout(x)
    each = jnp.ones(x.nse, dtype) if weights is None else _values(x, weights)
    counted = within_shape(x) & (x.data >= 0) & (x.data < length)
    columns = jnp.concatenate([x.indices[:, :-1], jnp.where(counted, x.data, 0)[:, None].astype("int32")], axis=1)
    return BCOO((jnp.where(counted, each, 0), columns), shape=(*x.shape[:-1], length))


def _values(x: BCOO, weights: Any) -> jax.Array:
    """The values of `weights`, in the order of those of `x`."""
    if not isinstance(weights, BCOO):
        raise ValueError("The weights of sparse integers must be sparse too.")
    weights = with_layout(weights)
    same = x.indices.shape == weights.indices.shape
    if not same or not (isinstance(x.indices, Tracer) or bool(jnp.all(x.indices == weights.indices))):
        raise ValueError("The weights of sparse integers must have the same indices as the integers.")
    return weights.data
