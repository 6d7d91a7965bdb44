"""Convolutions as one matrix product for all taps, whose results are shifted and added.

The product reads the input itself, not copies of it, but writes a result for every tap. That pays where results are
few: few filters, or an input that is spread out (transposed convolutions, input gradients of strided ones), of whose
taps each output has only one out of the input dilation.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxkeras.lowering.cpu.im2col import flat, output_sizes, padded
from jaxkeras.lowering.cpu.interleave import interleave
from jaxkeras.lowering.cpu.microbatch import mapped, rows_of_a_piece
from jaxkeras.lowering.geometry import ConvSpec, effective

Array = jax.Array


def product_bytes(x: Array, kernel: Array, spec: ConvSpec) -> int:
    """Size of the products of all taps."""
    cells = math.prod(n + low + high for n, (low, high) in zip(x.shape[1:-1], spec.pads))
    if max(spec.input_dilation) > 1:
        cells = math.prod(x.shape[1:-1])
    return x.shape[0] * cells * math.prod(kernel.shape[:-2]) * kernel.shape[-1] * x.dtype.itemsize


def plane_forward(x: Array, kernel: Array, spec: ConvSpec) -> Array:
    """The products of a tap and filter as a plane of their own, since few filters are no axis for a loop (no input
    dilation)."""
    window, (channels, filters) = kernel.shape[:-2], kernel.shape[-2:]
    out = output_sizes(x.shape[1:-1], window, spec)
    rows = jnp.swapaxes(kernel, -1, -2).reshape(-1, channels)

    def piece(x: Array) -> Array:
        x = padded(x, spec)
        planes = (rows @ flat(x).T).reshape(-1, filters, *x.shape[:-1])
        views = []
        for plane, tap in enumerate(itertools.product(*map(range, window))):
            start = [t * d for t, d in zip(tap, spec.dilation)]
            stop = [first + effective(o, s) for first, o, s in zip(start, out, spec.strides)]
            cells = lax.slice(planes[plane], (0, 0, *start), (filters, x.shape[0], *stop), (1, 1, *spec.strides))
            views.append(cells)
        return jnp.moveaxis(functools.reduce(jnp.add, views), 0, -1)

    return mapped(piece, x, rows_of_a_piece(x.shape[0], product_bytes(x, kernel, spec)))


def spread_forward(x: Array, kernel: Array, spec: ConvSpec) -> Array:
    """Input dilation a, strides 1: the outputs t = p, p + a, p + 2a, ... use the same taps. The products of these are
    added, and the sums interleaved."""
    window, (channels, filters), spread = kernel.shape[:-2], kernel.shape[-2:], spec.input_dilation
    sizes = x.shape[1:-1]
    out = output_sizes(sizes, window, spec)
    counts = [-(-o // a) for o, a in zip(out, spread)]
    dtype = jnp.result_type(x, kernel)
    wide = jnp.promote_types(dtype, jnp.float32)  # of the products: 16-bit numbers are rounded once, after the sum
    columns = jnp.moveaxis(kernel, -2, 0).reshape(channels, -1)

    def place(tap: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """For each axis, the phase p of the outputs of a tap, and how far behind its input the first of them is."""
        firsts = (low - t * d for t, d, (low, _) in zip(tap, spec.dilation, spec.pads))
        return tuple(zip(*((first % a, first // a) for first, a in zip(firsts, spread))))

    def piece(x: Array) -> Array:
        products = jnp.matmul(flat(x), columns, preferred_element_type=wide).reshape(*x.shape[:-1], -1)
        sums: dict[tuple[int, ...], Array] = {}
        for i, tap in enumerate(itertools.product(*map(range, window))):
            phase, behind = place(tap)
            part = lax.slice_in_dim(products, i * filters, (i + 1) * filters, 1, -1)
            ends = [(q, count - q - n, 0) for q, count, n in zip(behind, counts, sizes)]
            part = lax.pad(part, np.zeros((), part.dtype), [(0, 0, 0), *ends, (0, 0, 0)])
            sums[phase] = sums[phase] + part if phase in sums else part
        zeros = jnp.zeros((x.shape[0], *counts, filters), products.dtype)
        parts = [sums.get(phase, zeros) for phase in itertools.product(*map(range, spread))]
        y = interleave(parts, range(1, 1 + spec.rank), spread)
        return lax.slice(y, (0,) * y.ndim, (x.shape[0], *out, filters)).astype(dtype)

    return mapped(piece, x, rows_of_a_piece(x.shape[0], product_bytes(x, kernel, spec)))
