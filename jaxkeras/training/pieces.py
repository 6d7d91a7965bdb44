"""Large batches in pieces, so that the arrays between a model's layers stay in the caches of a CPU."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
from jax.core import Tracer

from jaxkeras.core import placement
from jaxkeras.core.context import local, setting
from jaxkeras.core.functional import functional_call
from jaxkeras.core.masks import get_mask
from jaxkeras.lowering.cpu.microbatch import mapped
from jaxkeras.training.rows import row_bytes

LEAST_ROWS = 64
# Batches whose largest array has more than WHOLE bytes are split into pieces whose largest has about PIECE.
WHOLE, PIECE = 10 * 2**20, 6.5 * 2**20


def call_in_pieces(model: Any, function: Callable[[Any], Any], x: Any) -> Any:
    """`function(x)`, the call of a model without training, by pieces of the batch where rows do not depend on each
    other and the program is for one CPU.

    Args:
        model: the model, whose layers must not keep anything of the call.
        function: calls it.
        x: its inputs.
    """
    if not (_can_be_split(x) and model._session.placement is None and not local.interceptors):
        return function(x)
    if local.reference_forms or placement.default_device().platform != "cpu":
        return function(x)
    count = jax.tree.leaves(x)[0].shape[0]

    def of_rows(piece: Any) -> Any:
        outputs, _, frame = functional_call({}, {}, lambda: function(piece))
        if frame.losses or frame.checks or any(get_mask(y) is not None for y in jax.tree.leaves(outputs)):
            raise ValueError("What the call leaves besides its outputs cannot be put together from pieces.")
        return outputs

    with setting(reference_forms=True):
        size = row_bytes(of_rows, x)
    if size is None or any(_keeps_tracer(v) for layer in model._flatten_layers() for v in vars(layer).values()):
        return function(x)
    return mapped(of_rows, x, _rows_of_a_piece(count, count * size))


def _keeps_tracer(value: Any) -> bool:
    """Whether an attribute of a layer is an array of the call, or a collection with one."""
    if isinstance(value, dict):
        value = list(value.values())
    return any(map(_keeps_tracer, value)) if isinstance(value, (list, tuple)) else isinstance(value, Tracer)


def _can_be_split(x: Any) -> bool:
    """Whether all inputs are arrays with the same large number of rows, and without masks."""
    leaves = jax.tree.leaves(x)
    rows = {leaf.shape[0] if getattr(leaf, "ndim", 0) else None for leaf in leaves}
    count = rows.pop() if len(rows) == 1 else None
    return isinstance(count, int) and count >= LEAST_ROWS and all(get_mask(leaf) is None for leaf in leaves)


def _rows_of_a_piece(rows: int, size: int) -> int:
    """A divisor of `rows`, so that all pieces share a program; all rows where none fits."""
    wanted = math.ceil(size / PIECE) if size > WHOLE else 1
    return next((rows // n for n in range(wanted, min(2 * wanted, rows) + 1) if rows % n == 0), rows)
