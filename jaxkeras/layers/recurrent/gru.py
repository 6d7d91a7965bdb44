"""The gated recurrent unit cell and layer."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering, registry
from jaxkeras.layers._base.arguments import settled_weight
from jaxkeras.layers.recurrent.cell import GatedCell, Masks, _fast, given, masked_product
from jaxkeras.layers.recurrent.rnn import LayerOfCell


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
class GRU(LayerOfCell):
    """A gated recurrent unit over time (Cho et al., 2014).

    Args:
        units: size of the state and the output.
        activation: of the candidate.
        recurrent_activation: of the gates.
        reset_after: whether the reset gate is applied after the recurrent product, or before it.
        use_cudnn: accepted for compatibility; the one implementation serves every device.
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
        super().__init__("gru_cell", **given(locals()))
