"""Operations of networks as anyone would write them with `jax.lax`; channels last."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array
Padding = str | list[tuple[int, int]]


def conv(
    x: Array, kernel: Array, strides: int = 1, padding: Padding = "VALID", dilation: int = 1, groups: int = 1
) -> Array:
    """Convolution of (batch, ..., channels) with (..., channels / groups, filters)."""
    rank, spatial = x.ndim - 2, "DHW"[5 - x.ndim :]
    numbers = (f"N{spatial}C", f"{spatial}IO", f"N{spatial}C")
    return lax.conv_general_dilated(
        x, kernel, (strides,) * rank, padding, rhs_dilation=(dilation,) * rank, dimension_numbers=numbers,
        feature_group_count=groups,
    )  # fmt: skip


def conv_transpose(x: Array, kernel: Array, strides: int) -> Array:
    """Transposed "same" convolution with a kernel of (height, width, filters, channels)."""
    return lax.conv_transpose(x, kernel, (strides, strides), "SAME", transpose_kernel=True)


def max_pool(x: Array, size: int, strides: int | None = None, padding: str = "VALID") -> Array:
    stride = strides or size
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, stride, stride, 1), padding)


def average_pool(x: Array, size: int) -> Array:
    window = (1, size, size, 1)
    return lax.reduce_window(x, 0.0, lax.add, window, window, "VALID") / size**2


def layer_norm(x: Array, gamma: Array, beta: Array, epsilon: float) -> Array:
    mean = jnp.mean(x, axis=-1, keepdims=True)
    variance = jnp.mean(jnp.square(x - mean), axis=-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + epsilon) * gamma + beta


def attention(query: Array, key: Array, value: Array, mask: Array | None = None) -> Array:
    """Attention of (batch, time, heads, width); the mask is true where a query (rows) may see a key."""
    scores = jnp.einsum("bthd,bshd->bhts", query, key) / math.sqrt(query.shape[-1])
    scores = scores if mask is None else jnp.where(mask, scores, -1e9)
    return jnp.einsum("bhts,bshd->bthd", jax.nn.softmax(scores), value)


def _lstm_step(recurrent: Array, carry: tuple[Array, Array], x: Array) -> tuple[Array, Array]:
    h, c = carry
    i, f, g, o = jnp.split(x + h @ recurrent, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def lstm_last(gates: Array, recurrent: Array) -> Array:
    """Last hidden state from (time, batch, 4 * units)."""
    zeros = jnp.zeros((gates.shape[1], recurrent.shape[0]))
    return lax.scan(lambda carry, x: (_lstm_step(recurrent, carry, x), None), (zeros, zeros), gates)[0][0]


def lstm(gates: Array, recurrent: Array, reverse: bool = False) -> Array:
    """All hidden states from (time, batch, 4 * units)."""

    def step(carry: Any, x: Array) -> Any:
        h, c = _lstm_step(recurrent, carry, x)
        return (h, c), h

    zeros = jnp.zeros((gates.shape[1], recurrent.shape[0]))
    return lax.scan(step, (zeros, zeros), gates, reverse=reverse)[1]


def gru(gates: Array, recurrent: Array, bias: Array, reverse: bool = False) -> Array:
    """All hidden states from (time, batch, 3 * units); the reset gate applies after the product with `recurrent`."""

    def step(h: Array, x: Array) -> Any:
        (xz, xr, xn), (hz, hr, hn) = jnp.split(x, 3, axis=-1), jnp.split(h @ recurrent + bias, 3, axis=-1)
        z, r = jax.nn.sigmoid(xz + hz), jax.nn.sigmoid(xr + hr)
        h = z * h + (1 - z) * jnp.tanh(xn + r * hn)
        return h, h

    return lax.scan(step, jnp.zeros((gates.shape[1], recurrent.shape[0])), gates, reverse=reverse)[1]
