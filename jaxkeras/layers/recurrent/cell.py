"""The protocol of recurrent cells: their states, and how any object that follows it is checked, built and called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core.symbolic import KerasTensor, infer
from jaxkeras.layers._base.layer import Layer


def as_list(states: Any) -> list[Any]:
    """The states of a cell as a list; a single state becomes a list of one."""
    return list(states) if isinstance(states, (list, tuple)) else [states]


def check_cell(cell: Any) -> None:
    """Raise unless an object can serve as a cell."""
    if not callable(getattr(cell, "call", None)):
        raise ValueError(f"A recurrent cell needs a method `call(inputs, states)` -> (output, states); got {cell!r}.")
    if getattr(cell, "state_size", None) is None:
        raise ValueError(
            "A recurrent cell needs an attribute `state_size` (an integer, or a list with one for each state), but "
            f"{cell!r} has none. Write `self.state_size = units` in its __init__."
        )


def output_size(cell: Any) -> int:
    """The size of a cell's output: its `output_size` if it has one, else the size of its first state."""
    size = getattr(cell, "output_size", None)
    if size is None:
        size = as_list(cell.state_size)[0]
    return size


def zero_states(state_size: Any, batch_size: int | None, dtype: str) -> list[Any]:
    """Zeros for a size or a (nested) list of sizes; a single size gives a list of one.

    Raises:
        ValueError: without a batch size.
    """
    if batch_size is None:
        raise ValueError("Initial states are zeros, one row for each sample: call get_initial_state(batch_size=...).")
    return [
        jnp.zeros((batch_size, size), dtype) if isinstance(size, int) else zero_states(size, batch_size, dtype)
        for size in as_list(state_size)
    ]


def initial_states(cell: Any, batch_size: int | None, dtype: str) -> list[Any]:
    """The initial states of a cell: those of its `get_initial_state` if it has one, else zeros."""
    if hasattr(cell, "get_initial_state"):
        return as_list(cell.get_initial_state(batch_size=batch_size))
    return zero_states(cell.state_size, batch_size, getattr(cell, "compute_dtype", dtype))


def build_cell(cell: Any, input_shape: Sequence[int | None]) -> None:
    """Build a cell and its parts before it runs inside a loop, where no weight can be created."""
    if not isinstance(cell, Layer):
        return
    if not cell.built and type(cell).build is not Layer.build:
        cell.build(tuple(input_shape))
    if not cell.built or cell._has_unbuilt_parts():
        shapes = jax.eval_shape(lambda: initial_states(cell, 1, cell.compute_dtype))
        states = jax.tree.map(lambda s: KerasTensor((None, *s.shape[1:]), s.dtype), shapes)
        infer(cell.__call__, (KerasTensor((None, *input_shape[1:]), cell.compute_dtype), states), {})
        cell.built = True


def call_cell(cell: Any, inputs: Any, states: list[Any], training: Any, **kwargs: Any) -> tuple[Any, list[Any]]:
    """Run one step of any cell.

    Returns:
        The output, and the new states as a list.
    """
    if isinstance(cell, Layer) and "training" in cell._call_signature().parameters:
        kwargs["training"] = training
    run: Any = cell if callable(cell) else cell.call
    output, new = run(inputs, states, **kwargs)
    return output, as_list(new)
