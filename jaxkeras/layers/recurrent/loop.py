"""Loops over time: a recurrent cell from state to state, or a layer applied to each step.

Variables cannot be assigned inside a loop, so the non-trainable variables that a call changes (seeds, moving averages)
are carried with the states and assigned at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxkeras.core.context import local
from jaxkeras.core.functional import functional_call
from jaxkeras.core.variable import Variable
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.recurrent.cell import as_list, call_cell
from jaxkeras.layers.recurrent.dropout_cell import masks_of_sequence
from jaxkeras.layers.recurrent.gated_cell import GatedCell
from jaxkeras.layers.recurrent.stacked_cells import StackedRNNCells


class Loop(NamedTuple):
    """Options for running a cell.

    Attributes:
        mask: (time, batch), False where a step is skipped; or None.
        training: the `training` argument of the cell.
        zero_output: output zeros at skipped steps, instead of repeating the last output.
        unroll: unroll the loop.
    """

    mask: jax.Array | None = None
    training: Any = None
    zero_output: bool = False
    unroll: bool = False


class RNNOutput(NamedTuple):
    """The outputs (time, batch, ...) of a loop, the last output, and the last states."""

    sequence: jax.Array
    last: jax.Array
    states: list[Any]


class Functionalized:
    """A function of layers turned into a pure one: `(values, rng, *args) -> (result, values, losses)`.

    Args:
        function: the function, which may read and assign variables.
        owner: the layer whose non-trainable variables it may assign; an object that is no layer has none.

    Attributes:
        changed: whether a call assigned a variable or drew a random number while it was traced.
    """

    def __init__(self, function: Callable[..., Any], owner: Any):
        self.function = function
        self.variables: list[Variable] = []
        if isinstance(owner, Layer):
            self.variables = [v for v in owner.variables if not v.trainable]
        self.changed = False
        outer = local.frame
        self.rng = outer.next_key() if outer is not None and outer.rng is not None else None

    @property
    def values(self) -> list[jax.Array]:
        """The current values of the variables."""
        frame = local.frame
        return [v.cell() if frame is None else frame.read(v) for v in self.variables]

    def key(self, step: Any) -> Any:
        """The key of one step, if the enclosing functional call was given a key."""
        return None if self.rng is None else jax.random.fold_in(self.rng, step)

    def __call__(self, values: Sequence[Any], rng: Any, *args: Any) -> tuple[Any, list[Any], tuple[Any, ...]]:
        result = functional_call(self.variables, list(values), lambda: self.function(*args), rng=rng)
        self.changed |= bool(result.frame.updates or result.frame.draws)
        return result.output, result.values, tuple(result.frame.losses)

    def finish(self, values: Sequence[Any], losses: Sequence[Any], layer: Layer) -> None:
        """Assign the final values to the variables, and add the losses summed over steps."""
        if self.changed:
            for v, x in zip(self.variables, values):
                v.assign(x)
        for loss in losses:
            layer.add_loss(jnp.sum(loss))


def run(cell: Any, x: jax.Array, states: list[Any], loop: Loop, layer: Layer) -> RNNOutput:
    """Run a cell over time, in the fastest equivalent form.

    Args:
        cell: a built-in cell, stacked cells, or any object with `call(inputs, states)`.
        x: (time, batch, ...).
        states: the initial states.
        loop: the options.
        layer: the layer that runs the cell, to which losses are added.

    Returns:
        Outputs and last states.
    """
    if isinstance(cell, StackedRNNCells) and type(cell).call is StackedRNNCells.call:
        return _run_stacked(cell, x, states, loop, layer)
    if isinstance(cell, GatedCell) and type(cell).call is GatedCell.call:
        return _run_gated(cell, x, states, loop)
    return _run_any(cell, x, states, loop, layer)


def _run_stacked(cells: StackedRNNCells, x: jax.Array, states: list[Any], loop: Loop, layer: Layer) -> RNNOutput:
    # Running each cell over the whole sequence is equivalent to running all cells at each step, and faster.
    last_states = []
    for i, (cell, own) in enumerate(zip(cells.cells, states)):
        final = i == len(cells.cells) - 1
        result = run(cell, x, as_list(own), loop if final else loop._replace(zero_output=False), layer)
        last_states.append(result.states if isinstance(own, (list, tuple)) else result.states[0])
        x = result.sequence
    return result._replace(states=last_states)


def _run_gated(cell: GatedCell, x: jax.Array, states: list[Any], loop: Loop) -> RNNOutput:
    input_masks, recurrent_masks = cell.dropout_masks(x.shape[1:], loop.training)
    gates = cell.project(x, input_masks)
    if cell.fused and recurrent_masks is None and not loop.unroll:
        sequence, new = cell.sequence(gates, states, mask=loop.mask, zero_output_for_mask=loop.zero_output)
    else:

        def step(gates_t: jax.Array, states: list[Any], _: Any) -> Any:
            new = cell.step(gates_t, states, recurrent_masks)
            return new[0], new, (), ()

        sequence, new, _, _ = _scan(step, gates, states, loop)
    # Taking the last output from the states lets XLA drop the sequence if it is not used.
    zeros = loop.mask is not None and loop.zero_output
    return RNNOutput(sequence, sequence[-1] if zeros else new[0], list(new))


def _run_any(cell: Any, x: jax.Array, states: list[Any], loop: Loop, layer: Layer) -> RNNOutput:
    with masks_of_sequence(cell, x[0], states, loop.training):
        return _run_steps(cell, x, states, loop, layer)


def _run_steps(cell: Any, x: jax.Array, states: list[Any], loop: Loop, layer: Layer) -> RNNOutput:
    pure = Functionalized(lambda x_t, states: call_cell(cell, x_t, states, loop.training), cell)

    def step(inputs: Any, states: list[Any], values: list[Any]) -> Any:
        x_t, t = inputs
        (output, new), values, losses = pure(values, pure.key(t), x_t, states)
        return output, _match_states(new, states), values, losses

    sequence, states, values, losses = _scan(step, (x, jnp.arange(len(x))), states, loop, pure.values)
    pure.finish(values, losses, layer)
    return RNNOutput(sequence, sequence[-1], states)


def _match_states(new: Any, old: Any) -> Any:
    """New states with the structure and dtypes of the old ones, as a loop requires."""
    leaves, structure = jax.tree.flatten(old)
    values = jax.tree.leaves(new)
    if len(values) != len(leaves) or any(jnp.shape(a) != b.shape for a, b in zip(values, leaves)):
        raise ValueError(
            f"A recurrent cell must return new states of the same shapes as the given ones, "
            f"{[b.shape for b in leaves]}; it returned {[jnp.shape(a) for a in values]}."
        )
    return jax.tree.unflatten(structure, [jnp.asarray(a, b.dtype) for a, b in zip(values, leaves)])


def _where(mask: jax.Array, a: jax.Array, b: Any) -> jax.Array:
    """`jnp.where`, with the mask broadcast to the trailing axes of `a`."""
    return jnp.where(mask.reshape(mask.shape + (1,) * (a.ndim - mask.ndim)), a, b)


def _scan(step: Callable[..., Any], x: Any, states: list[Any], loop: Loop, extra: Any = ()) -> Any:
    """Scan `step(x_t, states, extra) -> (output, states, extra, byproducts)`, skipping masked steps.

    Returns:
        All outputs, the last states and extra, all byproducts.
    """

    def body(carry: Any, inputs: Any) -> Any:
        states, extra, before = carry
        x_t, mask_t = inputs
        output, new, extra, byproducts = step(x_t, states, extra)
        if mask_t is not None:
            output = _where(mask_t, output, jnp.zeros_like(output) if before is None else before)
            new = jax.tree.map(lambda n, old: _where(mask_t, n, old), new, states)
        return (new, extra, None if before is None else output), (output, byproducts)

    before = None
    if loop.mask is not None and not loop.zero_output:
        output = jax.eval_shape(step, jax.tree.map(lambda a: a[0], x), states, extra)[0]
        # Until the first unmasked step, output the first state of the (last) cell: built-in cells output it.
        before = jax.tree.leaves(states[-1] if isinstance(states[0], (list, tuple)) else states)[0]
        if (before.shape, before.dtype) != (output.shape, output.dtype):
            before = jnp.zeros(output.shape, output.dtype)
    (states, extra, _), (sequence, byproducts) = jax.lax.scan(
        body, (states, extra, before), (x, loop.mask), unroll=loop.unroll
    )
    return sequence, states, extra, byproducts


def every_step(layer: Layer, x: jax.Array, call: Callable[..., Any], *others: Any) -> Any:
    """Call a layer on each step: by vmap if steps are independent, or in a loop if a step changes a variable.

    Args:
        layer: the layer called, to which losses are added.
        x: (time, batch, ...).
        call: `(x_t, *others_t) -> output`.
        *others: further arrays with a leading time axis, or None.

    Returns:
        The outputs, with a leading time axis.
    """
    pure = Functionalized(call, layer)

    def one(values: Any, t: Any, *arrays: Any) -> Any:
        return pure(values, pure.key(t), *arrays)

    steps = jnp.arange(len(x))
    jax.eval_shape(one, pure.values, steps[0], *jax.tree.map(lambda a: a[0], (x, *others)))
    if not pure.changed:
        batched = jax.vmap(one, in_axes=(None, 0, *jax.tree.map(lambda _: 0, (x, *others))))
        outputs, _, losses = batched(pure.values, steps, x, *others)
        pure.finish((), losses, layer)
        return outputs

    def body(values: Any, inputs: Any) -> Any:
        output, values, losses = one(values, *inputs)
        return values, (output, losses)

    values, (outputs, losses) = jax.lax.scan(body, pure.values, (steps, x, *others))
    pure.finish(values, losses, layer)
    return outputs
