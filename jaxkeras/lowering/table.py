"""Which form of an operation runs where.

The first row whose platform, operation and condition fit is taken, or else the operation's reference. Forms differ in
speed and memory, never in what they compute. README.md has the measurement behind each row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core.context import local
from jaxkeras.lowering import flash, operations
from jaxkeras.lowering.cpu import (
    argmax,
    attention,
    batch_norm,
    conv,
    dense,
    gelu,
    im2col,
    layer_norm,
    microbatch,
    pool,
    recurrent,
    tap_products,
    winograd,
)
from jaxkeras.lowering.dispatch import Candidate, Row, install
from jaxkeras.lowering.geometry import ConvSpec, PoolSpec
from jaxkeras.lowering.gpu import attention as cudnn

Array = jax.Array

MAX_GROUPS = 64


def _splits(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    """Real numbers; groups either few enough to be written out one by one or one for every channel."""
    depthwise = kernel.shape[-2] == 1
    return jnp.issubdtype(x.dtype, jnp.floating) and (spec.groups <= MAX_GROUPS or depthwise)


def _pointwise(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    return math.prod(kernel.shape[:-2]) == 1


def _spread_out(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    """In three dimensions XLA multiplies the zeros one by one, so any form is faster."""
    if max(spec.input_dilation) == 1 or max(spec.strides) > 1:
        return False
    overlapping = math.prod(kernel.shape[:-2]) > math.prod(spec.input_dilation)
    return spec.rank == 3 or (overlapping and _exact(x) and _fits(tap_products.product_bytes(x, kernel, spec), x))


def _spread_out_input(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> bool:
    return max(spec.input_dilation) > 1 and max(spec.strides) == 1


def _exact(x: Array) -> bool:
    """Sums of many terms may be formed piece by piece; 16-bit numbers would be rounded after each."""
    return x.dtype.itemsize >= 4


def _fits(size: int, x: Array) -> bool:
    """Whether the copies of one image stay within the budget."""
    return size <= microbatch.LIMIT * x.shape[0]


def _terms(channels: int, window: Sequence[int]) -> int:
    """Length of the sum behind one output."""
    return channels * math.prod(window)


def _work(x: Array, kernel: Array, spec: ConvSpec) -> int:
    """Multiplications."""
    out = im2col.output_sizes(x.shape[1:-1], kernel.shape[:-2], spec)
    return x.shape[0] * math.prod(out) * math.prod(kernel.shape)


def _short_sums(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    return _exact(x) and _terms(x.shape[-1], kernel.shape[:-2]) <= 36


def _short_sums_alone(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    """Sums that no gradient keeps: XLA fuses them with the padding of what follows, and such a loop is slow if long."""
    long = 16 < _terms(x.shape[-1], kernel.shape[:-2]) <= 36 and max(spec.input_dilation) == 1
    if not (long and _exact(x)) or local.differentiated:
        return False
    return _work(x, kernel, spec) >= 2**18 and _fits(im2col.patch_bytes(x, kernel.shape[:-2], spec), x)


def _threes(window: Sequence[int], spec: ConvSpec) -> bool:
    return window[-1] == 3 and spec.strides[-1] == spec.dilation[-1] == max(spec.input_dilation) == 1


def _winograd(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    window, (channels, filters) = kernel.shape[:-2], kernel.shape[-2:]
    if not (_exact(x) and _threes(window, spec) and channels >= 24 and filters >= 24):
        return False
    size = winograd.tile_bytes(x, window, spec)
    tiles = size // (_terms(channels, window[:-1]) * 6 * x.dtype.itemsize)
    return tiles >= 100 and _work(x, kernel, spec) >= 2**23 and _fits(size, x)


def _very_few_filters(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    """Fewer than a vector holds."""
    plain = max(spec.strides) == max(spec.input_dilation) == 1 < math.prod(kernel.shape[:-2])
    if not (plain and kernel.shape[-1] < 8 and _exact(x)):
        return False
    return _work(x, kernel, spec) >= 2**16 and _fits(tap_products.product_bytes(x, kernel, spec), x)


def _joined_strips(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    """Few filters, for which XLA's convolution is slow: Eigen's up to 16 channels, YNNPACK's on one core."""
    channels, filters = kernel.shape[-2:]
    if not (_exact(x) and channels >= 8 and 8 <= filters < 24 and max(spec.strides) == max(spec.input_dilation) == 1):
        return False
    tall = im2col.output_sizes(x.shape[1:-1], kernel.shape[:-2], spec)[0] >= 8
    return tall and _work(x, kernel, spec) >= 2**22 and _fits(im2col.joined_strip_bytes(x, kernel, spec), x)


def _strips(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    window, (channels, filters) = kernel.shape[:-2], kernel.shape[-2:]
    fair = 24 <= channels <= 128 and 16 <= filters <= 128 and _work(x, kernel, spec) >= 2**23
    return _exact(x) and fair and max(spec.input_dilation) == 1 and _fits(im2col.strip_bytes(x, window, spec), x)


def _few_inputs(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> bool:
    few = _terms(x.shape[-1], window) <= 32 and dy.shape[-1] >= 16
    return _exact(x) and few and _fits(im2col.patch_bytes(x, window, spec), x)


def _apart(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> bool:
    """Windows that do not overlap: every cell of the input is read once."""
    apart = all(w <= s for w, s in zip(window, spec.strides)) and math.prod(window) > 1
    return _exact(x) and apart and max(spec.dilation) == max(spec.input_dilation) == 1


def _few_cells(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> bool:
    """Where one small product takes less time than the many loops of other forms."""
    few = dy.shape[0] * math.prod(dy.shape[1:-1]) <= 128 and 1 < math.prod(window) <= 49
    return _exact(x) and few and max(spec.input_dilation) == 1


def _few_outputs(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> bool:
    """Where patches of the cotangent are smaller than copies of the input, and serve both gradients."""
    channels, filters = x.shape[-1], dy.shape[-1]
    plain = max(spec.strides) == max(spec.input_dilation) == 1 < math.prod(window)
    few = _exact(x) and plain and filters < 24 and channels >= 2 * filters
    return few and _fits(im2col.cotangent_patch_bytes(x, dy, window, spec), x)


def _few_outputs_to_input(dy: Array, kernel: Array, sizes: tuple[int, ...], spec: ConvSpec) -> bool:
    x: Any = jax.ShapeDtypeStruct((dy.shape[0], *sizes, kernel.shape[-2]), dy.dtype)
    return _few_outputs(x, dy, kernel.shape[:-2], spec)


def _winograd_gradient(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> bool:
    wide = _exact(x) and x.shape[-1] >= 8 and dy.shape[-1] >= 8
    return wide and _threes(window, spec) and _fits(winograd.tile_bytes(x, window, spec), x)


def _strip_gradient(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> bool:
    work = dy.size * _terms(x.shape[-1], window)
    long = _exact(x) and work >= 2**23 and max(spec.input_dilation) == 1
    return long and _fits(im2col.strip_bytes(x, window, spec), x)


def _wide_gradient(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> bool:
    return math.prod(window) == 1 or (x.shape[-1] >= 128 and dy.shape[-1] >= 64 and math.prod(window) <= 9)


def _small_images(dy: Array, kernel: Array, sizes: tuple[int, ...], spec: ConvSpec) -> bool:
    """Where the padding that a convolution of dy needs is much of the image."""
    ordinary = max(spec.strides) == 1 and max(spec.input_dilation) == 1
    padded = math.prod(sizes) >= 1.25 * math.prod(dy.shape[1:-1])
    return ordinary and padded and kernel.shape[-1] >= 64 and 1 < math.prod(kernel.shape[:-2]) <= 9 and max(sizes) <= 16


def _row_by_row(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> bool:
    """Where the sums, one row for each tap, stay in the cache."""
    return _exact(x) and math.prod(window) * math.prod(dy.shape[2:]) * dy.dtype.itemsize <= 2**22


def _cell_by_cell(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> bool:
    """Large windows, and few channels, where steps row by row are slow; one term for each cell of the last axis."""
    return _exact(x) and (math.prod(window) >= 25 or x.shape[-1] <= 32) and dy.shape[-2] <= 64


def _short_windows(x: Array, spec: PoolSpec) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating) and max(spec.window) <= 16


def _overlapping(x: Array, spec: PoolSpec) -> bool:
    return _short_windows(x, spec) and not pool.side_by_side(spec)


def _many_classes(x: Array) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating) and 32 <= x.shape[-1] < 2**31


def _few_numbers(x: Array, axes: tuple[int, ...], keepdims: bool) -> bool:
    """So few that XLA makes no call of YNNPACK of their sum."""
    return _real(x) and x.size < 4096


def _real(x: Array, *rest: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating) and _exact(x)


def _last_axis(x: Array, gamma: Array | None, beta: Array | None, axes: tuple[int, ...], epsilon: float) -> bool:
    sizes = [v.size for v in (gamma, beta) if v is not None]
    return x.ndim > 1 and axes == (x.ndim - 1,) and all(n == x.shape[-1] for n in sizes) and _real(x)


def _many_targets(query: Array, key: Array, *rest: Any) -> bool:
    return query.shape[1] >= 512 and key.shape[1] >= 512


def _wide_floats(query: Array, *rest: Any) -> bool:
    return query.dtype in (jnp.float32, jnp.float64)


def _sequences(x: Array, dy: Array, count: int) -> bool:
    return x.ndim - count > 1


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


CPU: tuple[Row, ...] = tuple(
    Row(operation, "cpu", condition, form)
    for operation, condition, form in (
        (operations.conv, _splits, conv.conv),
        (conv.forward, _pointwise, im2col.pointwise_forward),
        (conv.forward, _spread_out, tap_products.spread_forward),
        (conv.forward, _short_sums_alone, im2col.patch_forward),
        (conv.forward, _short_sums, im2col.fused_forward),
        (conv.forward, _very_few_filters, tap_products.plane_forward),
        (conv.forward, _joined_strips, im2col.joined_strip_forward),
        (conv.forward, _winograd, winograd.forward),
        (conv.forward, _strips, im2col.strip_forward),
        (conv.input_gradient, _small_images, im2col.tap_input_gradient),
        (conv.input_gradient, _few_outputs_to_input, im2col.patch_input_gradient),
        (conv.kernel_gradient, _spread_out_input, conv.swapped_kernel_gradient),
        (conv.kernel_gradient, _few_inputs, im2col.patch_kernel_gradient),
        (conv.kernel_gradient, _few_cells, im2col.patch_kernel_gradient),
        (conv.kernel_gradient, _apart, im2col.tap_kernel_gradient),
        (conv.kernel_gradient, _few_outputs, im2col.cotangent_patch_kernel_gradient),
        (conv.kernel_gradient, _winograd_gradient, winograd.kernel_gradient),
        (conv.kernel_gradient, _strip_gradient, im2col.strip_kernel_gradient),
        (conv.kernel_gradient, _wide_gradient, im2col.tap_kernel_gradient),
        (conv.depthwise_kernel_gradient, _cell_by_cell, im2col.depthwise_kernel_gradient_by_cell),
        (conv.depthwise_kernel_gradient, _row_by_row, im2col.depthwise_kernel_gradient_by_row),
        (operations.max_pool, _short_windows, pool.max_pool),
        (operations.average_pool, _overlapping, pool.average_pool),
        (operations.global_average_pool, _few_numbers, pool.global_average_by_product),
        (operations.global_average_pool, _real, pool.global_average_pool),
        (operations.argmax, _many_classes, argmax.argmax),
        (operations.batch_norm, _real, batch_norm.batch_norm),
        (operations.layer_norm, _last_axis, layer_norm.layer_norm),
        (operations.gelu, _real, gelu.gelu),
        (operations.dense_kernel_gradient, _sequences, dense.kernel_gradient),
        (operations.attention_of_any_length, _many_targets, flash.attention),
        (operations.attention_of_any_length, _wide_floats, attention.attention),
        (operations.attention, _wide_floats, attention.attention),
        (operations.lstm, _lstm_of_keras, recurrent.lstm),
        (operations.gru, _gru_of_keras, recurrent.gru),
        (operations.simple_rnn, _tanh_rnn, recurrent.simple_rnn),
    )
)

# By JAX's documentation of `jax.nn.dot_product_attention`; not measured. It has no forward-mode derivatives, so
# `flash=False` keeps the plain form.
CUDA: tuple[Row, ...] = tuple(
    Row(operation, "cuda", cudnn.fits, cudnn.attention)
    for operation in (operations.attention_of_any_length, operations.blockwise_attention)
)


def _copies(size: Callable[..., int]) -> Callable[..., bool]:
    """Whether the copies that a forward form makes of one image stay within the budget."""
    return lambda x, kernel, spec: _exact(x) and _fits(size(x, kernel.shape[:-2], spec), x)


def _copies_for_gradient(size: Callable[..., int]) -> Callable[..., bool]:
    return lambda x, dy, window, spec: _exact(x) and _fits(size(x, window, spec), x)


def _undilated(window: Sequence[int], spec: ConvSpec) -> bool:
    return max(spec.input_dilation) == 1 and 1 < math.prod(window) <= 49


def _sums(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    """Long sums only where gradients keep them; measured alone they look faster than they are (`_short_sums_alone`)."""
    return _exact(x) and 1 < math.prod(kernel.shape[:-1]) <= (80 if local.differentiated else 16)


def _patches_can(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    few = 1 < math.prod(kernel.shape[:-1]) <= 80 and max(spec.input_dilation) == 1
    return few and _copies(im2col.patch_bytes)(x, kernel, spec)


def _winograd_can(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    return _threes(kernel.shape[:-2], spec) and _copies(winograd.tile_bytes)(x, kernel, spec)


def _strips_can(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    return _undilated(kernel.shape[:-2], spec) and _copies(im2col.strip_bytes)(x, kernel, spec)


def _joined_strips_can(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    window = kernel.shape[:-2]
    fits = _exact(x) and _fits(im2col.joined_strip_bytes(x, kernel, spec), x)
    return fits and _undilated(window, spec) and max(spec.strides[:-1]) == 1 < math.prod(window[:-1])


def _phases_can(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    return _exact(x) and max(spec.input_dilation) > 1 and max(spec.strides) == 1


def _planes_can(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    fits = _exact(x) and _fits(tap_products.product_bytes(x, kernel, spec), x)
    return fits and _undilated(kernel.shape[:-2], spec) and kernel.shape[-1] <= 16


def _taps_can(dy: Array, kernel: Array, sizes: tuple[int, ...], spec: ConvSpec) -> bool:
    return _exact(dy) and _undilated(kernel.shape[:-2], spec)


def _winograd_gradient_can(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> bool:
    return _threes(window, spec) and _copies_for_gradient(winograd.tile_bytes)(x, dy, window, spec)


def _strip_gradient_can(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> bool:
    return _undilated(window, spec) and _copies_for_gradient(im2col.strip_bytes)(x, dy, window, spec)


def _patch_gradient_can(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> bool:
    return _undilated(window, spec) and _copies_for_gradient(im2col.patch_bytes)(x, dy, window, spec)


def _cotangent_patches_can(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> bool:
    plain = max(spec.strides) == 1 < math.prod(window) <= 49
    return plain and _exact(x) and _fits(im2col.cotangent_patch_bytes(x, dy, window, spec), x)


def _tap_gradient_can(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> bool:
    return _exact(x) and math.prod(window) <= 49


def _cells_can(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> bool:
    return _exact(x) and dy.shape[-2] <= 64


# What `jaxkeras.utils.tune` may choose from, besides the references and what the table chooses.
CANDIDATES: tuple[Candidate, ...] = tuple(
    Candidate(operation, "cpu", can, form)
    for operation, can, form in (
        (conv.forward, _pointwise, im2col.pointwise_forward),
        (conv.forward, _sums, im2col.fused_forward),
        (conv.forward, _patches_can, im2col.patch_forward),
        (conv.forward, _winograd_can, winograd.forward),
        (conv.forward, _strips_can, im2col.strip_forward),
        (conv.forward, _joined_strips_can, im2col.joined_strip_forward),
        (conv.forward, _planes_can, tap_products.plane_forward),
        (conv.forward, _phases_can, tap_products.spread_forward),
        (conv.input_gradient, _taps_can, im2col.tap_input_gradient),
        (conv.kernel_gradient, _winograd_gradient_can, winograd.kernel_gradient),
        (conv.kernel_gradient, _strip_gradient_can, im2col.strip_kernel_gradient),
        (conv.kernel_gradient, _patch_gradient_can, im2col.patch_kernel_gradient),
        (conv.kernel_gradient, _cotangent_patches_can, im2col.cotangent_patch_kernel_gradient),
        (conv.kernel_gradient, _tap_gradient_can, im2col.tap_kernel_gradient),
        (conv.depthwise_kernel_gradient, _cells_can, im2col.depthwise_kernel_gradient_by_cell),
        (conv.depthwise_kernel_gradient, _row_by_row, im2col.depthwise_kernel_gradient_by_row),
    )
)

install(CPU + CUDA, CANDIDATES)
