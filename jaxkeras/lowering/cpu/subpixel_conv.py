"""Convolutions of a dilated input (transposed convolutions, input gradients of strided ones) without its zeros.

With input dilation a, the outputs t = p, p + a, p + 2a, ... use the same taps of the kernel, one out of a. So they are
an ordinary convolution with these taps, and every output belongs to one of a such phases along each axis.
"""

from __future__ import annotations

import itertools
import math

import jax
import jax.numpy as jnp

from jaxkeras.lowering.cpu import conv
from jaxkeras.lowering.cpu.im2col import output_sizes
from jaxkeras.lowering.geometry import ConvSpec, effective

Array = jax.Array


def forward(x: Array, kernel: Array, spec: ConvSpec) -> Array:
    """Compute each phase and interleave them (strides 1)."""
    spread, rank = spec.input_dilation, spec.rank
    out = output_sizes(x.shape[1:-1], kernel.shape[:-2], spec)
    counts = [-(-o // a) for o, a in zip(out, spread)]
    parts = [_phase(x, kernel, spec, phase, counts) for phase in itertools.product(*map(range, spread))]
    together = jnp.stack(parts).reshape(*spread, x.shape[0], *counts, kernel.shape[-1])
    order = [rank, *(axis for i in range(rank) for axis in (rank + 1 + i, i)), 2 * rank + 1]
    y = jnp.transpose(together, order).reshape(x.shape[0], *(c * a for c, a in zip(counts, spread)), -1)
    return jax.lax.slice(y, (0,) * y.ndim, (x.shape[0], *out, kernel.shape[-1]))


def _phase(x: Array, kernel: Array, spec: ConvSpec, phase: tuple[int, ...], counts: list[int]) -> Array:
    taps, pads, dilation = [], [], []
    for p, count, n, w, a, d, (low, _) in zip(
        phase, counts, x.shape[1:-1], kernel.shape[:-2], spec.input_dilation, spec.dilation, spec.pads
    ):
        step = a // math.gcd(a, d)
        first = next((j for j in range(min(step, w)) if (p + d * j - low) % a == 0), None)
        if first is None:  # no tap reaches these outputs
            return jnp.zeros((x.shape[0], *counts, kernel.shape[-1]), jnp.result_type(x, kernel))
        taps.append(slice(first, None, step))
        width, hole = len(range(first, w, step)), d * step // a
        before = (low - p - d * first) // a
        dilation.append(hole)
        pads.append((before, count - 1 + effective(width, hole) - n - before))
    ones = (1,) * spec.rank
    return conv.forward.on("cpu", x, kernel[tuple(taps)], ConvSpec(ones, tuple(pads), tuple(dilation), ones, 1, False))


def kernel_gradient(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> Array:
    """With input and cotangent swapped, the gradient of a strided convolution (strides 1)."""
    pads = []
    for n, o, w, a, d, (low, _) in zip(
        x.shape[1:-1], dy.shape[1:-1], window, spec.input_dilation, spec.dilation, spec.pads
    ):
        before = effective(w, d) - 1 - low
        pads.append((before, effective(n, a) + effective(w, d) - 1 - o - before))
    back = ConvSpec(spec.input_dilation, tuple(pads), spec.dilation, spec.strides, 1, False)
    gradient = conv.kernel_gradient.on("cpu", dy, x, window, back)
    return jnp.swapaxes(jnp.flip(gradient, range(spec.rank)), -1, -2)
