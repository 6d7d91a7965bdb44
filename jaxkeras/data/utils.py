"""Packing of batches into tuples, and splits of arrays into training and validation data."""

from __future__ import annotations

import math
from typing import Any

from jaxkeras.data import checks
from jaxkeras.data.convert import map_leaves, named_leaves, to_array


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """Unpack a batch into `(x, y, sample_weight)`, with None for absent parts.

    Args:
        data: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`; a list counts as a tuple.

    Returns:
        The tuple `(x, y, sample_weight)`.

    Raises:
        ValueError: for a tuple of another length.

    Example:

    >>> unpack_x_y_sample_weight(([1.0], [0]))
    ([1.0], [0], None)
    """
    if not isinstance(data, (tuple, list)):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise checks.bad_arity(len(data))
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Pack a batch into the shortest form that `fit` takes.

    Args:
        x: inputs.
        y: targets, or None.
        sample_weight: weights, or None; ignored without `y`.

    Returns:
        `x` alone (in a tuple of one if it is itself a list or a tuple), `(x, y)` or `(x, y, sample_weight)`.

    Example:

    >>> pack_x_y_sample_weight("x"), pack_x_y_sample_weight("x", "y")
    ('x', ('x', 'y'))
    """
    if y is None:
        return (x,) if isinstance(x, (tuple, list)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def train_validation_split(arrays: Any, validation_split: float) -> tuple[Any, Any]:
    """Split a structure of arrays along the first axis. The last rows, before any shuffling, are for validation.

    Args:
        arrays: nested structure of arrays, DataFrames or None, all with the same number of rows.
        validation_split: fraction of the rows in the second part, in (0, 1).

    Returns:
        Two structures like `arrays`, the first with `floor(rows * (1 - validation_split))` rows.

    Raises:
        ValueError: if a part would have no row, or the fraction is not in (0, 1).

    Example:

    >>> import numpy as np
    >>> train_validation_split(np.arange(5.0, dtype="float32"), 0.4)
    (array([0., 1., 2.], dtype=float32), array([3., 4.], dtype=float32))
    """
    checks.validation_split(validation_split)
    arrays = map_leaves(to_array, "arrays", arrays)
    rows = checks.same_rows(named_leaves("arrays", arrays))
    if rows is None:
        return arrays, arrays
    split_at = math.floor(rows * (1.0 - validation_split))
    checks.split_rows(rows, split_at, validation_split)

    def part(start: int, stop: int) -> Any:
        return map_leaves(lambda leaf, _: None if leaf is None else leaf[start:stop], "arrays", arrays)

    return part(0, split_at), part(split_at, rows)
