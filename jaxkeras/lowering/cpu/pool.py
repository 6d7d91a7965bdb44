"""Pooling for XLA:CPU by slices instead of `reduce_window`.

The derivative of a maximum keeps, for every window, the index of its first largest value in one byte; the backward pass
compares with that byte. Windows that do not overlap are reduced in one step over all dimensions, overlapping ones one
dimension at a time, starting with the last. Either way the first of equal values in row-major order wins, as in XLA.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxkeras.lowering import reference
from jaxkeras.lowering.cpu.fusion import end_fusion
from jaxkeras.lowering.cpu.interleave import interleave
from jaxkeras.lowering.custom_transpose import linear_call
from jaxkeras.lowering.geometry import PoolSpec

Array = jax.Array


class Along(NamedTuple):
    """A window along one axis."""

    axis: int
    window: int
    stride: int
    low: int
    high: int


Step = tuple[Along, ...]


def _steps(spec: PoolSpec) -> list[Step]:
    first = 2 if spec.channels_first else 1
    fields = enumerate(zip(spec.window, spec.strides, spec.pads))
    along = tuple(Along(first + i, w, s, *pads) for i, (w, s, pads) in fields)
    if side_by_side(spec) and math.prod(spec.window) <= 16:
        return [along]
    return [(one,) for one in reversed(along) if one[1:] != (1, 1, 0, 0)]


def side_by_side(spec: PoolSpec) -> bool:
    return spec.window == spec.strides


def _pad(x: Array, fill: np.ndarray, ends: dict[int, tuple[int, int, int]]) -> Array:
    return lax.pad(x, fill, [ends.get(axis, (0, 0, 0)) for axis in range(x.ndim)])


def _places(step: Step) -> list[tuple[int, ...]]:
    return list(itertools.product(*(range(a.window) for a in step)))


def _views(x: Array, fill: np.ndarray, step: Step) -> list[Array]:
    """For every position in the window, the values at that position, one per window."""
    x = _pad(x, fill, {a.axis: (a.low, a.high, 0) for a in step})
    views = []
    for place in _places(step):
        view = x
        for a, first in zip(step, place):
            count = (x.shape[a.axis] - a.window) // a.stride + 1
            view = lax.slice_in_dim(view, first, first + (count - 1) * a.stride + 1, a.stride, a.axis)
        views.append(view)
    return views


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _largest(x: Array, step: Step) -> Array:
    if all(a.window == a.stride and a.low == a.high == 0 for a in step):
        window = tuple({a.axis: a.window for a in step}.get(axis, 1) for axis in range(x.ndim))
        return lax.reduce_window(x, reference.lowest(x.dtype), lax.max, window, window, "VALID")
    return functools.reduce(jnp.maximum, _views(x, reference.lowest(x.dtype), step))


@_largest.defjvp
def _(step: Step, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    best, *others = _views(x, reference.lowest(x.dtype), step)
    code = np.min_scalar_type(len(others))
    winner = jnp.zeros(best.shape, code)
    for number, other in enumerate(others, start=1):
        winner = jnp.where(other > best, np.array(number, code), winner)
        best = jnp.maximum(best, other)
    spread = functools.partial(_spread, step, tuple(x.shape))
    return best, linear_call(functools.partial(_select, step), spread, winner, dx, best)


def _select(step: Step, winner: Array, x: Array) -> Array:
    first, *others = _views(x, np.zeros((), x.dtype), step)
    for number, view in enumerate(others, start=1):
        first = jnp.where(winner == np.array(number, winner.dtype), view, first)
    return first


def _spread(step: Step, shape: tuple[int, ...], winner: Array, g: Array) -> Array:
    zero = np.zeros((), g.dtype)
    parts = [jnp.where(winner == np.array(number, winner.dtype), g, zero) for number in range(len(_places(step)))]
    if all(a.window == a.stride for a in step):
        return _interleave(step, shape, parts)
    if len(step) == 1 and step[0].window > step[0].stride:
        return _interleave((step[0]._replace(window=step[0].stride),), shape, _phases(step[0], parts))

    def laid_out(place: tuple[int, ...], part: Array) -> Array:
        ends = {}
        for a, first in zip(step, place):
            extent = (g.shape[a.axis] - 1) * a.stride + 1
            ends[a.axis] = (first - a.low, shape[a.axis] - (first - a.low) - extent, a.stride - 1)
        return _pad(part, zero, ends)

    return functools.reduce(jnp.add, map(laid_out, _places(step), parts))


def _phases(a: Along, parts: list[Array]) -> list[Array]:
    """For each of `stride` neighbouring cells the sum of the parts that meet there.

    With the parts laid out by padding, `stride` - 1 zeros between, XLA would divide the index of every cell.
    """
    longest = -(-a.window // a.stride) - 1
    sums = []
    for phase in range(a.stride):
        moved = [
            _pad(part, np.zeros((), part.dtype), {a.axis: (behind, longest - behind, 0)})
            for behind, part in enumerate(parts[phase :: a.stride])
        ]
        sums.append(functools.reduce(jnp.add, moved))
    return sums


def _interleave(step: Step, shape: tuple[int, ...], parts: list[Array]) -> Array:
    """Interleave the positions of windows that do not overlap; nothing has to be added."""
    whole = interleave(parts, [a.axis for a in step], [a.window for a in step])
    ends = {a.axis: (-a.low, shape[a.axis] + a.low - whole.shape[a.axis], 0) for a in step}
    return _pad(whole, np.zeros((), whole.dtype), ends)


def max_pool(x: Array, spec: PoolSpec) -> Array:
    for step in _steps(spec):
        x = _largest(x, step)
    return x


def average_pool(x: Array, spec: PoolSpec) -> Array:
    counts = reference.window_counts(x.shape, spec).astype(x.dtype)
    for step in _steps(spec):
        x = functools.reduce(jnp.add, _views(x, np.zeros((), x.dtype), step))
    return x / counts


def global_average_pool(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    """The sum does not take what is before it into its fusion, such as whole dense layers."""
    return jnp.mean(end_fusion(x), axes, keepdims=keepdims)


def global_average_by_product(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    """Of few numbers, XLA makes the sum and what is before it one scalar loop; a product ends its fusions."""
    ones = jnp.ones([x.shape[axis] for axis in axes], x.dtype)
    mean = jnp.tensordot(ones, x, (tuple(range(len(axes))), axes)) / ones.size
    return jnp.expand_dims(mean, axes) if keepdims else mean
