"""Several cells as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from jaxkeras import registry
from jaxkeras.core.names import config_scope
from jaxkeras.core.symbolic import KerasTensor, infer
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.recurrent.cell import as_list, call_cell, zero_states


def output_size(cell: Any) -> int:
    """The size of a cell's output: what it declares, else that of its first state."""
    size = getattr(cell, "output_size", None)
    if size is None:
        size = as_list(cell.state_size)[0]
    return size


def check_cell(cell: Any) -> None:
    """Raise unless an object can serve as a cell."""
    if not callable(getattr(cell, "call", None)):
        raise ValueError(f"A recurrent cell needs a method `call(inputs, states)` -> (output, states); got {cell!r}.")
    if getattr(cell, "state_size", None) is None:
        raise ValueError(
            "A recurrent cell needs an attribute `state_size` (an integer, or a list with one for each state), but "
            f"{cell!r} has none. Write `self.state_size = units` in its __init__."
        )


def initial_states(cell: Any, batch_size: int | None, dtype: str) -> list[Any]:
    """What a cell starts from: its `get_initial_state`, else zeros."""
    if hasattr(cell, "get_initial_state"):
        return as_list(cell.get_initial_state(batch_size=batch_size))
    return zero_states(cell.state_size, batch_size, getattr(cell, "compute_dtype", dtype))


def build_cell(cell: Any, input_shape: Sequence[int | None]) -> None:
    """Make the weights of a cell and of its parts before it runs inside a loop, where none can be made."""
    if not isinstance(cell, Layer):
        return
    if not cell.built and type(cell).build is not Layer.build:
        cell.build(tuple(input_shape))
    if not cell.built or cell._has_unbuilt_parts():
        shapes = jax.eval_shape(lambda: initial_states(cell, 1, cell.compute_dtype))
        states = jax.tree.map(lambda s: KerasTensor((None, *s.shape[1:]), s.dtype), shapes)
        infer(cell.__call__, (KerasTensor((None, *input_shape[1:]), cell.compute_dtype), states), {})
        cell.built = True


@registry.register("keras.layers")
class StackedRNNCells(Layer):
    """Several cells as one, each taking the output of the one before.

    Args:
        cells: the cells, first one first.

    Example:

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
        """A list with the initial states of every cell."""
        return [initial_states(cell, batch_size, self.compute_dtype) for cell in self.cells]

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
