"""Convolutions of stride 1 with fewer multiplications (Winograd, 1980; Lavin and Gray, 2016), along the last axis.

m outputs of a filter with r taps need m + r - 1 products instead of m r:

    y = A^T [(G k) * (B^T x)]

for a tile x of m + r - 1 inputs. Channels and the taps of the other axes turn each product into a matrix product. With
m = 4 and r = 3 that is half the arithmetic; rounding errors grow about threefold, which is why only float32 and float64
come here. The kernel gradient is the transpose of the same formula: G^T [(B^T x)^T (A dy)].
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxkeras.lowering.cpu.im2col import flat, output_sizes, patches
from jaxkeras.lowering.cpu.microbatch import mapped, rows_of_a_piece, summed
from jaxkeras.lowering.geometry import ConvSpec

Array = jax.Array

OUTPUTS = 4
POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)


@functools.cache
def matrices(outputs: int, taps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """B^T, G and A^T by the method of Toom and Cook: polynomials given by their values at POINTS and at infinity."""
    points = POINTS[: outputs + taps - 2]
    assert len(points) == outputs + taps - 2, "each further tap needs another point"
    size = len(points) + 1
    bt, g, at = np.zeros((size, size)), np.zeros((size, taps)), np.zeros((outputs, size))
    for row, p in enumerate(points):
        others = [q for q in points if q != p]
        bt[row, :-1] = np.poly(others)[::-1]
        g[row] = [p**i / np.prod([p - q for q in others]) for i in range(taps)]
        at[:, row] = [p**i for i in range(outputs)]
    bt[-1], g[-1, -1], at[-1, -1] = np.poly(points)[::-1], 1, 1
    return bt, g, at


def _combine(matrix: np.ndarray, parts: Sequence[Array]) -> list[Array]:
    """The product of a matrix of constants and a column of arrays; zeros and ones cost nothing."""
    rows = []
    for row in matrix:
        pairs = [(c, part) for c, part in zip(row, parts) if c]
        terms = [part if c == 1 else -part if c == -1 else c.astype(part.dtype) * part for c, part in pairs]
        rows.append(functools.reduce(jnp.add, terms))
    return rows


def _tiles(x: Array, count: int, size: int, axis: int) -> list[Array]:
    """For each of the `size` cells of a tile, its values in all tiles: every OUTPUTS-th cell along the axis."""
    return [lax.slice_in_dim(x, j, j + (count - 1) * OUTPUTS + 1, OUTPUTS, axis) for j in range(size)]


def tile_bytes(x: Array, window: Sequence[int], spec: ConvSpec) -> int:
    """Size of the transformed tiles of x."""
    out = output_sizes(x.shape[1:-1], window, spec)
    cells = int(np.prod([*out[:-1], -(-out[-1] // OUTPUTS), *window[:-1]])) * (OUTPUTS + window[-1] - 1)
    return x.shape[0] * cells * x.shape[-1] * x.dtype.itemsize


def _transformed(x: Array, window: Sequence[int], count: int, spec: ConvSpec) -> list[Array]:
    """B^T x: the taps of the other axes concatenated, tiles along the last one."""
    taps, width = window[-1], x.shape[-2]
    low = spec.pads[-1][0]
    high = count * OUTPUTS + taps - 1 - width - low
    side = spec._replace(pads=(*spec.pads[:-1], (low, high)))
    cells = _tiles(patches(x, (*window[:-1], 1), side), count, OUTPUTS + taps - 1, spec.rank)
    return _combine(matrices(OUTPUTS, taps)[0], cells)


def forward(x: Array, kernel: Array, spec: ConvSpec) -> Array:
    """Stride and dilation 1 along the last axis, no input dilation; anything along the others."""
    window, filters, axis = kernel.shape[:-2], kernel.shape[-1], spec.rank
    out = output_sizes(x.shape[1:-1], window, spec)[-1]
    count = -(-out // OUTPUTS)
    _, g, at = matrices(OUTPUTS, window[-1])
    kernels = _combine(g, [flat(lax.index_in_dim(kernel, t, axis - 1, False)) for t in range(window[-1])])

    def piece(x: Array) -> Array:
        tiles = _transformed(x, window, count, spec)
        products = [(flat(tile) @ k).reshape(*tile.shape[:-1], filters) for tile, k in zip(tiles, kernels)]
        y = _interleaved(at, products, axis + 1)
        return lax.slice_in_dim(y.reshape(*y.shape[:axis], -1, filters), 0, out, 1, axis)

    return mapped(piece, x, rows_of_a_piece(x.shape[0], tile_bytes(x, window, spec)))


def _interleaved(matrix: np.ndarray, parts: Sequence[Array], axis: int) -> Array:
    """As `_combine`, with the rows along a new axis: one loop instead of one per row and a copy."""
    shape = [1] * (parts[0].ndim + 1)
    shape[axis] = len(matrix)
    columns = [jnp.asarray(column.reshape(shape), parts[0].dtype) for column in matrix.T]
    return functools.reduce(jnp.add, [c * jnp.expand_dims(part, axis) for c, part in zip(columns, parts)])


def kernel_gradient(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> Array:
    out, axis = dy.shape[-2], spec.rank
    count = -(-out // OUTPUTS)
    _, g, at = matrices(OUTPUTS, window[-1])
    ends = [(0, 0, 0)] * dy.ndim
    ends[axis] = (0, count * OUTPUTS - out, 0)

    def piece(x: Array, dy: Array) -> Array:
        tiles = _transformed(x, window, count, spec)
        dy = lax.pad(dy, np.zeros((), dy.dtype), ends)
        slopes = _combine(at.T, _tiles(dy, count, OUTPUTS, axis))
        return jnp.stack([flat(tile).T @ flat(slope) for tile, slope in zip(tiles, slopes)])

    products = summed(piece, x, dy, rows_of_a_piece(x.shape[0], tile_bytes(x, window, spec)))
    by_tap = jnp.stack(_combine(g.T, list(products)))
    return jnp.moveaxis(by_tap.reshape(window[-1], *window[:-1], x.shape[-1], dy.shape[-1]), 0, axis - 1)
