"""Narrow arrays as vectors, for updates element by element in a loop.

XLA:CPU runs an element-wise operation as a loop over rows around a loop over columns. LLVM unrolls the inner one if it
is short and then leaves it in scalar code, so that Adam takes up to six times as long an element with 10 to 30 columns
as with 64 (see README.md). As a vector every array is updated fast, if it is one in the carry of the loop as well: a
reshape at the end of a fusion keeps XLA from writing its result over its input.
"""

from __future__ import annotations

import math
from typing import TypeVar

import jax

from jaxkeras.core.context import local

T = TypeVar("T")
COLUMNS = range(9, 64)
MIN_SIZE = 256


def flattened(tree: T, leading: int = 0) -> T:
    """A tree whose narrow arrays are vectors, but for `leading` axes. Others stay as they are."""

    def flat(array: jax.Array) -> jax.Array:
        shape = array.shape[leading:]
        narrow = len(shape) > 1 and shape[-1] in COLUMNS and math.prod(shape) >= MIN_SIZE
        return array.reshape(*array.shape[:leading], -1) if narrow else array

    return jax.tree.map(flat, tree)


def restored(tree: T, like: T) -> T:
    """The tree with the shapes of another one."""
    return jax.tree.map(lambda array, model: array.reshape(model.shape), tree, like)


def updates_flat() -> bool:
    """Whether a loop is traced that keeps weights and moments as vectors."""
    return local.flat_updates
