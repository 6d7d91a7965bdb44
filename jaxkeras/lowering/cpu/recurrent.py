"""Recurrent loops that keep their gates, and nothing else, for the derivative.

Differentiating a `scan` makes JAX store every intermediate of every step and accumulate the weight gradient inside the
loop. Here a step returns its gates, the transpose is written in terms of them, and the weights stay out of the loop:
they act only through z = x + h @ kernel, so their tangent is a tangent of x, h_before @ d_kernel, and the transpose of
that, the weight gradient, is a single matrix product over the whole sequence.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxkeras.core.context import local
from jaxkeras.lowering.custom_transpose import linear_call

Array = jax.Array
States = tuple[Array, ...]
Weights = tuple[Array, ...]


class Cell(NamedTuple):
    """A recurrent cell and its transpose.

    forward(x_t, states, weights) -> new states, saved: a step, and the few arrays that its derivative needs.
    factors(saved, states before) -> what the transpose reads, computed for all steps at once instead of step by step:
        .92 of the time for the LSTM; the others gained nothing and return their arguments.
    backward(factors_t, transposed kernel, cotangent of states) -> cotangents of x_t and of states before.
    through_gates(saved, h before, d_weights) -> the tangent of x equivalent to that of the weights.
    values(x, states, weights, mask) -> the sequence and last states, if no derivative is wanted; by `forward` if None.
    """

    forward: Callable[[Array, States, Weights], tuple[States, States]]
    factors: Callable[[States, States], States]
    backward: Callable[[States, Array, States], tuple[Array, States]]
    through_gates: Callable[[States, Array, Weights], Array]
    values: Callable[[Array, States, Weights, Array | None], tuple[Array, States]] | None = None


def _keep(mask_t: Array | None, new: States, old: States) -> States:
    return new if mask_t is None else tuple(jnp.where(mask_t[:, None], n, o) for n, o in zip(new, old))


def _loop(
    cell: Cell, x: Array, states: States, weights: Weights, mask: Array | None
) -> tuple[Array, States, tuple[States, States]]:
    """The sequence, the last states, and for every step its saved arrays and the states before it."""

    def body(states: States, inputs: tuple[Array, Array | None]) -> tuple[States, tuple[Array, States, States]]:
        x_t, mask_t = inputs
        new, saved = cell.forward(x_t, states, weights)
        new = _keep(mask_t, new, states)
        return new, (new[0], saved, states)

    states, (sequence, saved, before) = lax.scan(body, states, (x, mask))
    return sequence, states, (saved, before)


def _backward_loop(cell: Cell, residuals: tuple, cotangent: tuple[Array, States]) -> tuple[Array, States]:
    saved, before, kernel, mask = residuals
    g_sequence, g_states = cotangent
    turned = kernel.T  # outside the loop: inside, the product with a transposed kernel costs a third more

    def body(g_states: States, inputs: tuple) -> tuple[States, Array]:
        g_t, factors_t, mask_t = inputs
        g_states = (g_states[0] + g_t, *g_states[1:])
        g_x, g_before = cell.backward(factors_t, turned, g_states)
        if mask_t is not None:
            g_x = jnp.where(mask_t[:, None], g_x, 0)
        return _keep(mask_t, g_before, g_states), g_x

    g_states, g_x = lax.scan(body, g_states, (g_sequence, cell.factors(saved, before), mask), reverse=True)
    return g_x, g_states


def _tangent_loop(cell: Cell, results: tuple, residuals: tuple, tangent: tuple[Array, States]) -> tuple[Array, States]:
    (d_results,) = jax.linear_transpose(functools.partial(_backward_loop, cell, residuals), results)(tangent)
    return d_results


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def run(cell: Cell, x: Array, states: States, weights: Weights, mask: Array | None) -> tuple[Array, States]:
    """The cell over a whole sequence. x: (time, batch, gates * units); weights: the recurrent kernel first."""
    return (cell.values or functools.partial(_loop, cell))(x, states, weights, mask)[:2]


@run.defjvp
def _(cell: Cell, primals: tuple, tangents: tuple) -> tuple:
    x, states, weights, mask = primals
    dx, d_states, d_weights, _ = tangents
    sequence, last, (saved, before) = _loop(cell, x, states, weights, mask)
    dx = dx + cell.through_gates(saved, before[0], d_weights)
    results = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), (sequence, last))
    forth, back = functools.partial(_tangent_loop, cell, results), functools.partial(_backward_loop, cell)
    out = sequence, last
    return out, linear_call(forth, back, (saved, before, weights[0], mask), (dx, d_states), out)


def _rows(h: Array, d_kernel: Array) -> Array:
    """h @ d_kernel as a product of matrices, whose transpose in d_kernel is one too."""
    if local.split_rows:  # time and rows merged into one axis would be gathered by every device
        return h @ d_kernel
    return (h.reshape(-1, h.shape[-1]) @ d_kernel).reshape(*h.shape[:-1], d_kernel.shape[-1])


def _sigmoid_and_tanh(z: Array, gates: int, squashed: int) -> Array:
    """Gate number `squashed` through tanh, the others through the logistic function, as one tanh of the whole array.

    XLA:CPU computes a transcendental function several times faster over a whole array than over slices of it.
    """
    units = z.shape[-1] // gates
    scale = np.where(np.arange(z.shape[-1]) // units == squashed, 1.0, 0.5).astype(z.dtype)[None, :]
    return jnp.tanh(z * scale) * scale + (1 - scale)


def _all(saved: States, before: States) -> States:
    return *saved, *before


def _lstm_forward(x_t: Array, states: States, weights: Weights) -> tuple[States, States]:
    h, c = states
    gates = _sigmoid_and_tanh(x_t + h @ weights[0], 4, 2)
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    c = f * c + i * g
    squashed = jnp.tanh(c)
    return (o * squashed, c), (gates, squashed)


def _lstm_factors(saved: States, before: States) -> States:
    (gates, squashed), (_, c) = saved, before
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    is_tanh = (np.arange(gates.shape[-1]) // c.shape[-1] == 2).astype(gates.dtype)[None, :]
    slope = (gates + is_tanh) * (1 - gates)  # a (1 - a) for the logistic function, (1 + a) (1 - a) for tanh
    return slope * jnp.concatenate([g, c, i, squashed], -1), o * (1 - squashed * squashed), f


def _lstm_backward(factors: States, turned: Array, g_states: States) -> tuple[Array, States]:
    (of_gates, of_h, f), (gh, gc) = factors, g_states
    gc = gc + gh * of_h
    g_x = of_gates * jnp.concatenate([gc, gc, gc, gh], -1)
    return g_x, (g_x @ turned, gc * f)


LSTM = Cell(_lstm_forward, _lstm_factors, _lstm_backward, lambda saved, h, d_weights: _rows(h, d_weights[0]))


def _gru_forward(x_t: Array, states: States, weights: Weights) -> tuple[States, States]:
    (h,), (kernel, bias) = states, weights
    units = h.shape[-1]
    inner = h @ kernel + bias[None, :]
    gates = _sigmoid_and_tanh(x_t + inner, 3, 3)
    z, r, _ = jnp.split(gates, 3, axis=-1)
    inner = inner[:, 2 * units :]
    candidate = jnp.tanh(x_t[:, 2 * units :] + r * inner)
    return (z * h + (1 - z) * candidate,), (gates, candidate, inner)


def _gru_backward(factors: States, turned: Array, g_states: States) -> tuple[Array, States]:
    (gates, candidate, inner, h), (gh,) = factors, g_states
    z, r, _ = jnp.split(gates, 3, axis=-1)
    g_candidate = gh * (1 - z) * (1 - candidate * candidate)
    g_z, g_r = gh * (h - candidate) * z * (1 - z), g_candidate * inner * r * (1 - r)
    g_inner = jnp.concatenate([g_z, g_r, g_candidate * r], -1)
    return jnp.concatenate([g_z, g_r, g_candidate], -1), (gh * z + g_inner @ turned,)


def _gru_through_gates(saved: States, h: Array, d_weights: Weights) -> Array:
    d_kernel, d_bias = d_weights
    _, r, _ = jnp.split(saved[0], 3, axis=-1)
    d_z, d_r, d_h = jnp.split(_rows(h, d_kernel) + d_bias[None, None, :], 3, axis=-1)
    return jnp.concatenate([d_z, d_r, r * d_h], -1)


def _gru_values(x: Array, states: States, weights: Weights, mask: Array | None) -> tuple[Array, States]:
    """With nothing saved, XLA fuses a whole step, which is slow on slices of x; so gates are split before the loop."""
    kernel, bias = weights

    def body(states: States, inputs: tuple) -> tuple[States, Array]:
        (h,), ((x_z, x_r, x_h), mask_t) = states, inputs
        inner_z, inner_r, inner = jnp.split(h @ kernel + bias[None, :], 3, axis=-1)
        z, r = (0.5 * jnp.tanh(0.5 * gate) + 0.5 for gate in (x_z + inner_z, x_r + inner_r))
        new = _keep(mask_t, (z * h + (1 - z) * jnp.tanh(x_h + r * inner),), states)
        return new, new[0]

    states, sequence = lax.scan(body, states, (tuple(jnp.split(x, 3, axis=-1)), mask))
    return sequence, states


GRU = Cell(_gru_forward, _all, _gru_backward, _gru_through_gates, _gru_values)


def _simple_forward(x_t: Array, states: States, weights: Weights) -> tuple[States, States]:
    h = jnp.tanh(x_t + states[0] @ weights[0])
    return (h,), (h,)


def _simple_backward(factors: States, turned: Array, g_states: States) -> tuple[Array, States]:
    h, _ = factors
    g_x = (1 - h * h) * g_states[0]
    return g_x, (g_x @ turned,)


SIMPLE = Cell(_simple_forward, _all, _simple_backward, lambda saved, h, d_weights: _rows(h, d_weights[0]))


def lstm(x: Array, states: States, kernel: Array, mask: Array | None, *_: Callable) -> tuple[Array, States]:
    return run(LSTM, x, states, (kernel,), mask)


def gru(
    x: Array, states: States, kernel: Array, bias: Array | None, mask: Array | None, *_: Callable | bool
) -> tuple[Array, States]:
    bias = jnp.zeros(kernel.shape[1], kernel.dtype) if bias is None else bias
    return run(GRU, x, states, (kernel, bias), mask)


def simple_rnn(x: Array, states: States, kernel: Array, mask: Array | None, _: Callable) -> tuple[Array, States]:
    return run(SIMPLE, x, states, (kernel,), mask)
