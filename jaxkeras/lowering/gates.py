"""The LSTM and GRU updates: the next state from the current one and the pre-activations of the gates."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

Array = jax.Array
Activation = Callable[[Array], Array]


def lstm_update(
    gates: Array, c: Array, activation: Activation, recurrent_activation: Activation, axis: int = -1
) -> tuple[Array, Array]:
    """One step of a long short-term memory (Hochreiter and Schmidhuber, 1997).

    Args:
        gates: pre-activations of the gates i, f, c, o, concatenated along `axis`: `(batch, 4 * units)`.
        c: cell state, `(batch, units)`.
        activation: of the candidate and of the output.
        recurrent_activation: of the gates.
        axis: the axis of the gates.

    Returns:
        The new hidden state and the new cell state, `(batch, units)` each.
    """
    i, f, g, o = jnp.split(gates, 4, axis=axis)
    c = recurrent_activation(f) * c + recurrent_activation(i) * activation(g)
    return recurrent_activation(o) * activation(c), c


def gru_update(
    x_gates: Array,
    h: Array,
    product: Callable[[Array, int, int], Array],
    bias: Array | None,
    activation: Activation,
    recurrent_activation: Activation,
    reset_after: bool,
) -> Array:
    """One step of a gated recurrent unit (Cho et al., 2014).

    Args:
        x_gates: the input's part of the gates z, r, h: `(batch, 3 * units)`.
        h: state, `(batch, units)`.
        product: `product(x, start, stop)` multiplies `(batch, units)` by the recurrent kernel's columns for the gates
            `start` to `stop`.
        bias: recurrent bias, `(3 * units,)` or None; used with `reset_after` only.
        activation: of the candidate.
        recurrent_activation: of the gates.
        reset_after: whether the reset gate is applied after the recurrent product (the cuDNN form), or before it.

    Returns:
        The new state, `(batch, units)`.
    """
    x_z, x_r, x_h = jnp.split(x_gates, 3, axis=-1)
    if reset_after:
        inner = product(h, 0, 3)
        h_z, h_r, h_h = jnp.split(inner if bias is None else inner + bias[None, :], 3, axis=-1)
    else:
        h_z, h_r = jnp.split(product(h, 0, 2), 2, axis=-1)
    z, r = recurrent_activation(x_z + h_z), recurrent_activation(x_r + h_r)
    candidate = activation(x_h + (r * h_h if reset_after else product(r * h, 2, 3)))
    return z * h + (1 - z) * candidate
