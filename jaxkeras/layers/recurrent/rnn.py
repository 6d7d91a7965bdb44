"""`RNN`, which runs any cell, and the base class of layers with a built-in cell."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import registry
from jaxkeras.core.variable import Variable
from jaxkeras.layers._base.input_spec import InputSpec
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.recurrent.cell import as_list, build_cell, check_cell, initial_states
from jaxkeras.layers.recurrent.loop import Loop, RNNOutput, run
from jaxkeras.layers.recurrent.stacked_cells import StackedRNNCells


@registry.register("keras.layers")
class RNN(Layer):
    """Runs a cell over the second axis of its input.

    Args:
        cell: a cell, or a list of cells to stack. A custom cell is a layer with `call(inputs, states)` that returns
            `(output, new_states)`, an attribute `state_size` (an integer or a list of integers) and, if the defaults do
            not fit, `output_size` and `get_initial_state(batch_size)`.
        return_sequences: whether to return the outputs of all steps instead of the last one.
        return_state: whether to also return the last states.
        go_backwards: whether to run from the last step to the first; outputs are in that order.
        stateful: whether the last states of a call are the initial states of the next; requires a fixed batch size.
        unroll: whether to unroll the loop: slower to compile, sometimes faster for few steps.
        zero_output_for_mask: whether to output zeros at masked steps instead of repeating the last output.

    Call arguments: `sequences` `(batch, time, ...)`; `initial_state`, a list of states; `mask` `(batch, time)`, False
    where a step is skipped; `training`.

    Returns `(batch, units)`, or `(batch, time, units)` with `return_sequences`; with `return_state` a tuple of that and
    the states.

    Example:

    >>> class Decay(Layer):
    ...     state_size = 3
    ...     def call(self, inputs, states):
    ...         h = 0.5 * states[0] + inputs
    ...         return h, [h]
    >>> RNN(Decay())(jnp.ones((1, 2, 3)))
    Array([[1.5, 1.5, 1.5]], dtype=float32)
    """

    # Carried from batch to batch, but not weights: Keras's files do not hold them.
    _transient = frozenset({"states"})

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ):
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cell)
        check_cell(cell)
        super().__init__(**kwargs)
        self.cell = cell
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.stateful, self.unroll = go_backwards, stateful, unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.supports_masking = True
        self.states: list[Any] | None = None

    @property
    def state_size(self) -> list[Any]:
        """The sizes of the cell's states, as a list."""
        return as_list(self.cell.state_size)

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        build_cell(self.cell, (sequences_shape[0], *sequences_shape[2:]))
        if not self.stateful:
            return
        if self.states is not None:
            self.reset_state()
        elif sequences_shape[0] is None:
            raise ValueError(
                f"Layer '{self.name}' is stateful, so it must know the batch size; its input has shape "
                f"{tuple(sequences_shape)}. Give it in Input(batch_shape=(32, ...))."
            )
        else:
            self._create_states(sequences_shape[0])

    def _create_states(self, batch_size: int) -> None:
        shapes, structure = jax.tree.flatten(jax.eval_shape(lambda: self.get_initial_state(batch_size)))

        def initializer(index: int) -> Any:
            return lambda shape, dtype: jax.tree.leaves(self.get_initial_state(shape[0]))[index]

        self.states = jax.tree.unflatten(structure, [
            Variable(initializer(i), s.shape, dtype=self.variable_dtype, trainable=False, name="rnn_state")
            for i, s in enumerate(shapes)
        ])  # fmt: skip

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """The initial states if none are given.

        Args:
            batch_size: number of sequences.

        Returns:
            A list of arrays `(batch_size, size)`, nested for stacked cells.
        """
        return initial_states(self.cell, batch_size, self.compute_dtype)

    def reset_state(self) -> None:
        """Set the states of a stateful layer to zero, as before unrelated sequences."""
        for v in jax.tree.leaves(self.states, is_leaf=_is_variable):
            v.assign(jnp.zeros(v.shape, v.dtype))

    def reset_states(self) -> None:
        """The same as `reset_state`."""
        self.reset_state()

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        mask = _first(mask) if self.return_sequences else None
        return [mask] + [None] * len(self.state_size) if self.return_state else mask

    def call(
        self, sequences: jax.Array, initial_state: Any = None, mask: Any = None, training: bool | None = False
    ) -> Any:
        states = self._first_states(sequences, initial_state)
        result = self.inner_loop(sequences, states, _first(mask), training)
        states = [jax.tree.map(lambda s: s.astype(self.compute_dtype), s) for s in result.states]
        if self.stateful:
            for v, s in zip(jax.tree.leaves(self.states, is_leaf=_is_variable), jax.tree.leaves(states)):
                v.assign(s)
        output = jnp.swapaxes(result.sequence, 0, 1) if self.return_sequences else result.last
        output = output.astype(self.compute_dtype)
        return (output, *states) if self.return_state else output

    def _first_states(self, sequences: jax.Array, initial_state: Any) -> list[Any]:
        dtype = getattr(self.cell, "compute_dtype", self.compute_dtype)
        if initial_state is None:
            initial_state = self.states if self.stateful else self.get_initial_state(sequences.shape[0])
        values = jax.tree.map(lambda s: jnp.asarray(s, dtype), as_list(initial_state), is_leaf=_is_variable)
        kept = jax.tree.leaves(values)[0].shape[0]
        if self.stateful and kept != sequences.shape[0]:
            raise ValueError(
                f"Layer '{self.name}' is stateful and keeps states for {kept} sequences; it was called on "
                f"{sequences.shape[0]}. All batches must have the same size."
            )
        return values

    def inner_loop(self, sequences: jax.Array, initial_state: list[Any], mask: Any, training: Any = False) -> RNNOutput:
        """Run the cell; the outputs have a leading time axis."""
        x = jnp.swapaxes(sequences, 0, 1)
        if mask is not None:
            mask = jnp.swapaxes(mask.astype(bool), 0, 1)
            mask = mask.any(axis=tuple(range(2, mask.ndim)))
        if self.go_backwards:
            x, mask = x[::-1], None if mask is None else mask[::-1]
        loop = Loop(mask, training, self.zero_output_for_mask, self.unroll)
        return run(self.cell, x, initial_state, loop, self)


def _is_variable(x: Any) -> bool:
    return isinstance(x, Variable)


def _first(mask: Any) -> Any:
    return next(iter(jax.tree.leaves(mask)), None)


class CellRNN(RNN):
    """An RNN over a built-in cell. It takes the cell's arguments and has them as attributes."""

    cell_class: type
    use_bias: bool
    kernel_initializer: Callable[..., Any] | None
    recurrent_initializer: Callable[..., Any] | None
    bias_initializer: Callable[..., Any] | None
    kernel_regularizer: Callable[[Any], Any] | None
    recurrent_regularizer: Callable[[Any], Any] | None
    bias_regularizer: Callable[[Any], Any] | None
    kernel_constraint: Callable[[Any], Any] | None
    recurrent_constraint: Callable[[Any], Any] | None
    bias_constraint: Callable[[Any], Any] | None
    dropout: float
    recurrent_dropout: float
    seed: int | None
    # Keras leaves these out of the config.
    _not_in_config = ("cell", "use_cudnn")

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        for name in _parameter_names(cls.cell_class):
            setattr(cls, name, property(lambda self, name=name: getattr(self.cell, name)))

    def __init__(self, cell: Any, use_cudnn: Any = None, **kwargs: Any):
        super().__init__(cell, **kwargs)
        if use_cudnn not in (None, "auto", True, False):
            raise ValueError(f"`use_cudnn` of layer '{self.name}' must be 'auto', True or False; got {use_cudnn!r}.")
        if use_cudnn is not None:
            self.use_cudnn = use_cudnn
        self.input_spec = InputSpec(ndim=3)

    def get_config(self) -> dict[str, Any]:
        config = {"activity_regularizer": None, **super().get_config()}
        return {key: value for key, value in config.items() if key not in self._not_in_config}


def cell_options(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments of a `CellRNN` that its cell takes as well, and `implementation`, which is removed."""
    options = {"dtype": kwargs.get("dtype"), "trainable": kwargs.get("trainable", True)}
    if "implementation" in kwargs:
        options["implementation"] = kwargs.pop("implementation")
    return options


def _parameter_names(cls: type) -> list[str]:
    parameters = inspect.signature(cls.__init__).parameters.values()
    return [p.name for p in parameters if p.name != "self" and p.kind is not p.VAR_KEYWORD]
