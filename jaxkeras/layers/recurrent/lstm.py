"""The long short-term memory cell and layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering, registry
from jaxkeras.core.variable import Variable
from jaxkeras.initializers.draws import GlorotUniform
from jaxkeras.layers.recurrent.gated_cell import GatedCell, Masks, lowered_activation
from jaxkeras.layers.recurrent.rnn import CellRNN, cell_options
from jaxkeras.lowering.gates import lstm_update


@registry.register("keras.layers")
class LSTMCell(GatedCell):
    """One step of a long short-term memory (Hochreiter and Schmidhuber, 1997).

    The gates are in the order i, f, c, o, with `c' = f * c + i * activation(...)`, `h' = o * activation(c')`.

    Args:
        units: size of each of the two states and of the output.
        activation: activation of the candidate and the output.
        recurrent_activation: activation of the gates.
        unit_forget_bias: whether the bias of the forget gate is initialized to one (Jozefowicz et al., 2015).
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
        super().__init__(
            units=units, activation=activation, recurrent_activation=recurrent_activation, use_bias=use_bias,
            kernel_initializer=kernel_initializer, recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer, kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer, bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint, recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint, dropout=dropout, recurrent_dropout=recurrent_dropout, seed=seed,
            **kwargs,
        )  # fmt: skip
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [self.units, self.units]

    def _add_bias(self) -> Variable:
        if not self.unit_forget_bias:
            return super()._add_bias()
        return self.add_weight(
            (4 * self.units,), self._initial_bias, name="bias",
            regularizer=self.bias_regularizer, constraint=self.bias_constraint,
        )  # fmt: skip

    def _initial_bias(self, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        initializer = self.bias_initializer or GlorotUniform()  # the default of `add_weight`
        i = initializer((self.units,), dtype=dtype)
        others = initializer((2 * self.units,), dtype=dtype)
        return jnp.concatenate([i, jnp.ones_like(i), others])

    def step(self, gates: jax.Array, states: list[jax.Array], masks: Masks = None) -> list[jax.Array]:
        h, c = states
        gates = gates + self.recur(h, masks)
        return list(lstm_update(gates, c, self.activation, self.recurrent_activation, self.axis))

    def sequence(self, gates: jax.Array, states: list[jax.Array], **options: Any) -> tuple[jax.Array, tuple]:
        h, c = states
        return lowering.lstm_sequence(
            gates, h, c, self.recurrent_kernel.value, activation=lowered_activation(self.activation),
            recurrent_activation=lowered_activation(self.recurrent_activation), **options,
        )  # fmt: skip


@registry.register("keras.layers")
class LSTM(CellRNN):
    """A long short-term memory over time (Hochreiter and Schmidhuber, 1997).

    Args:
        units: size of each of the two states and of the output.
        activation: activation of the candidate and the output.
        recurrent_activation: activation of the gates.
        unit_forget_bias: whether the bias of the forget gate is initialized to one.
        use_cudnn: accepted for compatibility, without effect.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, recurrent_constraint,
            bias_constraint, dropout, recurrent_dropout, seed: as in `SimpleRNN`.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.

    Call arguments and outputs are those of `RNN`; the states are `h` and `c`.

    Example:

    >>> LSTM(4, return_sequences=True)(jnp.ones((2, 5, 3))).shape
    (2, 5, 4)
    """

    cell_class = LSTMCell
    units: int
    recurrent_activation: Callable[..., Any]
    unit_forget_bias: bool

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ):
        cell = LSTMCell(
            units=units, activation=activation, recurrent_activation=recurrent_activation, use_bias=use_bias,
            unit_forget_bias=unit_forget_bias, kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer, recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer, kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint, bias_constraint=bias_constraint, dropout=dropout,
            recurrent_dropout=recurrent_dropout, seed=seed, **cell_options(kwargs), name="lstm_cell",
        )  # fmt: skip
        super().__init__(
            cell, activity_regularizer=activity_regularizer, return_sequences=return_sequences,
            return_state=return_state, go_backwards=go_backwards, stateful=stateful, unroll=unroll, use_cudnn=use_cudnn,
            **kwargs,
        )  # fmt: skip
