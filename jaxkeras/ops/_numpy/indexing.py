"""Ops that sort, search, select and index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core.symbolic import get_item_spec, op
from jaxkeras.ops import _output_specs
from jaxkeras.ops._arrays import TensorLike, as_array, as_operand
from jaxkeras.ops._make_op import make_op


@op
def argpartition(x: TensorLike, kth: int, axis: int | None = -1) -> jax.Array:
    """Indices that move the `kth` smallest element to its sorted position, smaller ones before it, larger ones after.

    Args:
        x: array of any shape.
        kth: the position.
        axis: axis along which to partition; None for the flattened array.

    Returns:
        int32 array of the shape of `x`, or a vector for `axis=None`.

    Example:

    >>> x = np.array([7, 1, 5])
    >>> int(x[argpartition(x, 1)][1])
    5
    """
    x = as_array(x)
    if x.dtype == bool:
        x = x.astype("uint8")
    elif jnp.issubdtype(x.dtype, jnp.signedinteger):  # JAX negates, which the most negative integer does not survive
        x = (x ^ jnp.iinfo(x.dtype).min).view(f"u{x.dtype.name}")
    return jnp.argpartition(x.ravel(), kth) if axis is None else jnp.argpartition(x, kth, axis=axis)


@op
def argsort(x: TensorLike, axis: int | None = -1) -> jax.Array:
    """Indices that sort an array in increasing order; equal elements keep their order.

    Args:
        x: array of any shape.
        axis: axis along which to sort; None for the flattened array.

    Returns:
        int32 array of the shape of `x`, or a vector for `axis=None`.

    Example:

    >>> argsort([7, 1, 5]).tolist()
    [1, 2, 0]
    """
    x = as_array(x)
    return jnp.argsort(x, axis=axis if x.ndim else None)


@make_op(jnp.digitize)
def digitize(x: TensorLike, bins: TensorLike) -> jax.Array:
    """Index of the bin into which each element falls.

    Args:
        x: array of any shape.
        bins: vector of edges, in increasing or decreasing order.

    Returns:
        int32 array of the shape of `x`: 0 before the first edge, `len(bins)` after the last.

    Example:

    >>> digitize([0.5, 1.5, 9.0], [1.0, 2.0]).tolist()
    [0, 1, 2]
    """
    ...


@make_op(jnp.diff)
def diff(a: TensorLike, n: int = 1, axis: int = -1) -> jax.Array:
    """Differences between neighbors.

    Args:
        a: array with at least one axis.
        n: how many times to take differences.
        axis: axis along which to take them.

    Returns:
        Array of the shape of `a`, shorter by `n` along `axis`.

    Example:

    >>> diff([1, 4, 9]).tolist()
    [3, 5]
    """
    ...


@op(output_spec=get_item_spec)
def get_item(x: TensorLike, key: Any) -> jax.Array:
    """`x[key]`.

    Args:
        x: array of any shape.
        key: integer, slice, array, None, ... or a tuple or list of these.

    Returns:
        Array with the dtype of `x`.

    Example:

    >>> get_item([[1, 2], [3, 4]], (slice(None), 1)).tolist()
    [2, 4]
    """
    return as_array(x)[tuple(key) if isinstance(key, list) else key]


@make_op(jnp.isin)
def isin(x1: TensorLike, x2: TensorLike, assume_unique: bool = False, invert: bool = False) -> jax.Array:
    """True where an element of `x1` is one of the elements of `x2`.

    Args:
        x1: array of any shape.
        x2: array of any shape.
        assume_unique: whether both arrays are known to hold no element twice, which may be faster.
        invert: whether to return the negation.

    Returns:
        Boolean array of the shape of `x1`.

    Example:

    >>> isin([1, 2, 3], [3, 1]).tolist()
    [True, False, True]
    """
    ...


@make_op(
    jnp.nonzero,
    "Tuple of int32 vectors, one for each axis. Their length depends on values, so `jit` refuses.",
    _output_specs.nonzero,
)
def nonzero(x: TensorLike) -> tuple[jax.Array, ...]:
    """Indices of the nonzero elements.

    Example:

    >>> [indices.tolist() for indices in nonzero([[0, 5], [6, 0]])]
    [[0, 1], [1, 0]]
    """
    ...


@op
def searchsorted(sorted_sequence: TensorLike, values: TensorLike, side: str = "left") -> jax.Array:
    """Indices at which values would have to be inserted to keep a vector sorted.

    Args:
        sorted_sequence: vector in increasing order.
        values: array of any shape.
        side: `"left"` or `"right"` of equal elements.

    Returns:
        int32 array of the shape of `values`.

    Raises:
        ValueError: for a sequence with more than one axis.

    Example:

    >>> searchsorted([1.0, 3.0, 5.0], [0.0, 3.0, 9.0]).tolist()
    [0, 1, 3]
    """
    sorted_sequence = as_array(sorted_sequence)
    if sorted_sequence.ndim != 1:
        raise ValueError(
            f"`searchsorted` searches a vector, got shape {sorted_sequence.shape}. For several use `vectorized_map`."
        )
    return jnp.searchsorted(sorted_sequence, as_operand(values), side=side)


@op
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> jax.Array:
    """At each position, the choice of the first condition that is true.

    Args:
        condlist: boolean arrays.
        choicelist: as many arrays to choose from; all broadcast.
        default: the value where no condition is true.

    Returns:
        Array of the common shape, with the promoted dtype of the choices.

    Raises:
        ValueError: for arguments that are not lists, or are empty.

    Example:

    >>> x = np.array([1, 5, 9])
    >>> select([x < 3, x > 7], [-x, 10 * x], default=0).tolist()
    [-1, 0, 90]
    """
    if not condlist or not isinstance(condlist, (list, tuple)) or not isinstance(choicelist, (list, tuple)):
        raise ValueError("`select` takes two lists of the same, positive length: conditions and choices.")
    return jnp.select([as_array(c) for c in condlist], [as_array(c) for c in choicelist], default=default)


@make_op(jnp.sort)
def sort(x: TensorLike, axis: int | None = -1) -> jax.Array:
    """Sort in increasing order.

    Args:
        x: array of any shape.
        axis: axis along which to sort; None for the flattened array.

    Returns:
        Array of the shape and dtype of `x`.

    Example:

    >>> sort([3, 1, 2]).tolist()
    [1, 2, 3]
    """
    ...


@make_op(jnp.take)
def take(x: TensorLike, indices: TensorLike, axis: int | None = None) -> jax.Array:
    """Elements at indices along an axis.

    Args:
        x: array of any shape.
        indices: integer array of any shape.
        axis: axis along which to take; None for the flattened array.

    Returns:
        Array of the shape of `x`, with the shape of `indices` in place of `axis`.

    Example:

    >>> take([[1, 2], [3, 4]], [1, 0], axis=1).tolist()
    [[2, 1], [4, 3]]
    """
    ...


@make_op(jnp.take_along_axis)
def take_along_axis(x: TensorLike, indices: TensorLike, axis: int | None = None) -> jax.Array:
    """Elements at indices that differ from row to row.

    Args:
        x: array of any shape.
        indices: integer array that broadcasts with `x` in all axes but `axis`.
        axis: axis along which to take; None for the flattened array.

    Returns:
        Array of the shape to which `indices` broadcasts.

    Example:

    >>> take_along_axis([[1, 2], [3, 4]], [[1], [0]], axis=1).tolist()
    [[2], [3]]
    """
    ...


@op(output_spec=_output_specs.unique)
def unique(
    x: TensorLike,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The distinct elements, in increasing order.

    Args:
        x: array of any shape.
        sorted: whether the order matters.
        return_index: whether to return the index of the first occurrence of each.
        return_inverse: whether to return, for each element of `x`, its index in the result.
        return_counts: whether to return how often each occurs.
        axis: axis along which to compare slices; None compares elements.
        size: length of the result, needed under `jit`.
        fill_value: pads the result up to `size`; the smallest element by default.

    Returns:
        Vector, or a tuple of it and the arrays asked for.

    Example:

    >>> values, counts = unique([3, 1, 3], return_counts=True)
    >>> values.tolist(), counts.tolist()
    ([1, 3], [1, 2])
    """
    return jnp.unique(
        as_array(x), return_index, return_inverse, return_counts, axis,
        equal_nan=False, size=size, fill_value=fill_value, sorted=sorted,
    )  # fmt: skip


@make_op(jnp.unravel_index)
def unravel_index(indices: TensorLike, shape: Sequence[int]) -> tuple[jax.Array, ...]:
    """Turn indices into a flattened array into one index for each axis.

    Args:
        indices: integer array of any shape.
        shape: shape of the array.

    Returns:
        Tuple of integer arrays of the shape of `indices`, one for each axis.

    Example:

    >>> [int(i) for i in unravel_index(5, (2, 3))]
    [1, 2]
    """
    ...


@op(output_spec=_output_specs.where)
def where(condition: TensorLike, x1: TensorLike | None = None, x2: TensorLike | None = None) -> Any:
    """`x1` where a condition is true, `x2` elsewhere.

    Args:
        condition: boolean array.
        x1: array that broadcasts with `condition`; both or none of `x1` and `x2` must be given.
        x2: array that broadcasts with `condition`.

    Returns:
        Array of the common shape, with the promoted dtype of `x1` and `x2`; without these the indices where the
        condition is true, as `nonzero` returns them.

    Raises:
        ValueError: if one of `x1` and `x2` is missing.

    Example:

    >>> where([True, False], [1, 2], 0).tolist()
    [1, 0]
    """
    if (x1 is None) != (x2 is None):
        raise ValueError("Give `where` both `x1` and `x2`, or neither.")
    return jnp.where(as_operand(condition), as_operand(x1), as_operand(x2))
