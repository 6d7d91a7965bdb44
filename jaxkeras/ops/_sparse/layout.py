"""Layouts of `BCOO` arrays: batch, sparse and dense axes, repeated and missing indices."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.experimental.sparse import BCOO, bcoo_broadcast_in_dim, bcoo_sum_duplicates, bcoo_update_layout


def with_data(x: BCOO, data: jax.Array) -> BCOO:
    """An array with other values at the same indices."""
    return BCOO(
        (data, x.indices), shape=x.shape, indices_sorted=x.indices_sorted, unique_indices=x.unique_indices
    )  # fmt: skip


def unique(x: BCOO) -> BCOO:
    """The same array with each index once."""
    if x.unique_indices:
        return x
    traced = isinstance(x.data, Tracer) or isinstance(x.indices, Tracer)
    return bcoo_sum_duplicates(x, nse=x.nse if traced else None)  # a trace needs to know the size


def with_layout(x: BCOO, n_batch: int = 0, n_dense: int = 0) -> BCOO:
    """The same array with other numbers of batch and dense axes."""
    if (x.n_batch, x.n_dense) == (n_batch, n_dense):
        return x
    return bcoo_update_layout(x, n_batch=n_batch, n_dense=n_dense, on_inefficient=None)


def same_layout(*xs: BCOO) -> list[BCOO]:
    """Arrays with the same numbers of batch and dense axes."""
    if len({(x.n_batch, x.n_dense) for x in xs}) == 1:
        return list(xs)
    return [with_layout(x) for x in xs]


def broadcast(*xs: BCOO) -> list[BCOO]:
    """Arrays of one shape and layout."""
    shape = jnp.broadcast_shapes(*(x.shape for x in xs))
    if any(x.shape != shape for x in xs):
        xs = tuple(
            bcoo_broadcast_in_dim(
                with_layout(x), shape=shape, broadcast_dimensions=range(len(shape) - x.ndim, len(shape))
            )
            for x in xs
        )
    return same_layout(*xs)


def with_indices_of(x: BCOO, other: BCOO) -> BCOO:
    """`x` with zeros added at the indices of `other`; each index once, in order.

    Two arrays that get each other's indices have the same ones.
    """
    axis = x.n_batch
    zeros = jnp.zeros_like(other.data, x.dtype)
    data, indices = jnp.concatenate([x.data, zeros], axis), jnp.concatenate([x.indices, other.indices], axis)
    return unique(BCOO((data, indices), shape=x.shape))


def within_shape(x: BCOO) -> jax.Array:
    """Which indices are in the array; those beyond it are padding."""
    sizes = jnp.asarray(x.shape[x.n_batch : x.n_batch + x.n_sparse], x.indices.dtype)
    return jnp.all(x.indices < sizes, axis=-1)
