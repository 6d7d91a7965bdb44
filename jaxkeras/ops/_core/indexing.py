"""Slices, scatters and rearranged axes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core.symbolic import op
from jaxkeras.ops import _output_specs
from jaxkeras.ops._arrays import TensorLike, as_array, as_operand


@op
def scatter(indices: TensorLike, values: TensorLike, shape: Sequence[int]) -> jax.Array:
    """Add values to zeros at indices.

    Args:
        indices: integer array of shape `(..., n)`, whose vectors index the first `n` axes of the result.
        values: array of shape `(..., *shape[n:])`.
        shape: shape of the result.

    Returns:
        Array of shape `shape`, with the dtype of `values`.

    Example:

    >>> scatter([[0], [2]], jnp.array([5, 7]), (4,)).tolist()
    [5, 0, 7, 0]
    """
    indices, values = as_array(indices), as_array(values)
    return jnp.zeros(tuple(shape), values.dtype).at[tuple(jnp.moveaxis(indices, -1, 0))].add(values)


_REDUCTIONS = {None: "set", "add": "add", "max": "max", "min": "min", "mul": "multiply"}


@op
def scatter_update(
    inputs: TensorLike, indices: TensorLike, updates: TensorLike, reduction: str | None = None
) -> jax.Array:
    """Replace the elements at indices, or combine them with others.

    Args:
        inputs: array of any shape.
        indices: integer array of shape `(k, n)`, whose rows index the first `n` axes of `inputs`.
        updates: array of shape `(k, *inputs.shape[n:])`.
        reduction: None to replace, or `"add"`, `"max"`, `"min"`, `"mul"` to combine.

    Returns:
        Array of the shape and dtype of `inputs`.

    Raises:
        ValueError: for another reduction.

    Example:

    >>> scatter_update([1, 2, 3], [[0], [2]], [10, 30]).tolist()
    [10, 2, 30]
    """
    reduction = reduction.lower() if isinstance(reduction, str) else reduction
    if reduction not in _REDUCTIONS:
        raise ValueError(f"`reduction` must be None, 'add', 'max', 'min' or 'mul', got {reduction!r}.")
    x = as_array(inputs)
    target = x.at[tuple(jnp.transpose(as_array(indices)))]
    return getattr(target, _REDUCTIONS[reduction])(as_array(updates).astype(x.dtype))


@op(output_spec=_output_specs.slice)
def slice(inputs: TensorLike, start_indices: Any, shape: Sequence[int]) -> jax.Array:
    """A block of an array, at a start that may be traced.

    Args:
        inputs: array of any shape.
        start_indices: one integer for each axis; clipped so that the block is inside.
        shape: shape of the block; -1 extends to the end of the axis.

    Returns:
        Array of shape `shape`.

    Example:

    >>> slice([[1, 2, 3], [4, 5, 6]], (0, 1), (2, 2)).tolist()
    [[2, 3], [5, 6]]
    """
    x = as_array(inputs)
    sizes = [x.shape[i] - int(start_indices[i]) if size == -1 else size for i, size in enumerate(shape)]
    return jax.lax.dynamic_slice(x, [as_operand(s) for s in start_indices], sizes)


@op
def slice_update(inputs: TensorLike, start_indices: Any, updates: TensorLike) -> jax.Array:
    """Replace a block of an array, at a start that may be traced.

    Args:
        inputs: array of any shape.
        start_indices: one integer for each axis; clipped so that the block is inside.
        updates: array, the block.

    Returns:
        Array of the shape and dtype of `inputs`.

    Example:

    >>> slice_update([1, 2, 3], [1], [20, 30]).tolist()
    [1, 20, 30]
    """
    x = as_array(inputs)
    return jax.lax.dynamic_update_slice(x, as_array(updates).astype(x.dtype), [as_operand(s) for s in start_indices])


@op(output_spec=_output_specs.unstack)
def unstack(x: TensorLike, num: int | None = None, axis: int = 0) -> list[jax.Array]:
    """Split an array into its slices along an axis.

    Args:
        x: array with at least one axis.
        num: for compatibility with Keras; the number of slices.
        axis: axis that is removed.

    Returns:
        List of arrays.

    Example:

    >>> [row.tolist() for row in unstack([[1, 2], [3, 4]])]
    [[1, 2], [3, 4]]
    """
    x = as_array(x)
    return [jax.lax.index_in_dim(x, i, axis, keepdims=False) for i in range(x.shape[axis])]


def _axes(side: str) -> list[list[str]]:
    """`"b (h w) c"` as `[["b"], ["h", "w"], ["c"]]`."""
    return [re.findall(r"\w+", part) for part in re.findall(r"\w+|\([\w\s]*\)", side)]


@op
def rearrange(tensor: TensorLike, pattern: str, **axes_lengths: int) -> jax.Array:
    """Split, permute and merge axes by a pattern of names, as `einops` does.

    Args:
        tensor: array of any shape.
        pattern: the axes before and after, merged ones in parentheses: `"b (h w) c -> b h (w c)"`.
        **axes_lengths: sizes of named axes; one in each pair of parentheses on the left may be omitted.

    Returns:
        Array with the dtype of `tensor`.

    Raises:
        ValueError: for a pattern that does not match the shape.

    Example:

    >>> rearrange(jnp.zeros((2, 12, 3)), "b (h w) c -> b c h w", h=4).shape
    (2, 3, 4, 3)
    """
    x = as_array(tensor)
    left, arrow, right = pattern.partition("->")
    before, after = _axes(left), _axes(right)
    names, wanted = sum(before, []), sum(after, [])
    if not arrow or len(before) != x.ndim or sorted(names) != sorted(wanted) or len(set(names)) < len(names):
        raise ValueError(
            f"The pattern {pattern!r} does not match the shape {x.shape}, or its sides name different axes."
        )
    sizes: dict[str, int] = {}
    for group, total in zip(before, x.shape):
        known = math.prod(axes_lengths.get(name, 1) for name in group)
        unknown = [name for name in group if name not in axes_lengths]
        if len(unknown) > 1 or total % known or (not unknown and total != known):
            raise ValueError(f"An axis of size {total} cannot be split into {group} with the sizes {axes_lengths}.")
        for name in group:
            sizes[name] = axes_lengths[name] if name in axes_lengths else total // known
    x = jnp.transpose(jnp.reshape(x, [sizes[name] for name in names]), [names.index(name) for name in wanted])
    return jnp.reshape(x, [math.prod(sizes[name] for name in group) for group in after])
