"""Recurrent layers as one loop over time, gates fused, in Keras's gate order and with Keras's masks.

The input side of the gates is the caller's: `x_gates = dense(x, kernel) + bias` for the whole sequence is one matrix
product. Going backwards is the caller's too: flip the sequence (and the mask) before, and the result after.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.lowering import operations

Array = jax.Array
Activation = str | Callable[[Array], Array]

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "relu": jax.nn.relu,
    "linear": lambda x: x,
}


def _activation(activation: Activation) -> Callable[[Array], Array]:
    if callable(activation):
        return activation
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"`activation` must be a function of an array or one of {sorted(ACTIVATIONS)}, got {activation!r}."
        )
    return ACTIVATIONS[activation]


def _check(x_gates: Array, kernel: Array, gates: int, mask: Array | None) -> Array | None:
    units = kernel.shape[0]
    if x_gates.ndim != 3 or kernel.ndim != 2 or x_gates.shape[-1] != gates * units or kernel.shape[1] != gates * units:
        raise ValueError(
            f"Expected x_gates of (time, batch, {gates} * units) and a recurrent kernel of (units, {gates} * units), "
            f"got {x_gates.shape} and {kernel.shape}."
        )
    if mask is None:
        return None
    if mask.shape != x_gates.shape[:2]:
        raise ValueError(f"The mask must be (time, batch) = {x_gates.shape[:2]}, got {mask.shape}.")
    return mask.astype(bool)


def _finish(
    result: tuple[Array, tuple[Array, ...]], mask: Array | None, zero_output_for_mask: bool
) -> tuple[Array, Any]:
    sequence, states = result
    if mask is not None and zero_output_for_mask:
        sequence = jnp.where(mask[..., None], sequence, 0)
    return sequence, states


def lstm_sequence(
    x_gates: Array,
    h0: Array,
    c0: Array,
    recurrent_kernel: Array,
    *,
    mask: Array | None = None,
    activation: Activation = "tanh",
    recurrent_activation: Activation = "sigmoid",
    zero_output_for_mask: bool = False,
) -> tuple[Array, tuple[Array, Array]]:
    """A whole LSTM (Hochreiter and Schmidhuber, 1997), gates in the order i, f, c, o.

    Args:
        x_gates: (time, batch, 4 * units): input times kernel plus bias.
        h0, c0: (batch, units): the first hidden and cell state.
        recurrent_kernel: (units, 4 * units).
        mask: (time, batch), False where a step is to be skipped: states stay, the output repeats the last one.
        activation, recurrent_activation: A function, or "tanh", "sigmoid", "relu", "linear". The names get the
            fastest form.
        zero_output_for_mask: Give zeros instead of the last output at masked steps.

    Returns:
        The hidden states (time, batch, units) and the last (h, c).

    Raises:
        ValueError: if shapes do not fit together.
    """
    mask = _check(x_gates, recurrent_kernel, 4, mask)
    result = operations.lstm(
        x_gates, (h0, c0), recurrent_kernel, mask, _activation(activation), _activation(recurrent_activation)
    )
    return _finish(result, mask, zero_output_for_mask)


def gru_sequence(
    x_gates: Array,
    h0: Array,
    recurrent_kernel: Array,
    recurrent_bias: Array | None = None,
    *,
    reset_after: bool = True,
    mask: Array | None = None,
    activation: Activation = "tanh",
    recurrent_activation: Activation = "sigmoid",
    zero_output_for_mask: bool = False,
) -> tuple[Array, tuple[Array]]:
    """A whole GRU (Cho et al., 2014), gates in the order z, r, h.

    Args:
        x_gates: (time, batch, 3 * units): input times kernel plus the input bias.
        h0: (batch, units): the first state.
        recurrent_kernel: (units, 3 * units).
        recurrent_bias: (3 * units,), used with `reset_after` only.
        reset_after: Apply the reset gate after the recurrent product (the cuDNN form), or before it.
        mask, activation, recurrent_activation, zero_output_for_mask: As in `lstm_sequence`.

    Returns:
        The states (time, batch, units) and the last one as a tuple of one.

    Raises:
        ValueError: if shapes do not fit together.
    """
    mask = _check(x_gates, recurrent_kernel, 3, mask)
    if recurrent_bias is not None and not reset_after:
        raise ValueError("`recurrent_bias` belongs to reset_after=True; add the only bias to `x_gates` instead.")
    result = operations.gru(
        x_gates,
        (h0,),
        recurrent_kernel,
        recurrent_bias,
        mask,
        _activation(activation),
        _activation(recurrent_activation),
        reset_after,
    )
    return _finish(result, mask, zero_output_for_mask)


def simple_rnn_sequence(
    x_gates: Array,
    h0: Array,
    recurrent_kernel: Array,
    *,
    mask: Array | None = None,
    activation: Activation = "tanh",
    zero_output_for_mask: bool = False,
) -> tuple[Array, tuple[Array]]:
    """h = activation(x + h @ kernel) over a whole sequence.

    Args:
        x_gates: (time, batch, units): input times kernel plus bias.
        h0: (batch, units): the first state.
        recurrent_kernel: (units, units).
        mask, activation, zero_output_for_mask: As in `lstm_sequence`.

    Returns:
        The states (time, batch, units) and the last one as a tuple of one.

    Raises:
        ValueError: if shapes do not fit together.
    """
    mask = _check(x_gates, recurrent_kernel, 1, mask)
    result = operations.simple_rnn(x_gates, (h0,), recurrent_kernel, mask, _activation(activation))
    return _finish(result, mask, zero_output_for_mask)
