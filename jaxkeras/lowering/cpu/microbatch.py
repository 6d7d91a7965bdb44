"""Run a form on one microbatch after another, so that its copies of the input stay small."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array

# Copies of the input (patches, tiles) of up to WHOLE bytes are made at once; a larger batch is split into pieces of
# about PIECE bytes. Two cores are fastest with 4 to 8 MB: less does not keep both busy, more exceeds the cache and is
# up to six times slower. A single image that needs more than LIMIT is left to XLA's own convolution.
WHOLE, PIECE, LIMIT = 10 * 2**20, 5 * 2**20, 16 * 2**20


def rows_of_a_piece(batch: int, size: int) -> int:
    """How many of `batch` images to take at a time if all of them together need `size` bytes of copies: all where
    `batch` is a symbolic dimension."""
    if not isinstance(batch, int) or size <= WHOLE or batch <= 1:
        return batch
    pieces = min(batch, math.ceil(size / PIECE))
    return math.ceil(batch / pieces)


def _cut(x: Array, rows: int) -> tuple[Array, Array]:
    """Whole pieces as a leading axis, and the rest."""
    count = x.shape[0] // rows
    return x[: count * rows].reshape(count, rows, *x.shape[1:]), x[count * rows :]


def mapped(form: Callable[[Any], Any], x: Any, rows: int) -> Any:
    """form(x), `rows` of the batch at a time; of arrays, or of trees of them."""
    leaves, treedef = jax.tree.flatten(x)
    if rows >= leaves[0].shape[0]:
        return form(x)
    pieces, rests = zip(*(_cut(leaf, rows) for leaf in leaves))
    y = jax.tree.map(lambda y: y.reshape(-1, *y.shape[2:]), lax.map(form, treedef.unflatten(pieces)))
    if not rests[0].shape[0]:
        return y
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), y, form(treedef.unflatten(rests)))


def summed(form: Callable[[Array, Array], Array], x: Array, dy: Array, rows: int) -> Array:
    """form(x, dy), a sum over the batch, `rows` of it at a time."""
    if rows >= x.shape[0]:
        return form(x, dy)
    (xs, x_rest), (dys, dy_rest) = _cut(x, rows), _cut(dy, rows)
    first = form(x_rest, dy_rest) if x_rest.shape[0] else form(xs[0], dys[0])
    skip = 0 if x_rest.shape[0] else 1
    return lax.scan(lambda total, pair: (total + form(*pair), None), first, (xs[skip:], dys[skip:]))[0]
