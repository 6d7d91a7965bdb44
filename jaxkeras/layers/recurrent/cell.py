"""The base class of gated cells, and what any recurrent cell must provide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering, registry
from jaxkeras.core.seeds import SeedGenerator, draw_key
from jaxkeras.layers._base.arguments import known_size, positive_int, settled_weight, weight_settings
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.core.dense import get_activation

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


def call_cell(cell: Any, inputs: Any, states: list[Any], training: Any, **kwargs: Any) -> tuple[Any, list[Any]]:
    """One step of any cell; the new states as a list."""
    if isinstance(cell, Layer) and "training" in cell._call_signature().parameters:
        kwargs["training"] = training
    run: Any = cell if callable(cell) else cell.call
    output, new = run(inputs, states, **kwargs)
    return output, as_list(new)
