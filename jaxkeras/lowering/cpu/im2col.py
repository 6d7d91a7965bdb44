"""Convolutions as matrix products over the taps of the window: shifted views, one tap at a time or concatenated.

*patches*: all taps concatenated, one matrix product. *strips*: the taps of the last axis concatenated and one product
for each of the others, which needs a third of the copies. *joined strips*: one product for all of them, whose results
are shifted instead of the copies. *taps*: one product for each tap.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxkeras.lowering.cpu.fusion import end_fusion
from jaxkeras.lowering.cpu.microbatch import mapped, rows_of_a_piece, summed
from jaxkeras.lowering.geometry import ConvSpec, back_to_input, effective, window_output

Array = jax.Array

# A depthwise convolution adds up so many taps one after another (each addition waits for the one before), and takes so
# many channels at a time that their part of the kernel has so many bytes.
TAPS, BLOCK = 10, 2**14


def patch_bytes(x: Array, window: Sequence[int], spec: ConvSpec) -> int:
    """Size of the patch buffer that this convolution would need."""
    cells = math.prod(output_sizes(x.shape[1:-1], window, spec)) * math.prod(window)
    return x.shape[0] * cells * x.shape[-1] * x.dtype.itemsize


def output_sizes(sizes: Sequence[int], window: Sequence[int], spec: ConvSpec) -> tuple[int, ...]:
    return window_output(sizes, window, spec.strides, spec.pads, spec.dilation, spec.input_dilation)


def padded(x: Array, spec: ConvSpec) -> Array:
    """x (batch, *spatial, channels) with the padding and input dilation applied."""
    inner = [(low, high, hole - 1) for (low, high), hole in zip(spec.pads, spec.input_dilation)]
    return lax.pad(x, np.zeros((), x.dtype), [(0, 0, 0), *inner, (0, 0, 0)])


def views(x: Array, window: Sequence[int], out: Sequence[int], spec: ConvSpec) -> Iterator[Array]:
    """For every tap, the cells of x that it multiplies: (batch, *out, channels). Taps in row-major order."""
    x = padded(x, spec)
    for tap in itertools.product(*map(range, window)):
        start = [t * d for t, d in zip(tap, spec.dilation)]
        stop = [first + effective(o, s) for first, o, s in zip(start, out, spec.strides)]
        yield lax.slice(x, (0, *start, 0), (x.shape[0], *stop, x.shape[-1]), (1, *spec.strides, 1))


def patches(x: Array, window: Sequence[int], spec: ConvSpec) -> Array:
    """All taps concatenated, (batch, *out, taps * channels), built one dimension at a time, the last first."""
    out = output_sizes(x.shape[1:-1], window, spec)
    x = padded(x, spec)
    for axis in reversed(range(spec.rank)):
        starts = [t * spec.dilation[axis] for t in range(window[axis])]
        extent, stride = effective(out[axis], spec.strides[axis]), spec.strides[axis]
        x = jnp.concatenate([lax.slice_in_dim(x, s, s + extent, stride, axis + 1) for s in starts], -1)
    return x


def flat(x: Array) -> Array:
    """Flatten all dimensions but the last into rows of a matrix."""
    return x.reshape(-1, x.shape[-1])


def patch_forward(x: Array, kernel: Array, spec: ConvSpec) -> Array:
    window, filters = kernel.shape[:-2], kernel.shape[-1]

    def piece(x: Array) -> Array:
        rows = patches(x, window, spec)
        return (flat(rows) @ kernel.reshape(-1, filters)).reshape(*rows.shape[:-1], filters)

    return mapped(piece, x, rows_of_a_piece(x.shape[0], patch_bytes(x, window, spec)))


def patch_kernel_gradient(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> Array:
    """The product transposes dy rather than the patches: XLA transposes a matrix of few columns slowly."""

    def piece(x: Array, dy: Array) -> Array:
        return flat(dy).T @ flat(patches(x, window, spec))

    gradient = summed(piece, x, dy, rows_of_a_piece(x.shape[0], patch_bytes(x, window, spec)))
    return gradient.T.reshape(*window, x.shape[-1], dy.shape[-1])


def cotangent_patch_bytes(x: Array, dy: Array, window: Sequence[int], spec: ConvSpec) -> int:
    """Size of the patches of dy that the input gradient reads."""
    return patch_bytes(dy, window, back_to_input(x.shape[1:-1], dy.shape[1:-1], window, spec))


def cotangent_patch_kernel_gradient(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> Array:
    """The patches are those of dy, by which `patch_input_gradient` multiplies the kernel: XLA makes them once."""
    back = back_to_input(x.shape[1:-1], dy.shape[1:-1], window, spec)

    def piece(dy: Array, x: Array) -> Array:
        return flat(x).T @ flat(patches(dy, window, back))

    gradient = summed(piece, dy, x, rows_of_a_piece(dy.shape[0], patch_bytes(dy, window, back)))
    by_tap = jnp.moveaxis(gradient.reshape(x.shape[-1], *window, dy.shape[-1]), 0, -2)
    return jnp.flip(by_tap, range(spec.rank))


def patch_input_gradient(dy: Array, kernel: Array, sizes: tuple[int, ...], spec: ConvSpec) -> Array:
    back = back_to_input(sizes, dy.shape[1:-1], kernel.shape[:-2], spec)
    return patch_forward(dy, jnp.swapaxes(jnp.flip(kernel, range(spec.rank)), -1, -2), back)


def strip_bytes(x: Array, window: Sequence[int], spec: ConvSpec) -> int:
    """Size of the strips of x and of one view of them."""
    out = output_sizes(x.shape[1:-1], window, spec)
    rows = [n + low + high for n, (low, high) in zip(x.shape[1:-2], spec.pads)]
    cells = (math.prod(rows) + math.prod(out[:-1])) * out[-1] * window[-1]
    return x.shape[0] * cells * x.shape[-1] * x.dtype.itemsize


def _side_by_side(x: Array, window: Sequence[int], spec: ConvSpec) -> Array:
    """The padded x with the taps of the last axis concatenated."""
    ones, none = (1,) * spec.rank, ((0, 0),) * spec.rank
    last = ConvSpec((*ones[1:], spec.strides[-1]), none, (*ones[1:], spec.dilation[-1]), ones, 1, False)
    return patches(padded(x, spec), (*ones[1:], window[-1]), last)


def _by_other_axes(strips: Array, window: Sequence[int], out: Sequence[int], spec: ConvSpec) -> Iterator[Array]:
    """For each tap of all axes but the last, the cells at that place."""
    ones, none = (1,) * spec.rank, ((0, 0),) * spec.rank
    others = ConvSpec((*spec.strides[:-1], 1), none, (*spec.dilation[:-1], 1), ones, 1, False)
    return views(strips, (*window[:-1], 1), out, others)


def _strips(x: Array, window: Sequence[int], spec: ConvSpec) -> Iterator[Array]:
    """For each tap of the other axes, the cells that it multiplies, with the taps of the last axis concatenated."""
    return _by_other_axes(_side_by_side(x, window, spec), window, output_sizes(x.shape[1:-1], window, spec), spec)


def strip_forward(x: Array, kernel: Array, spec: ConvSpec) -> Array:
    window, filters = kernel.shape[:-2], kernel.shape[-1]
    out = output_sizes(x.shape[1:-1], window, spec)
    kernels = kernel.reshape(-1, window[-1] * x.shape[-1], filters)

    def piece(x: Array) -> Array:
        terms = [flat(strip) @ k for strip, k in zip(_strips(x, window, spec), kernels)]
        return functools.reduce(jnp.add, terms).reshape(x.shape[0], *out, filters)

    return mapped(piece, x, rows_of_a_piece(x.shape[0], strip_bytes(x, window, spec)))


def joined_strip_forward(x: Array, kernel: Array, spec: ConvSpec) -> Array:
    """One product for all strips; its results are shifted and added, which XLA fuses with what follows."""
    window, (channels, filters) = kernel.shape[:-2], kernel.shape[-2:]
    out = output_sizes(x.shape[1:-1], window, spec)
    joined = jnp.moveaxis(kernel.reshape(-1, window[-1] * channels, filters), 0, 1)
    joined = joined.reshape(window[-1] * channels, -1)

    def piece(x: Array) -> Array:
        strips = _side_by_side(x, window, spec)
        products = (flat(strips) @ joined).reshape(*strips.shape[:-1], -1)
        shifted = enumerate(_by_other_axes(products, window, out, spec))
        terms = [lax.slice_in_dim(view, i * filters, (i + 1) * filters, 1, -1) for i, view in shifted]
        return functools.reduce(jnp.add, terms)

    return mapped(piece, x, rows_of_a_piece(x.shape[0], joined_strip_bytes(x, kernel, spec)))


def joined_strip_bytes(x: Array, kernel: Array, spec: ConvSpec) -> int:
    """Size of the strips of x and of their products."""
    window, (channels, filters) = kernel.shape[:-2], kernel.shape[-2:]
    rows = [n + low + high for n, (low, high) in zip(x.shape[1:-2], spec.pads)]
    cells = math.prod(rows) * output_sizes(x.shape[1:-1], window, spec)[-1]
    return x.shape[0] * cells * (channels * window[-1] + filters * math.prod(window[:-1])) * x.dtype.itemsize


def strip_kernel_gradient(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> Array:
    def piece(x: Array, dy: Array) -> Array:
        return jnp.stack([flat(strip).T @ flat(dy) for strip in _strips(x, window, spec)])

    gradient = summed(piece, x, dy, rows_of_a_piece(x.shape[0], strip_bytes(x, window, spec)))
    return gradient.reshape(*window, x.shape[-1], dy.shape[-1])


def tap_kernel_gradient(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> Array:
    """One matrix product for every tap; never more than one view in memory."""
    rows = [flat(view).T @ flat(dy) for view in views(x, window, dy.shape[1:-1], spec)]
    return jnp.stack(rows).reshape(*window, x.shape[-1], dy.shape[-1])


def tap_input_gradient(dy: Array, kernel: Array, sizes: tuple[int, ...], spec: ConvSpec) -> Array:
    """One matrix product for every tap, each padded to its position and added (strides 1, no dilation of the input)."""
    window, out = kernel.shape[:-2], dy.shape[1:-1]
    parts = []
    for tap in itertools.product(*map(range, window)):
        part = (flat(dy) @ kernel[tap].T).reshape(*dy.shape[:-1], kernel.shape[-2])
        place = []
        for t, d, s, n, o, (low, _) in zip(tap, spec.dilation, spec.strides, sizes, out, spec.pads):
            first = t * d - low
            place.append((first, n - first - effective(o, s), s - 1))
        parts.append(lax.pad(part, np.zeros((), part.dtype), [(0, 0, 0), *place, (0, 0, 0)]))
    return functools.reduce(jnp.add, parts)


def fused_forward(x: Array, kernel: Array, spec: ConvSpec) -> Array:
    """Shift, multiply by a row of filters, add: XLA fuses the whole sum, and what follows it, into one loop."""
    window = kernel.shape[:-2]
    rows = kernel.reshape(-1, *(1,) * (x.ndim - 1), kernel.shape[-1])
    columns = [
        lax.slice_in_dim(view, channel, channel + 1, 1, -1)
        for view in views(x, window, output_sizes(x.shape[1:-1], window, spec), spec)
        for channel in range(x.shape[-1])
    ]
    return functools.reduce(jnp.add, [column * row for column, row in zip(columns, rows)])


def pointwise_forward(x: Array, kernel: Array, spec: ConvSpec) -> Array:
    """A window of one cell: a matrix product, before input dilation or after striding."""

    def product(x: Array) -> Array:
        return (flat(x) @ flat(kernel)).reshape(*x.shape[:-1], kernel.shape[-1])

    def thin(x: Array) -> Array:
        return lax.slice(x, (0,) * x.ndim, x.shape, (1, *spec.strides, 1))

    if max(spec.input_dilation) > 1:
        return thin(padded(product(x), spec))
    return product(thin(padded(x, spec)))


def depthwise_forward(x: Array, kernel: Array, spec: ConvSpec) -> Array:
    """kernel: (*window, channels). Shift, multiply, add: XLA fuses the whole sum into one loop.

    The padded array is written to memory first. Fused into the sum, it would be computed anew for every tap, together
    with what comes before it. The channels are taken in blocks, so that the kernel stays in the first cache.
    """
    window, channels = kernel.shape[:-1], kernel.shape[-1]
    out = output_sizes(x.shape[1:-1], window, spec)
    x = lax.optimization_barrier(padded(x, spec))
    inside = spec._replace(pads=((0, 0),) * spec.rank, input_dilation=(1,) * spec.rank)

    def block(start: int, stop: int) -> Array:
        weights = lax.slice_in_dim(kernel, start, stop, 1, -1).reshape(-1, *(1,) * (x.ndim - 1), stop - start)
        shifted = views(lax.slice_in_dim(x, start, stop, 1, -1), window, out, inside)
        terms = [view * weight for weight, view in zip(weights, shifted)]
        count = -(-len(terms) // TAPS)  # independent sums, which the processor computes at the same time
        return end_fusion(functools.reduce(jnp.add, [functools.reduce(jnp.add, terms[i::count]) for i in range(count)]))

    blocks = -(-kernel.size * kernel.dtype.itemsize // BLOCK)
    width = -(-channels // (16 * blocks)) * 16
    starts = range(0, channels, width)
    return jnp.concatenate([block(start, min(start + width, channels)) for start in starts], -1)


def depthwise_kernel_gradient(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> Array:
    shifted = views(x, window, dy.shape[1:-1], spec)
    sums = [jnp.sum(view * dy, axis=tuple(range(x.ndim - 1))) for view in shifted]
    return jnp.stack(sums).reshape(*window, x.shape[-1])


def depthwise_kernel_gradient_by_row(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> Array:
    """One sum for each tap and position along the other axes, row by row of the first: all of it stays in the cache."""
    x = padded(x, spec)
    (rows, *rest), taken = dy.shape[1:-1], effective(window[0], spec.dilation[0])
    ones = (1,) * (spec.rank - 1)
    others = ConvSpec(spec.strides[1:], ((0, 0),) * len(ones), spec.dilation[1:], ones, 1, False)

    def add(totals: list[Array], place: Array) -> tuple[list[Array], None]:
        image, row = place // rows, place % rows
        above = lax.dynamic_slice_in_dim(x[image], row * spec.strides[0], taken)[:: spec.dilation[0]]
        slope = dy[image, row]
        return [t + view * slope for t, view in zip(totals, views(above, window[1:], rest, others))], None

    totals = [jnp.zeros((window[0], *rest, x.shape[-1]), dy.dtype)] * math.prod(window[1:])
    totals, _ = lax.scan(add, totals, jnp.arange(x.shape[0] * rows))
    sums = jnp.stack([jnp.sum(t, tuple(range(1, spec.rank))) for t in totals], 1)
    return sums.reshape(*window, x.shape[-1])
