"""Dropout masks for recurrent cells of other packages, the same at every step of a sequence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering
from jaxkeras.core.seeds import draw_key


class DropoutRNNCell:
    """The counterpart of Keras's private class of this name: a second base class of a cell, with dropout masks.

    A recurrent layer draws the masks before its loop over time and gives the cell the same ones at every step. Outside
    of such a loop each call draws anew, so that a cell keeps no arrays.

    Attributes:
        dropout, recurrent_dropout: rates between 0 and 1, set by the cell.
        seed_generator: a `SeedGenerator`, set by the cell.
        dropout_mask_count: how many masks the methods return, as a list; one mask, not in a list, if it is not set.
    """

    dropout: float
    recurrent_dropout: float
    seed_generator: Any
    dropout_mask_count: int | None = None
    _dropout_mask: Any = None
    _recurrent_dropout_mask: Any = None

    def get_dropout_mask(self, step_input: jax.Array) -> Any:
        """A mask of the shape of the input of a step, with values 0 or `1 / (1 - dropout)`; None without dropout."""
        return self._draw(step_input, self.dropout) if self._dropout_mask is None else self._dropout_mask

    def get_recurrent_dropout_mask(self, step_input: jax.Array) -> Any:
        """The same for a state, at the rate `recurrent_dropout`."""
        held = self._recurrent_dropout_mask
        return self._draw(step_input, self.recurrent_dropout) if held is None else held

    def reset_dropout_mask(self) -> None:
        """Forget the mask of the sequence."""
        self._dropout_mask = None

    def reset_recurrent_dropout_mask(self) -> None:
        """Forget the recurrent mask of the sequence."""
        self._recurrent_dropout_mask = None

    def _draw(self, like: jax.Array, rate: float) -> Any:
        if not rate:
            return None
        masks = [
            lowering.dropout(jnp.ones_like(like), rate, draw_key(self.seed_generator))
            for _ in range(self.dropout_mask_count or 1)
        ]
        return masks[0] if self.dropout_mask_count is None else masks


@contextlib.contextmanager
def masks_of_sequence(cell: Any, step_input: jax.Array, states: list[Any], training: Any) -> Iterator[None]:
    """Hold the masks of a cell for the loop over one sequence; for a cell without such masks, do nothing."""
    if not (training and isinstance(cell, DropoutRNNCell)):
        yield
        return
    cell._dropout_mask = cell.get_dropout_mask(step_input)
    cell._recurrent_dropout_mask = cell.get_recurrent_dropout_mask(states[0])
    try:
        yield
    finally:
        cell.reset_dropout_mask()
        cell.reset_recurrent_dropout_mask()
