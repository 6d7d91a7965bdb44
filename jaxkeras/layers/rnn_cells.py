"""Recurrent cells: one step in time.

A built-in cell has two halves: `project`, the input side of its gates, which serves one step or a whole sequence, and
`step`, what happens between one state and the next. `rnn_loop.py` runs them over time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering, registry
from jaxkeras.core.names import config_scope
from jaxkeras.core.seeds import SeedGenerator, draw_key
from jaxkeras.core.symbolic import KerasTensor, infer
from jaxkeras.layers.arguments import known_size, positive_int, settled_weight, weight_settings
from jaxkeras.layers.base import Layer
from jaxkeras.layers.dense import get_activation

Masks = list[jax.Array] | None


def given(scope: Mapping[str, Any], *without: str) -> dict[str, Any]:
    """The arguments of a constructor, from its `locals()`, as one dict of keywords."""
    left_out = ("self", "kwargs", "__class__", *without)
    return {name: value for name, value in scope.items() if name not in left_out} | scope["kwargs"]


def as_list(states: Any) -> list[Any]:
    """The states of a cell as a list, also when there is one."""
    return list(states) if isinstance(states, (list, tuple)) else [states]


def zero_states(state_size: Any, batch_size: int | None, dtype: str) -> list[Any]:
    """Zeros for a size or a (nested) list of sizes; a single size makes a list of one.

    Raises:
        ValueError: without a batch size.
    """
    if batch_size is None:
        raise ValueError("Initial states are zeros, one row for each sample: call get_initial_state(batch_size=...).")
    return [
        jnp.zeros((batch_size, size), dtype) if isinstance(size, int) else zero_states(size, batch_size, dtype)
        for size in as_list(state_size)
    ]


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


class GatedCell(Layer):
    """What SimpleRNN, LSTM and GRU cells share: weights, dropout masks, and a call made of `project` and `step`."""

    gates: int  # blocks of `units` columns in the kernels
    axis = -1  # along which the gates lie
    fused = True  # whether `sequence` exists
    _seed_first = False  # whether Keras seeds the dropout before the initializers, on which initial weights depend

    def __init__(
        self,
        units: int,
        activation: Any,
        use_bias: bool,
        dropout: float,
        recurrent_dropout: float,
        seed: int | None,
        kernel_initializer: Any,
        recurrent_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        recurrent_regularizer: Any,
        bias_regularizer: Any,
        kernel_constraint: Any,
        recurrent_constraint: Any,
        bias_constraint: Any,
        recurrent_activation: Any = None,
        implementation: int = 2,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.seed = seed
        if self._seed_first:
            self.seed_generator = SeedGenerator(seed)
        self.units = positive_int(units, "units", self)
        self.activation = get_activation(activation)
        if self.gates > 1:
            self.recurrent_activation = get_activation(recurrent_activation)
        self.use_bias = use_bias
        weight_settings(
            self, kernel_initializer=kernel_initializer, kernel_regularizer=kernel_regularizer,
            kernel_constraint=kernel_constraint, recurrent_initializer=recurrent_initializer,
            recurrent_regularizer=recurrent_regularizer, recurrent_constraint=recurrent_constraint,
            bias_initializer=bias_initializer, bias_regularizer=bias_regularizer, bias_constraint=bias_constraint,
        )  # fmt: skip
        self.dropout = min(1.0, max(0.0, dropout))
        self.recurrent_dropout = min(1.0, max(0.0, recurrent_dropout))
        # Keras's implementation 1 gives every gate a mask of its own; recurrent dropout implies it.
        self.implementation = 1 if self.recurrent_dropout else implementation
        if not self._seed_first:
            self.seed_generator = SeedGenerator(seed)
        self.state_size: Any = self.units
        self.output_size = self.units

    def build(self, input_shape: Sequence[int | None]) -> None:
        columns = self.gates * self.units
        self.kernel = settled_weight(self, "kernel", (known_size(self, input_shape, -1), columns))
        self.recurrent_kernel = settled_weight(self, "recurrent_kernel", (self.units, columns), "recurrent")
        self.bias = self._add_bias() if self.use_bias else None

    def _add_bias(self) -> Any:
        return settled_weight(self, "bias", (self.gates * self.units,))

    def _biases(self) -> tuple[Any, Any]:
        """Of the input side and of the recurrent side."""
        return self.bias, None

    def get_initial_state(self, batch_size: int | None = None) -> list[jax.Array]:
        """Zeros, `(batch_size, units)` for each state."""
        return zero_states(self.state_size, batch_size, self.compute_dtype)

    def dropout_masks(self, input_shape: Sequence[int], training: Any) -> tuple[Masks, Masks]:
        """Draw the masks of inputs and states. In a layer over time they hold for the whole sequence.

        Args:
            input_shape: `(batch, features)`.
            training: whether there are any.

        Returns:
            Lists of arrays that are zero or `1 / (1 - rate)`, or None where nothing is dropped.
        """
        if not training:
            return None, None
        inputs = self._draw(self.dropout, input_shape)
        return inputs, self._draw(self.recurrent_dropout, self._first_state_shape(input_shape[0]))

    def _first_state_shape(self, batch_size: int) -> tuple[int, ...]:
        return (batch_size, self.units)

    def _draw(self, rate: float, shape: Sequence[int]) -> Masks:
        if not rate:
            return None
        ones = jnp.ones(tuple(shape), self.compute_dtype)
        count = self.gates if self.implementation == 1 else 1
        return [lowering.dropout(ones, rate, draw_key(self.seed_generator)) for _ in range(count)]

    def project(self, inputs: jax.Array, masks: Masks = None) -> jax.Array:
        """The input side of the gates: `inputs @ kernel + bias`, `(..., gates * units)`."""
        gates = masked_product(inputs, self.kernel.value, masks)
        bias, _ = self._biases()
        return gates if bias is None else gates + bias

    def recur(self, state: jax.Array, masks: Masks = None) -> jax.Array:
        """The recurrent side of the gates: `state @ recurrent_kernel`."""
        return masked_product(state, self.recurrent_kernel.value, masks)

    def step(self, gates: jax.Array, states: list[jax.Array], masks: Masks = None) -> list[jax.Array]:
        """The next states from projected inputs and states; the first of them is the output."""
        raise NotImplementedError

    def sequence(self, gates: jax.Array, states: list[jax.Array], **options: Any) -> tuple[jax.Array, tuple]:
        """All steps at once by `jaxkeras.lowering`: gates `(time, batch, ...)` to outputs and last states."""
        raise NotImplementedError

    def call(self, inputs: jax.Array, states: Any, training: bool | None = False) -> tuple[jax.Array, Any]:
        input_masks, recurrent_masks = self.dropout_masks(inputs.shape, training)
        new = self.step(self.project(inputs, input_masks), as_list(states), recurrent_masks)
        return new[0], new if isinstance(states, (list, tuple)) else new[0]


def masked_product(
    x: jax.Array, kernel: jax.Array, masks: Masks, product: Callable[..., jax.Array] = lowering.dense, axis: int = -1
) -> jax.Array:
    """`product(x, kernel)`, x times one mask, or times a mask for each block of columns; gates lie along `axis`."""
    if masks is None:
        return product(x, kernel)
    if len(masks) == 1:
        return product(x * masks[0], kernel)
    blocks = jnp.split(kernel, len(masks), axis=-1)
    return jnp.concatenate([product(x * mask, block) for mask, block in zip(masks, blocks)], axis=axis)


def _fast(activation: Any) -> Any:
    """The name of a built-in activation, by which `lowering` finds its fastest form; else the function."""
    name = getattr(activation, "__name__", None)
    return name if registry.is_builtin(activation) and name in ("tanh", "sigmoid", "relu", "linear") else activation


@registry.register("keras.layers")
class SimpleRNNCell(GatedCell):
    """One step of `h' = activation(x @ kernel + h @ recurrent_kernel + bias)`.

    Args:
        units: size of the state and the output.
        activation: a name or function.
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: how the weights start.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: applied to the weights after each update.
        dropout: share of the inputs to drop in training.
        recurrent_dropout: share of the state to drop in training.
        seed: for the dropout.

    Called on `(batch, features)` and a list of one state `(batch, units)`, it returns the output and the new states.

    Example:

    >>> cell = SimpleRNNCell(3)
    >>> output, states = cell(jnp.ones((2, 4)), [jnp.zeros((2, 3))])
    >>> output.shape
    (2, 3)
    """

    gates = 1
    _seed_first = True

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**given(locals()))

    def step(self, gates: jax.Array, states: list[jax.Array], masks: Masks = None) -> list[jax.Array]:
        return [self.activation(gates + self.recur(states[0], masks))]

    def sequence(self, gates: jax.Array, states: list[jax.Array], **options: Any) -> tuple[jax.Array, tuple]:
        return lowering.simple_rnn_sequence(
            gates, states[0], self.recurrent_kernel.value, activation=_fast(self.activation), **options
        )


@registry.register("keras.layers")
class LSTMCell(GatedCell):
    """One step of a long short-term memory (Hochreiter and Schmidhuber, 1997).

    Gates in the order i, f, c, o; `c' = f * c + i * activation(...)`, `h' = o * activation(c')`.

    Args:
        units: size of each of the two states and of the output.
        activation: of the candidate and of the output.
        recurrent_activation: of the gates.
        unit_forget_bias: whether the bias of the forget gate starts at one (Jozefowicz et al., 2015).
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint, dropout,
            recurrent_dropout, seed: as in `SimpleRNNCell`.

    Called on `(batch, features)` and two states `[h, c]` of `(batch, units)`, it returns the output and the new states.

    Example:

    >>> cell = LSTMCell(3)
    >>> output, (h, c) = cell(jnp.ones((2, 4)), cell.get_initial_state(batch_size=2))
    >>> output.shape, c.shape
    ((2, 3), (2, 3))
    """

    gates = 4

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**given(locals(), "unit_forget_bias"))
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [self.units, self.units]

    def _add_bias(self) -> Any:
        initializer = self._initial_bias if self.unit_forget_bias else self.bias_initializer
        return self.add_weight(
            (4 * self.units,), initializer, name="bias",
            regularizer=self.bias_regularizer, constraint=self.bias_constraint,
        )  # fmt: skip

    def _initial_bias(self, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        i = self.bias_initializer((self.units,), dtype=dtype)
        others = self.bias_initializer((2 * self.units,), dtype=dtype)
        return jnp.concatenate([i, jnp.ones_like(i), others])

    def step(self, gates: jax.Array, states: list[jax.Array], masks: Masks = None) -> list[jax.Array]:
        h, c = states
        i, f, g, o = jnp.split(gates + self.recur(h, masks), 4, axis=self.axis)
        c = self.recurrent_activation(f) * c + self.recurrent_activation(i) * self.activation(g)
        return [self.recurrent_activation(o) * self.activation(c), c]

    def sequence(self, gates: jax.Array, states: list[jax.Array], **options: Any) -> tuple[jax.Array, tuple]:
        h, c = states
        return lowering.lstm_sequence(
            gates, h, c, self.recurrent_kernel.value, activation=_fast(self.activation),
            recurrent_activation=_fast(self.recurrent_activation), **options,
        )  # fmt: skip


@registry.register("keras.layers")
class GRUCell(GatedCell):
    """One step of a gated recurrent unit (Cho et al., 2014).

    Gates in the order z, r, h; `h' = z * h + (1 - z) * candidate`.

    Args:
        units: size of the state and the output.
        activation: of the candidate.
        recurrent_activation: of the gates.
        reset_after: whether the reset gate is applied after the recurrent product (with a bias of its own, the form of
            cuDNN) or before it (the paper's first version).
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint, dropout,
            recurrent_dropout, seed: as in `SimpleRNNCell`.

    Called on `(batch, features)` and a list of one state `(batch, units)`, it returns the output and the new states.

    Example:

    >>> cell = GRUCell(3)
    >>> cell(jnp.ones((2, 4)), cell.get_initial_state(batch_size=2))[0].shape
    (2, 3)
    """

    gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**given(locals(), "reset_after"))
        self.reset_after = reset_after

    def _add_bias(self) -> Any:
        return settled_weight(self, "bias", (2, 3 * self.units) if self.reset_after else (3 * self.units,))

    def _biases(self) -> tuple[Any, Any]:
        if self.bias is None or not self.reset_after:
            return self.bias, None
        return self.bias.value[0], self.bias.value[1]

    def step(self, gates: jax.Array, states: list[jax.Array], masks: Masks = None) -> list[jax.Array]:
        h = states[0]
        kernel, (_, bias) = self.recurrent_kernel.value, self._biases()
        x_z, x_r, x_h = jnp.split(gates, 3, axis=-1)
        if self.reset_after:
            inner = self.recur(h, masks)
            h_z, h_r, h_h = jnp.split(inner if bias is None else inner + bias, 3, axis=-1)
        else:
            h_z, h_r = jnp.split(masked_product(h, kernel[:, : 2 * self.units], masks and masks[:2]), 2, axis=-1)
        z, r = self.recurrent_activation(x_z + h_z), self.recurrent_activation(x_r + h_r)
        if not self.reset_after:
            kept = r * h if masks is None else r * h * masks[2]
            h_h, r = lowering.dense(kept, kernel[:, 2 * self.units :]), 1
        return [z * h + (1 - z) * self.activation(x_h + r * h_h)]

    def sequence(self, gates: jax.Array, states: list[jax.Array], **options: Any) -> tuple[jax.Array, tuple]:
        return lowering.gru_sequence(
            gates, states[0], self.recurrent_kernel.value, self._biases()[1], reset_after=self.reset_after,
            activation=_fast(self.activation), recurrent_activation=_fast(self.recurrent_activation), **options,
        )  # fmt: skip


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


def call_cell(cell: Any, inputs: Any, states: list[Any], training: Any, **kwargs: Any) -> tuple[Any, list[Any]]:
    """One step of any cell; the new states as a list."""
    if isinstance(cell, Layer) and "training" in cell._call_signature().parameters:
        kwargs["training"] = training
    run: Any = cell if callable(cell) else cell.call
    output, new = run(inputs, states, **kwargs)
    return output, as_list(new)
