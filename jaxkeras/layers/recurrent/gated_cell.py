"""The base class of the SimpleRNN, LSTM and GRU cells, and products with dropout masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import activations, constraints, initializers, lowering, registry, regularizers
from jaxkeras.core.seeds import SeedGenerator, draw_key
from jaxkeras.core.variable import Variable
from jaxkeras.layers._base.arguments import add_configured_weight, known_size, positive_int
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.recurrent.cell import as_list, zero_states

Masks = list[jax.Array] | None


class GatedCell(Layer):
    """The part that SimpleRNN, LSTM and GRU cells share: weights, dropout masks, and a call of `project` and `step`."""

    gates: int  # blocks of `units` columns in the kernels
    axis = -1  # the axis of the gates
    fused = True  # whether `sequence` is implemented
    _seed_first = False  # whether Keras draws the dropout's seed before those of the initializers
    bias: Variable | None

    def __init__(
        self,
        *,
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
        self.activation = activations.get(activation)
        if self.gates > 1:
            self.recurrent_activation = activations.get(recurrent_activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = min(1.0, max(0.0, dropout))
        self.recurrent_dropout = min(1.0, max(0.0, recurrent_dropout))
        # In Keras, implementation 1 draws a mask for each gate; recurrent dropout implies it.
        self.implementation = 1 if self.recurrent_dropout else implementation
        if not self._seed_first:
            self.seed_generator = SeedGenerator(seed)
        self.state_size: Any = self.units
        self.output_size = self.units

    def build(self, input_shape: Sequence[int | None]) -> None:
        columns = self.gates * self.units
        self.kernel = add_configured_weight(self, "kernel", (known_size(self, input_shape, -1), columns))
        self.recurrent_kernel = add_configured_weight(self, "recurrent_kernel", (self.units, columns), "recurrent")
        self.bias = self._add_bias() if self.use_bias else None

    def _add_bias(self) -> Variable:
        return add_configured_weight(self, "bias", (self.gates * self.units,))

    def _biases(self) -> tuple[Any, Any]:
        """The bias of the input projection and that of the recurrent projection."""
        return self.bias, None

    def get_initial_state(self, batch_size: int | None = None) -> list[jax.Array]:
        """Zeros, `(batch_size, units)` for each state."""
        return zero_states(self.state_size, batch_size, self.compute_dtype)

    def dropout_masks(self, input_shape: Sequence[int], training: Any) -> tuple[Masks, Masks]:
        """Draw the dropout masks of inputs and states. A recurrent layer uses the same masks at every step.

        Args:
            input_shape: `(batch, features)`.
            training: whether to drop anything.

        Returns:
            Lists of arrays with values 0 or `1 / (1 - rate)`, or None where nothing is dropped.
        """
        if not training:
            return None, None
        inputs = self._draw_masks(self.dropout, input_shape)
        return inputs, self._draw_masks(self.recurrent_dropout, self._first_state_shape(input_shape[0]))

    def _first_state_shape(self, batch_size: int) -> tuple[int, ...]:
        return (batch_size, self.units)

    def _draw_masks(self, rate: float, shape: Sequence[int]) -> Masks:
        if not rate:
            return None
        ones = jnp.ones(tuple(shape), self.compute_dtype)
        count = self.gates if self.implementation == 1 else 1
        return [lowering.dropout(ones, rate, draw_key(self.seed_generator)) for _ in range(count)]

    def project(self, inputs: jax.Array, masks: Masks = None) -> jax.Array:
        """The input's part of the gates: `inputs @ kernel + bias`, `(..., gates * units)`."""
        gates = masked_product(inputs, self.kernel.value, masks)
        bias, _ = self._biases()
        return gates if bias is None else gates + bias

    def recur(self, state: jax.Array, masks: Masks = None) -> jax.Array:
        """The state's part of the gates: `state @ recurrent_kernel`."""
        return masked_product(state, self.recurrent_kernel.value, masks)

    def step(self, gates: jax.Array, states: list[jax.Array], masks: Masks = None) -> list[jax.Array]:
        """The next states, given projected inputs and the current states; the first state is the output."""
        raise NotImplementedError

    def sequence(self, gates: jax.Array, states: list[jax.Array], **options: Any) -> tuple[jax.Array, tuple]:
        """Run all steps by `jaxkeras.lowering`.

        Args:
            gates: projected inputs, `(time, batch, gates * units)`.
            states: the initial states.
            **options: `mask` and `zero_output_for_mask`, as in `lowering.lstm_sequence`.

        Returns:
            Outputs `(time, batch, units)` and last states.
        """
        raise NotImplementedError

    def call(self, inputs: jax.Array, states: Any, training: bool | None = False) -> tuple[jax.Array, Any]:
        input_masks, recurrent_masks = self.dropout_masks(inputs.shape, training)
        new = self.step(self.project(inputs, input_masks), as_list(states), recurrent_masks)
        return new[0], new if isinstance(states, (list, tuple)) else new[0]


def masked_product(
    x: jax.Array, kernel: jax.Array, masks: Masks, product: Callable[..., jax.Array] = lowering.dense, axis: int = -1
) -> jax.Array:
    """`product(x, kernel)`, with x multiplied by a mask for all gates or one per gate; `axis` is that of the gates."""
    if masks is None:
        return product(x, kernel)
    if len(masks) == 1:
        return product(x * masks[0], kernel)
    blocks = jnp.split(kernel, len(masks), axis=-1)
    return jnp.concatenate([product(x * mask, block) for mask, block in zip(masks, blocks)], axis=axis)


def lowered_activation(activation: Any) -> Any:
    """The name of a built-in activation, for which `lowering` has a fast form; else the function itself."""
    name = getattr(activation, "__name__", None)
    return name if registry.is_builtin(activation) and name in ("tanh", "sigmoid", "relu", "linear") else activation
