"""A stack of recurrent cells, used as one cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxkeras import registry
from jaxkeras.core.names import config_scope
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.recurrent.cell import as_list, build_cell, call_cell, check_cell, initial_states, output_size


@registry.register("keras.layers")
class StackedRNNCells(Layer):
    """A stack of cells used as one: each takes the output of the one before.

    Args:
        cells: the cells, in order.

    Example:

    >>> from jaxkeras.layers import GRUCell, LSTMCell
    >>> cell = StackedRNNCells([LSTMCell(3), GRUCell(2)])
    >>> cell.state_size
    [[3, 3], 2]
    """

    def __init__(self, cells: Sequence[Any], **kwargs: Any):
        super().__init__(**kwargs)
        for cell in cells:
            check_cell(cell)
        self.cells = list(cells)

    @property
    def state_size(self) -> list[Any]:
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        return output_size(self.cells[-1])

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """The initial states: a list for each cell, or an array for a cell with one size and no `get_initial_state`."""
        states = [initial_states(cell, batch_size, self.compute_dtype) for cell in self.cells]
        bare = [isinstance(cell.state_size, int) and not hasattr(cell, "get_initial_state") for cell in self.cells]
        return [own[0] if single else own for own, single in zip(states, bare)]

    def build(self, input_shape: Sequence[int | None]) -> None:
        for cell in self.cells:
            build_cell(cell, input_shape)
            input_shape = (input_shape[0], output_size(cell))

    def call(self, inputs: Any, states: Any, training: bool | None = False, **kwargs: Any) -> tuple[Any, list[Any]]:
        new_states = []
        for cell, own in zip(self.cells, states):
            inputs, new = call_cell(cell, inputs, as_list(own), training, **kwargs)
            new_states.append(new if isinstance(own, (list, tuple)) else new[0])
        return inputs, new_states

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        with config_scope(config):
            cells = [registry.deserialize(cell) for cell in config["cells"]]
        return cls(**{**config, "cells": cells})
