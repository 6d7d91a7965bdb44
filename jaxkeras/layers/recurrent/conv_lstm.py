"""Convolutional LSTMs, whose gates are convolutions of the input and of the state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering, registry
from jaxkeras.core.config import standardize_data_format
from jaxkeras.layers._base.arguments import (
    add_configured_weight,
    known_size,
    standardize_padding,
    tuple_of,
    with_signature,
)
from jaxkeras.layers._base.input_spec import InputSpec
from jaxkeras.layers.recurrent.gated_cell import Masks, masked_product
from jaxkeras.layers.recurrent.lstm import LSTMCell
from jaxkeras.layers.recurrent.rnn import CellRNN, cell_options


class ConvLSTMCell(LSTMCell):
    """One step of a convolutional LSTM over `rank` spatial dimensions."""

    fused = False
    _seed_first = True

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
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
            units=filters, activation=activation, recurrent_activation=recurrent_activation, use_bias=use_bias,
            unit_forget_bias=unit_forget_bias, kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer, recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer, kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint, bias_constraint=bias_constraint, dropout=dropout,
            recurrent_dropout=recurrent_dropout, seed=seed, **{**kwargs, "implementation": 1},
        )  # fmt: skip
        self.rank, self.filters = rank, filters
        self.kernel_size = tuple_of(kernel_size, rank, "kernel_size")
        self.strides = tuple_of(strides, rank, "strides")
        self.dilation_rate = tuple_of(dilation_rate, rank, "dilation_rate")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"A ConvLSTM cannot have both strides ({self.strides}) and dilation ({self.dilation_rate}) above 1."
            )
        self.padding = standardize_padding(padding, self)
        self.data_format = standardize_data_format(data_format)
        self.axis = 1 if self.data_format == "channels_first" else -1

    def build(self, input_shape: Sequence[int | None]) -> None:
        if None in tuple(input_shape)[1:]:
            raise ValueError(f"A ConvLSTM must know the size of its frames; they have shape {tuple(input_shape)}.")
        window, columns = self.kernel_size, 4 * self.filters
        channels = known_size(self, input_shape, self.axis)
        self.kernel = add_configured_weight(self, "kernel", (*window, channels, columns))
        self.recurrent_kernel = add_configured_weight(
            self, "recurrent_kernel", (*window, self.filters, columns), "recurrent"
        )
        self.bias = self._add_bias() if self.use_bias else None
        frame = jax.ShapeDtypeStruct((1, *input_shape[1:]), jnp.float32)
        kernel = jax.ShapeDtypeStruct((*window, channels, self.filters), jnp.float32)
        self._frame_shape = jax.eval_shape(self._convolve, frame, kernel).shape[1:]

    def _first_state_shape(self, batch_size: int) -> tuple[int, ...]:
        return (batch_size, *self._frame_shape)

    def get_initial_state(self, batch_size: int | None = None) -> list[jax.Array]:
        """Zeros, one frame of `filters` channels for each of the two states."""
        return [jnp.zeros((batch_size, *self._frame_shape), self.compute_dtype) for _ in range(2)]

    def _convolve(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
        return lowering.conv(x, kernel, self.strides, self.padding, self.data_format, self.dilation_rate)

    def project(self, inputs: jax.Array, masks: Masks = None) -> jax.Array:
        # Convolve the frames of a whole sequence (time, batch, ...) as one batch.
        lead = inputs.shape[: inputs.ndim - self.rank - 1]
        if masks is not None:
            masks = [jnp.broadcast_to(mask, inputs.shape).reshape(-1, *inputs.shape[len(lead) :]) for mask in masks]
        frames = inputs.reshape(-1, *inputs.shape[len(lead) :])
        gates = masked_product(frames, self.kernel.value, masks, self._convolve, self.axis)
        if self.bias is not None:
            gates = gates + self.bias.value.reshape(-1, *(1,) * (self.rank if self.axis == 1 else 0))
        return gates.reshape(*lead, *gates.shape[1:])

    def recur(self, state: jax.Array, masks: Masks = None) -> jax.Array:
        def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
            return lowering.conv(x, kernel, 1, "same", self.data_format)

        return masked_product(state, self.recurrent_kernel.value, masks, convolve, self.axis)


class _ConvLSTM(CellRNN):
    """A convolutional LSTM over {rank}D frames (Shi et al., 2015).

    Args:
        filters: number of channels of the output.
        kernel_size, strides, padding, data_format, dilation_rate: as in `Conv{rank}D`, for the input's convolution.
        activation: activation of the candidate and the output.
        recurrent_activation: activation of the gates.
        unit_forget_bias: whether the bias of the forget gate is initialized to one.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, recurrent_constraint,
            bias_constraint, dropout, recurrent_dropout, seed: as in `LSTM`.
        return_sequences, return_state, go_backwards, stateful: as in `RNN`.

    Input shape: `(batch, time, *spatial, channels)`, or channels before the spatial axes with `channels_first`.
    Output shape: `(batch, *new_spatial, filters)`, with a time axis second if `return_sequences`.
    """

    cell_class = ConvLSTMCell
    rank: int
    filters: int
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str
    data_format: str
    dilation_rate: tuple[int, ...]
    recurrent_activation: Callable[..., Any]
    unit_forget_bias: bool
    dimensions: int

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
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
        **kwargs: Any,
    ):
        cell = ConvLSTMCell(
            rank=self.dimensions, filters=filters, kernel_size=kernel_size, strides=strides, padding=padding,
            data_format=data_format, dilation_rate=dilation_rate, activation=activation,
            recurrent_activation=recurrent_activation, use_bias=use_bias, unit_forget_bias=unit_forget_bias,
            kernel_initializer=kernel_initializer, recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer, kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer, bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint, recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint, dropout=dropout, recurrent_dropout=recurrent_dropout, seed=seed,
            **cell_options(kwargs), name="conv_lstm_cell",
        )  # fmt: skip
        super().__init__(
            cell, activity_regularizer=activity_regularizer, return_sequences=return_sequences,
            return_state=return_state, go_backwards=go_backwards, stateful=stateful, **kwargs,
        )  # fmt: skip
        self.input_spec = InputSpec(ndim=self.dimensions + 3)

    def __init_subclass__(cls, dimensions: int, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        cls.dimensions = dimensions
        cls.__doc__ = (_ConvLSTM.__doc__ or "").replace("{rank}", str(dimensions))


@registry.register("keras.layers")
@with_signature()
class ConvLSTM1D(_ConvLSTM, dimensions=1):
    pass


@registry.register("keras.layers")
@with_signature()
class ConvLSTM2D(_ConvLSTM, dimensions=2):
    pass


@registry.register("keras.layers")
@with_signature()
class ConvLSTM3D(_ConvLSTM, dimensions=3):
    pass
