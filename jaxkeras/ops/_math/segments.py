"""Reductions of segments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax.core import Tracer

from jaxkeras.core.symbolic import op
from jaxkeras.ops import _output_specs
from jaxkeras.ops._arrays import TensorLike, as_array


def _segment_reduction(
    reduce: Callable[..., jax.Array], data: Any, segment_ids: Any, num_segments: int | None, sorted: bool
) -> jax.Array:
    data, segment_ids = as_array(data), as_array(segment_ids)
    if segment_ids.ndim != 1 or segment_ids.shape[0] != data.shape[0]:
        raise ValueError(
            f"`segment_ids` must be a vector as long as the first axis of `data`: got shapes {segment_ids.shape} "
            f"and {data.shape}."
        )
    if num_segments is None and isinstance(segment_ids, Tracer):
        raise ValueError(f"Under jit the number of segments must be given: `{reduce.__name__}(..., num_segments=...)`.")
    return reduce(data, segment_ids, num_segments, indices_are_sorted=sorted)


@op(output_spec=_output_specs.segments)
def segment_max(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> jax.Array:
    """Largest element of each segment, along the first axis.

    Args:
        data: array with at least one axis.
        segment_ids: integer vector, the segment of each element of the first axis.
        num_segments: number of segments, needed under `jit`; `max(segment_ids) + 1` by default.
        sorted: whether `segment_ids` is known to be in increasing order.

    Returns:
        Array of shape `(num_segments, *data.shape[1:])`; for an empty
        segment the least number of the dtype, or minus infinity.

    Raises:
        ValueError: for ids that are not a vector as long as the first axis of `data`, or under `jit` without
            `num_segments`.

    Example:

    >>> segment_max([1, 2, 9], [0, 0, 1]).tolist()
    [2, 9]
    """
    return _segment_reduction(jax.ops.segment_max, data, segment_ids, num_segments, sorted)


@op(output_spec=_output_specs.segments)
def segment_min(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> jax.Array:
    """Smallest element of each segment, along the first axis.

    Args:
        data: array with at least one axis.
        segment_ids: integer vector, the segment of each element of the first axis.
        num_segments: number of segments, needed under `jit`; `max(segment_ids) + 1` by default.
        sorted: whether `segment_ids` is known to be in increasing order.

    Returns:
        Array of shape `(num_segments, *data.shape[1:])`; for an empty
        segment the largest number of the dtype, or infinity.

    Raises:
        ValueError: for ids that are not a vector as long as the first axis of `data`, or under `jit` without
            `num_segments`.

    Example:

    >>> segment_min([1, 2, 9], [0, 0, 1]).tolist()
    [1, 9]
    """
    return _segment_reduction(jax.ops.segment_min, data, segment_ids, num_segments, sorted)


@op(output_spec=_output_specs.segments)
def segment_prod(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> jax.Array:
    """Product of each segment, along the first axis.

    Args:
        data: array with at least one axis.
        segment_ids: integer vector, the segment of each element of the first axis.
        num_segments: number of segments, needed under `jit`; `max(segment_ids) + 1` by default.
        sorted: whether `segment_ids` is known to be in increasing order.

    Returns:
        Array of shape `(num_segments, *data.shape[1:])`; 1 for an empty segment.

    Raises:
        ValueError: for ids that are not a vector as long as the first axis of `data`, or under `jit` without
            `num_segments`.

    Example:

    >>> segment_prod([1, 2, 9], [0, 0, 1]).tolist()
    [2, 9]
    """
    return _segment_reduction(jax.ops.segment_prod, data, segment_ids, num_segments, sorted)


@op(output_spec=_output_specs.segments)
def segment_sum(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> jax.Array:
    """Sum of each segment, along the first axis.

    Args:
        data: array with at least one axis.
        segment_ids: integer vector, the segment of each element of the first axis.
        num_segments: number of segments, needed under `jit`; `max(segment_ids) + 1` by default.
        sorted: whether `segment_ids` is known to be in increasing order.

    Returns:
        Array of shape `(num_segments, *data.shape[1:])`; 0 for an empty segment.

    Raises:
        ValueError: for ids that are not a vector as long as the first axis of `data`, or under `jit` without
            `num_segments`.

    Example:

    >>> segment_sum([1, 2, 9], [0, 0, 1]).tolist()
    [3, 9]
    """
    return _segment_reduction(jax.ops.segment_sum, data, segment_ids, num_segments, sorted)
