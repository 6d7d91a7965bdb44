"""Ops that join arrays, or split one."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import TensorLike, as_operand
from jaxkeras.ops._make_op import make_op


@make_op(jnp.append)
def append(x1: TensorLike, x2: TensorLike, axis: int | None = None) -> jax.Array:
    """Append one array to another.

    Args:
        x1: array of any shape.
        x2: array that agrees with `x1` in all axes but `axis`; any array for None.
        axis: axis along which to append; None flattens both arrays.

    Returns:
        Array with the promoted dtype of `x1` and `x2`.

    Example:

    >>> append([1, 2], [3]).tolist()
    [1, 2, 3]
    """
    ...


@make_op(jnp.array_split, "List of arrays.")
def array_split(x: TensorLike, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[jax.Array]:
    """Split into parts of nearly equal size.

    Example:

    >>> [part.tolist() for part in array_split([1, 2, 3], 2)]
    [[1, 2], [3]]
    """
    ...


@make_op(jnp.column_stack, "Array with at least two axes, with the promoted dtype of `xs`.")
def column_stack(xs: Sequence[TensorLike]) -> jax.Array:
    """Put vectors side by side as the columns of a matrix; arrays of more axes are concatenated along the second.

    Args:
        xs: sequence of vectors or arrays that agree in all axes but the second.

    Example:

    >>> column_stack([[1, 2], [3, 4]]).tolist()
    [[1, 3], [2, 4]]
    """
    ...


@make_op(jnp.concatenate, "Array with the promoted dtype of `xs`.")
def concatenate(xs: Sequence[TensorLike], axis: int = 0) -> jax.Array:
    """Concatenate arrays along an axis.

    Args:
        xs: sequence of arrays that agree in all axes but `axis`.
        axis: axis along which to concatenate.

    Example:

    >>> concatenate([[[1, 2]], [[3, 4]]], axis=1).tolist()
    [[1, 2, 3, 4]]
    """
    ...


@make_op(jnp.dsplit, "List of arrays.")
def dsplit(x: TensorLike, indices_or_sections: int | Sequence[int]) -> list[jax.Array]:
    """Split along the third axis.

    Example:

    >>> [part.shape for part in dsplit(np.zeros((2, 3, 4)), 2)]
    [(2, 3, 2), (2, 3, 2)]
    """
    ...


@make_op(jnp.dstack, "Array with at least three axes, with the promoted dtype of `xs`.")
def dstack(xs: Sequence[TensorLike]) -> jax.Array:
    """Concatenate along the third axis, which is added where missing.

    Example:

    >>> dstack([[1, 2], [3, 4]]).tolist()
    [[[1, 3], [2, 4]]]
    """
    ...


@make_op(jnp.hsplit, "List of arrays.")
def hsplit(x: TensorLike, indices_or_sections: int | Sequence[int]) -> list[jax.Array]:
    """Split along the second axis; a vector along the first.

    Example:

    >>> [part.tolist() for part in hsplit([[1, 2], [3, 4]], 2)]
    [[[1], [3]], [[2], [4]]]
    """
    ...


@make_op(jnp.hstack, "Array with the promoted dtype of `xs`.")
def hstack(xs: Sequence[TensorLike]) -> jax.Array:
    """Concatenate along the second axis; vectors along the first.

    Example:

    >>> hstack([[[1], [2]], [[3], [4]]]).tolist()
    [[1, 3], [2, 4]]
    """
    ...


def meshgrid(*x: TensorLike, indexing: str = "xy") -> list[jax.Array]:
    """Coordinate arrays of a grid, from the coordinates along each axis.

    Args:
        *x: vectors of lengths `n0, n1, ...`; other arrays are flattened.
        indexing: `"ij"` for arrays of shape `(n0, n1, ...)`, `"xy"` for `(n1, n0, ...)`.

    Returns:
        List of as many arrays as there are vectors.

    Example:

    >>> [grid.tolist() for grid in meshgrid([1, 2], [3, 4])]
    [[[1, 2], [1, 2]], [[3, 3], [4, 4]]]
    """
    return _meshgrid(x, indexing)


@op(name="meshgrid")
def _meshgrid(x: Sequence[TensorLike], indexing: str) -> list[jax.Array]:
    return jnp.meshgrid(*(jnp.ravel(as_operand(v)) for v in x), indexing=indexing)


@make_op(jnp.split, "List of arrays.")
def split(x: TensorLike, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[jax.Array]:
    """Split into equal parts, or at given indices.

    Example:

    >>> [part.tolist() for part in split([1, 2, 3, 4], [1, 3])]
    [[1], [2, 3], [4]]
    """
    ...


@make_op(jnp.stack, "Array with one axis more than each `x`, with their promoted dtype.")
def stack(x: Sequence[TensorLike], axis: int = 0) -> jax.Array:
    """Stack arrays along a new axis.

    Args:
        x: sequence of arrays of one shape.
        axis: position of the new axis in the result.

    Example:

    >>> stack([[1, 2], [3, 4]], axis=1).tolist()
    [[1, 3], [2, 4]]
    """
    ...


@make_op(jnp.vsplit, "List of arrays.")
def vsplit(x: TensorLike, indices_or_sections: int | Sequence[int]) -> list[jax.Array]:
    """Split along the first axis.

    Example:

    >>> [part.tolist() for part in vsplit([[1, 2], [3, 4]], 2)]
    [[[1, 2]], [[3, 4]]]
    """
    ...


@make_op(jnp.vstack, "Array with at least two axes, with the promoted dtype of `xs`.")
def vstack(xs: Sequence[TensorLike]) -> jax.Array:
    """Concatenate along the first axis; vectors become rows.

    Example:

    >>> vstack([[1, 2], [3, 4]]).tolist()
    [[1, 2], [3, 4]]
    """
    ...
