"""The fully connected recurrent cell and layer."""

from __future__ import annotations

from typing import Any

import jax

from jaxkeras import lowering, registry
from jaxkeras.layers.recurrent.gated_cell import GatedCell, Masks, lowered_activation
from jaxkeras.layers.recurrent.rnn import CellRNN, cell_options


@registry.register("keras.layers")
class SimpleRNNCell(GatedCell):
    """One step of `h' = activation(x @ kernel + h @ recurrent_kernel + bias)`.

    Args:
        units: size of the state and the output.
        activation: a name or function.
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: initializers of the weights.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: applied to the weights after each update.
        dropout: fraction of the inputs to drop in training.
        recurrent_dropout: fraction of the state to drop in training.
        seed: the seed of the dropout.

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
        super().__init__(
            units=units, activation=activation, use_bias=use_bias, kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer, recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer, kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint, bias_constraint=bias_constraint, dropout=dropout,
            recurrent_dropout=recurrent_dropout, seed=seed, **kwargs,
        )  # fmt: skip

    def step(self, gates: jax.Array, states: list[jax.Array], masks: Masks = None) -> list[jax.Array]:
        return [self.activation(gates + self.recur(states[0], masks))]

    def sequence(self, gates: jax.Array, states: list[jax.Array], **options: Any) -> tuple[jax.Array, tuple]:
        return lowering.simple_rnn_sequence(
            gates, states[0], self.recurrent_kernel.value, activation=lowered_activation(self.activation), **options
        )


@registry.register("keras.layers")
class SimpleRNN(CellRNN):
    """`h' = activation(x @ kernel + h @ recurrent_kernel + bias)` over time.

    Args:
        units: size of the state and the output.
        activation: a name or function.
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: initializers of the weights.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: applied to the weights after each update.
        dropout: fraction of the inputs to drop in training, the same ones at every step (Gal and Ghahramani, 2016).
        recurrent_dropout: fraction of the state to drop in training, the same at every step.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.
        seed: the seed of the dropout.

    Call arguments and outputs are those of `RNN`.

    Example:

    >>> SimpleRNN(4)(jnp.ones((2, 5, 3))).shape
    (2, 4)
    """

    cell_class = SimpleRNNCell
    units: int

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ):
        cell = SimpleRNNCell(
            units=units, activation=activation, use_bias=use_bias, kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer, recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer, kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint, bias_constraint=bias_constraint, dropout=dropout,
            recurrent_dropout=recurrent_dropout, seed=seed, **cell_options(kwargs), name="simple_rnn_cell",
        )  # fmt: skip
        super().__init__(
            cell, activity_regularizer=activity_regularizer, return_sequences=return_sequences,
            return_state=return_state, go_backwards=go_backwards, stateful=stateful, unroll=unroll, **kwargs,
        )  # fmt: skip
