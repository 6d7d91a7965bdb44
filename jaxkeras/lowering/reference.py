"""Every operation in terms of `jax.lax` and `jax.nn`: right on every platform, at every derivative order.

Forms are tested against these functions, and replaced by them where no row of `table.py` applies.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxkeras.lowering.gates import gru_update, lstm_update
from jaxkeras.lowering.geometry import ConvSpec, PoolSpec, spatial_shape
from jaxkeras.lowering.hash_rng import Drop

Array = jax.Array


def conv(x: Array, kernel: Array, spec: ConvSpec) -> Array:
    """Convolution of any rank. kernel: (*window, channels / groups, filters)."""
    letters = "DHW"[3 - spec.rank :]
    image = f"NC{letters}" if spec.channels_first else f"N{letters}C"
    return lax.conv_general_dilated(
        x,
        kernel,
        spec.strides,
        spec.pads,
        lhs_dilation=spec.input_dilation,
        rhs_dilation=spec.dilation,
        dimension_numbers=(image, f"{letters}IO", image),
        feature_group_count=spec.groups,
    )


def _window(spec: PoolSpec) -> tuple[tuple[int, ...], tuple[int, ...], tuple[tuple[int, int], ...]]:
    if spec.channels_first:
        return (1, 1, *spec.window), (1, 1, *spec.strides), ((0, 0), (0, 0), *spec.pads)
    return (1, *spec.window, 1), (1, *spec.strides, 1), ((0, 0), *spec.pads, (0, 0))


def lowest(dtype: jnp.dtype) -> np.ndarray:
    """The identity of `max` for `dtype`."""
    return np.array(-np.inf if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype).min, dtype)


def max_pool(x: Array, spec: PoolSpec) -> Array:
    return lax.reduce_window(x, lowest(x.dtype), lax.max, *_window(spec))


def window_counts(shape: tuple[int, ...], spec: PoolSpec) -> np.ndarray:
    """How many real cells each window of an average covers, broadcastable to the output."""
    counts = np.ones((1,) if not spec.channels_first else (1, 1), np.int64)
    for size, window, stride, (low, high) in zip(
        spatial_shape(shape, spec.channels_first), spec.window, spec.strides, spec.pads
    ):
        starts = np.arange(0, size + low + high - window + 1, stride) - low
        inside = np.minimum(starts + window, size) - np.maximum(starts, 0)
        counts = counts[..., None] * inside
    return counts if spec.channels_first else counts[..., None]


def average_pool(x: Array, spec: PoolSpec) -> Array:
    total = lax.reduce_window(x, np.zeros((), x.dtype), lax.add, *_window(spec))
    return total / window_counts(x.shape, spec).astype(x.dtype)


def global_average_pool(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    return jnp.mean(x, axes, keepdims=keepdims)


def batch_moments(x: Array, axes: tuple[int, ...], weights: Array | None, epsilon: float) -> tuple[Array, Array]:
    """Two passes, dimensions kept. weights: 0 or 1, broadcast to x."""
    if weights is None:
        return jnp.mean(x, axes, keepdims=True), jnp.var(x, axes, keepdims=True)
    count = jnp.sum(jnp.broadcast_to(weights, x.shape).astype(x.dtype), axes, keepdims=True) + epsilon
    mean = jnp.sum(jnp.where(weights, x, 0), axes, keepdims=True) / count
    distance = jnp.where(weights, x - mean, 0)
    return mean, jnp.sum(jnp.square(distance), axes, keepdims=True) / count


def batch_norm(
    x: Array, gamma: Array | None, beta: Array | None, axes: tuple[int, ...], epsilon: float
) -> tuple[Array, Array, Array]:
    """The normalised array, mean and variance, dimensions kept. gamma, beta: with a size of 1 along `axes`."""
    mean, variance = batch_moments(x, axes, None, 0.0)
    scale = lax.rsqrt(variance + epsilon)
    y = (x - mean) * (scale if gamma is None else scale * gamma)
    return y if beta is None else y + beta, mean, variance


def layer_norm(x: Array, gamma: Array | None, beta: Array | None, axes: tuple[int, ...], epsilon: float) -> Array:
    """gamma, beta: broadcastable to x."""
    mean, variance = batch_moments(x, axes, None, 0.0)
    y = (x - mean) * lax.rsqrt(variance + epsilon)
    y = y if gamma is None else y * gamma
    return y if beta is None else y + beta


def argmax(x: Array) -> Array:
    return jnp.argmax(x, axis=-1)


def gelu(x: Array) -> Array:
    return jax.nn.gelu(x, approximate=False)


def dense_kernel_gradient(x: Array, dy: Array, count: int) -> Array:
    """Cotangent of the kernel of a product that sums over the last `count` axes of x, due to that of the output."""
    rows = tuple(range(x.ndim - count))
    return lax.dot_general(x, dy, ((rows, rows), ((), ())))


def attention_weights(query: Array, key: Array, bias: Array | None, mask: Array | None, scale: float) -> Array:
    """softmax(scale q k + bias) over the sources, (batch, heads, targets, sources), in at least float32."""
    dtype = jnp.promote_types(query.dtype, jnp.float32)
    logits = lax.dot_general(query, key, (((3,), (3,)), ((0, 2), (0, 2))), preferred_element_type=dtype)
    return jax.nn.softmax(masked_logits(logits * jnp.asarray(scale, dtype), bias, mask), axis=-1)


def whole_mask(
    mask: Array | None, is_causal: bool, query: Array, key: Array, query_mask: Array | None = None
) -> Array | None:
    """The mask, that of the targets, and if causal, that no target sees a later source; None if all is allowed."""
    masks = [] if mask is None else [mask]
    if is_causal:
        masks.append(jnp.tril(jnp.ones((query.shape[1], key.shape[1]), bool))[None, None])
    if query_mask is not None:
        masks.append(query_mask[:, None, :, None])
    return functools.reduce(jnp.logical_and, masks) if masks else None


def masked_logits(logits: Array, bias: Array | None, mask: Array | None) -> Array:
    """Add the bias and set masked logits to a finite, very low number (no NaN where a row is all masked)."""
    if bias is not None:
        logits = logits + bias.astype(logits.dtype)
    if mask is not None:
        logits = jnp.where(mask, logits, np.array(-0.7 * float(jnp.finfo(logits.dtype).max), logits.dtype))
    return logits


def attention_with_weights(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None,
    mask: Array | None,
    scale: float,
    drop: Drop | None,
) -> tuple[Array, Array]:
    """The output, and the weights before dropout."""
    scores = attention_weights(query, key, bias, mask, scale).astype(value.dtype)
    applied = scores if drop is None else drop.apply(scores)
    output = lax.dot_general(applied, value, (((3,), (1,)), ((0, 1), (0, 2))))
    return jnp.swapaxes(output, 1, 2), scores


def attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None,
    mask: Array | None,
    scale: float,
    drop: Drop | None,
    is_causal: bool = False,
    query_mask: Array | None = None,
) -> Array:
    mask = whole_mask(mask, is_causal, query, key, query_mask)
    return attention_with_weights(query, key, value, bias, mask, scale, drop)[0]


def recurrence(
    step: Callable, x_gates: Array, states: tuple[Array, ...], mask: Array | None, *constants: Array
) -> tuple[Array, tuple[Array, ...]]:
    """Scan `step(x_t, states, *constants) -> states`; a masked row keeps its states. First state is the output."""

    def body(states: tuple[Array, ...], inputs: tuple[Array, Array | None]) -> tuple[tuple[Array, ...], Array]:
        x_t, mask_t = inputs
        new = step(x_t, states, *constants)
        if mask_t is not None:
            new = tuple(jnp.where(mask_t[:, None], n, s) for n, s in zip(new, states))
        return new, new[0]

    states, sequence = lax.scan(body, states, (x_gates, mask))
    return sequence, states


def lstm_step(activation: Callable, recurrent_activation: Callable) -> Callable:
    def step(x_t: Array, states: tuple[Array, ...], kernel: Array) -> tuple[Array, ...]:
        h, c = states
        return lstm_update(x_t + h @ kernel, c, activation, recurrent_activation)

    return step


def gru_step(activation: Callable, recurrent_activation: Callable, reset_after: bool) -> Callable:
    def step(x_t: Array, states: tuple[Array, ...], kernel: Array, bias: Array | None) -> tuple[Array, ...]:
        (h,) = states
        units = h.shape[-1]

        def product(x: Array, start: int, stop: int) -> Array:
            return x @ kernel[:, start * units : stop * units]

        return (gru_update(x_t, h, product, bias, activation, recurrent_activation, reset_after),)

    return step


def simple_rnn_step(activation: Callable) -> Callable:
    def step(x_t: Array, states: tuple[Array, ...], kernel: Array) -> tuple[Array, ...]:
        return (activation(x_t + states[0] @ kernel),)

    return step


def lstm(
    x_gates: Array,
    states: tuple[Array, Array],
    kernel: Array,
    mask: Array | None,
    activation: Callable,
    recurrent_activation: Callable,
) -> tuple[Array, tuple[Array, ...]]:
    return recurrence(lstm_step(activation, recurrent_activation), x_gates, states, mask, kernel)


def gru(
    x_gates: Array,
    states: tuple[Array],
    kernel: Array,
    bias: Array | None,
    mask: Array | None,
    activation: Callable,
    recurrent_activation: Callable,
    reset_after: bool,
) -> tuple[Array, tuple[Array, ...]]:
    step = functools.partial(gru_step(activation, recurrent_activation, reset_after), bias=bias)
    return recurrence(step, x_gates, states, mask, kernel)


def simple_rnn(
    x_gates: Array, states: tuple[Array], kernel: Array, mask: Array | None, activation: Callable
) -> tuple[Array, tuple[Array, ...]]:
    return recurrence(simple_rnn_step(activation), x_gates, states, mask, kernel)
