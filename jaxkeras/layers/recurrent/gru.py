"""The gated recurrent unit cell and layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from jaxkeras import lowering, registry
from jaxkeras.core.variable import Variable
from jaxkeras.layers._base.arguments import add_configured_weight
from jaxkeras.layers.recurrent.gated_cell import GatedCell, Masks, lowered_activation, masked_product
from jaxkeras.layers.recurrent.rnn import CellRNN, cell_options
from jaxkeras.lowering.gates import gru_update


@registry.register("keras.layers")
class GRUCell(GatedCell):
    """One step of a gated recurrent unit (Cho et al., 2014).

    The gates are in the order z, r, h, and `h' = z * h + (1 - z) * candidate`.

    Args:
        units: size of the state and the output.
        activation: activation of the candidate.
        recurrent_activation: activation of the gates.
        reset_after: whether the reset gate is applied after the recurrent product (the cuDNN form, with a separate
            recurrent bias) or before it (the first version of the paper).
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
        super().__init__(
            units=units, activation=activation, recurrent_activation=recurrent_activation, use_bias=use_bias,
            kernel_initializer=kernel_initializer, recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer, kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer, bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint, recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint, dropout=dropout, recurrent_dropout=recurrent_dropout, seed=seed,
            **kwargs,
        )  # fmt: skip
        self.reset_after = reset_after

    def _add_bias(self) -> Variable:
        return add_configured_weight(self, "bias", (2, 3 * self.units) if self.reset_after else (3 * self.units,))

    def _biases(self) -> tuple[Any, Any]:
        if self.bias is None or not self.reset_after:
            return self.bias, None
        return self.bias.value[0], self.bias.value[1]

    def step(self, gates: jax.Array, states: list[jax.Array], masks: Masks = None) -> list[jax.Array]:
        kernel, (_, bias) = self.recurrent_kernel.value, self._biases()

        def product(x: jax.Array, start: int, stop: int) -> jax.Array:
            columns = kernel[:, start * self.units : stop * self.units]
            return masked_product(x, columns, masks and masks[start:stop])

        update = gru_update(
            gates, states[0], product, bias, self.activation, self.recurrent_activation, self.reset_after
        )
        return [update]

    def sequence(self, gates: jax.Array, states: list[jax.Array], **options: Any) -> tuple[jax.Array, tuple]:
        return lowering.gru_sequence(
            gates, states[0], self.recurrent_kernel.value, self._biases()[1], reset_after=self.reset_after,
            activation=lowered_activation(self.activation),
            recurrent_activation=lowered_activation(self.recurrent_activation), **options,
        )  # fmt: skip


@registry.register("keras.layers")
class GRU(CellRNN):
    """A gated recurrent unit over time (Cho et al., 2014).

    Args:
        units: size of the state and the output.
        activation: activation of the candidate.
        recurrent_activation: activation of the gates.
        reset_after: whether the reset gate is applied after the recurrent product, or before it.
        use_cudnn: accepted for compatibility, without effect.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, recurrent_constraint,
            bias_constraint, dropout, recurrent_dropout, seed: as in `SimpleRNN`.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.

    Call arguments and outputs are those of `RNN`.

    Example:

    >>> output, state = GRU(4, return_state=True)(jnp.ones((2, 5, 3)))
    >>> state.shape
    (2, 4)
    """

    cell_class = GRUCell
    units: int
    recurrent_activation: Callable[..., Any]
    reset_after: bool

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
        reset_after: bool = True,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ):
        cell = GRUCell(
            units=units, activation=activation, recurrent_activation=recurrent_activation, use_bias=use_bias,
            kernel_initializer=kernel_initializer, recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer, kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer, bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint, recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint, dropout=dropout, recurrent_dropout=recurrent_dropout, seed=seed,
            reset_after=reset_after, **cell_options(kwargs), name="gru_cell",
        )  # fmt: skip
        super().__init__(
            cell, activity_regularizer=activity_regularizer, return_sequences=return_sequences,
            return_state=return_state, go_backwards=go_backwards, stateful=stateful, unroll=unroll, use_cudnn=use_cudnn,
            **kwargs,
        )  # fmt: skip
