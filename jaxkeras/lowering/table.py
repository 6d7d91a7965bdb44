"""Which form of an operation runs where: the one table.

The first row whose platform, operation and condition fit is taken; where none does, the plain form. Forms differ in
speed and memory only, never in what they compute. The measurements behind each row are in README.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.lowering import cpu_conv, cpu_pool, cpu_recurrent, flash, plain, taps
from jaxkeras.lowering.dispatch import Row
from jaxkeras.lowering.geometry import ConvSpec, PoolSpec

Array = jax.Array

PLAIN: dict[str, Callable[..., Any]] = {
    "conv": plain.conv,
    "conv_forward": plain.conv,
    "conv_input_gradient": cpu_conv.input_gradient,
    "conv_kernel_gradient": cpu_conv.kernel_gradient,
    "depthwise_forward": taps.depthwise_forward,
    "depthwise_input_gradient": cpu_conv.depthwise_input_gradient,
    "depthwise_kernel_gradient": taps.depthwise_kernel_gradient,
    "max_pool": plain.max_pool,
    "average_pool": plain.average_pool,
    "batch_moments": plain.batch_moments,
    "layer_norm": plain.layer_norm,
    "dense": plain.dense,
    "attention": plain.attention,
    "attention_output": plain.attention_output,
    "lstm": plain.lstm,
    "gru": plain.gru,
    "simple_rnn": plain.simple_rnn,
}

MAX_GROUPS = 64


def _splits(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    """Real numbers; groups either few enough to be written out one by one or one for every channel."""
    depthwise = kernel.shape[-2] == 1
    return jnp.issubdtype(x.dtype, jnp.floating) and (spec.groups <= MAX_GROUPS or depthwise)


def _pointwise(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    return math.prod(kernel.shape[:-2]) == 1


def _few_channels(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    window = kernel.shape[:-2]
    return 2 <= x.shape[-1] <= 4 and taps.patch_bytes(x, window, spec) <= taps.PATCH_BYTES and math.prod(window) <= 64


def _few_inputs(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> bool:
    return math.prod(window) * x.shape[-1] <= 32 and taps.patch_bytes(x, window, spec) <= taps.PATCH_BYTES


def _wide_gradient(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> bool:
    return math.prod(window) == 1 or (x.shape[-1] >= 128 and dy.shape[-1] >= 64 and math.prod(window) <= 9)


def _small_images(dy: Array, kernel: Array, sizes: tuple[int, ...], spec: ConvSpec) -> bool:
    ordinary = max(spec.strides) == 1 and max(spec.input_dilation) == 1
    return ordinary and kernel.shape[-1] >= 64 and 1 < math.prod(kernel.shape[:-2]) <= 9 and max(sizes) <= 13


def _short_windows(x: Array, spec: PoolSpec) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating) and max(spec.window) <= 16


def _overlapping(x: Array, spec: PoolSpec) -> bool:
    return _short_windows(x, spec) and not cpu_pool.side_by_side(spec)


def _many_targets(query: Array, key: Array, *rest: Any) -> bool:
    return query.shape[1] >= 512 and key.shape[1] >= 512


def _lstm_of_keras(
    x: Array, states: tuple, kernel: Array, mask: Array | None, activation: Callable, recurrent_activation: Callable
) -> bool:
    return activation is jnp.tanh and recurrent_activation is jax.nn.sigmoid


def _gru_of_keras(
    x: Array,
    states: tuple,
    kernel: Array,
    bias: Array | None,
    mask: Array | None,
    activation: Callable,
    recurrent_activation: Callable,
    reset_after: bool,
) -> bool:
    return reset_after and activation is jnp.tanh and recurrent_activation is jax.nn.sigmoid


def _tanh_rnn(x: Array, states: tuple, kernel: Array, mask: Array | None, activation: Callable) -> bool:
    return activation is jnp.tanh


TABLE: tuple[Row, ...] = (
    Row("cpu", "conv", _splits, cpu_conv.conv),
    Row("cpu", "conv_forward", _pointwise, taps.pointwise_forward),
    Row("cpu", "conv_forward", _few_channels, taps.patch_forward),
    Row("cpu", "conv_input_gradient", _small_images, taps.tap_input_gradient),
    Row("cpu", "conv_kernel_gradient", _few_inputs, taps.patch_kernel_gradient),
    Row("cpu", "conv_kernel_gradient", _wide_gradient, taps.tap_kernel_gradient),
    Row("cpu", "max_pool", _short_windows, cpu_pool.max_pool),
    Row("cpu", "average_pool", _overlapping, cpu_pool.average_pool),
    Row("cpu", "attention_output", _many_targets, flash.attention),
    Row("cpu", "lstm", _lstm_of_keras, cpu_recurrent.lstm),
    Row("cpu", "gru", _gru_of_keras, cpu_recurrent.gru),
    Row("cpu", "simple_rnn", _tanh_rnn, cpu_recurrent.simple_rnn),
)
