"""Convolutions for XLA:CPU whose derivatives are convolutions in the order of dimensions that XLA:CPU runs fast.

XLA's CPU backend hands a convolution to Eigen when it is NHWC by HWIO. The derivatives that `jax.lax` writes have batch
and channels swapped. Outside a loop the layout pass transposes them, but inside a `while` it does not, and they run in
a naive loop, 25 to 100 times slower. So each derivative is written here as explicit transposes around an NHWC by HWIO
convolution.

With y[t] = sum_j x'[s t + d j - low] k[j], x' being x with input_dilation - 1 zeros between its cells:

- the input gradient is a convolution of y's cotangent with the flipped kernel, channels swapped: strides and input
  dilation swap roles;
- the kernel gradient is a convolution of x, channels as batch, with the cotangent as kernel, batch as channels: strides
  and dilation swap roles.

Both are again convolutions of this family, so one rule gives derivatives of every order, forward and reverse.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxkeras.lowering import reference
from jaxkeras.lowering.cpu import im2col
from jaxkeras.lowering.custom_transpose import linear_call
from jaxkeras.lowering.dispatch import Operation
from jaxkeras.lowering.geometry import ConvSpec, back_to_input, effective

Array = jax.Array
Zero = jax.custom_derivatives.SymbolicZero


def conv(x: Array, kernel: Array, spec: ConvSpec) -> Array:
    """Any convolution as ungrouped or depthwise ones, channels last, over at least two spatial dimensions."""
    if spec.channels_first:
        y = conv(jnp.moveaxis(x, 1, -1), kernel, spec._replace(channels_first=False))
        return jnp.moveaxis(y, -1, 1)
    if spec.rank == 1:
        wide = ConvSpec(
            strides=(1, *spec.strides), pads=((0, 0), *spec.pads), dilation=(1, *spec.dilation),
            input_dilation=(1, *spec.input_dilation), groups=spec.groups, channels_first=False,
        )  # fmt: skip
        return jnp.squeeze(conv(jnp.expand_dims(x, 1), jnp.expand_dims(kernel, 0), wide), 1)
    groups, single = spec.groups, spec._replace(groups=1)
    if groups == 1:
        return ungrouped(x, kernel, single)
    if groups == x.shape[-1]:
        multiplier = kernel.shape[-1] // groups
        x = x if multiplier == 1 else jnp.repeat(x, multiplier, axis=-1)
        return depthwise(x, jnp.squeeze(kernel, -2), single)
    parts = zip(jnp.split(x, groups, -1), jnp.split(kernel, groups, -1))
    return jnp.concatenate([ungrouped(x, kernel, single) for x, kernel in parts], -1)


def _bilinear(forward: Operation, input_gradient: Operation, kernel_gradient: Operation, window_of: slice) -> Callable:
    """A convolution with this forward operation and these two transposes."""

    @functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
    def run(x: Array, kernel: Array, spec: ConvSpec) -> Array:
        return forward.on("cpu", x, kernel, spec)

    def to_input(sizes: tuple[int, ...], spec: ConvSpec, kernel: Array, dy: Array) -> Array:
        return input_gradient.on("cpu", dy, kernel, sizes, spec)

    def to_kernel(window: tuple[int, ...], spec: ConvSpec, x: Array, dy: Array) -> Array:
        return kernel_gradient.on("cpu", x, dy, window, spec)

    @functools.partial(run.defjvp, symbolic_zeros=True)
    def _(spec: ConvSpec, primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
        (x, kernel), (dx, dk) = primals, tangents
        out = run(x, kernel, spec)
        terms = []
        if not isinstance(dx, Zero):
            back = functools.partial(to_input, x.shape[1:-1], spec)
            terms.append(linear_call(lambda kernel, dx: run(dx, kernel, spec), back, kernel, dx, out))
        if not isinstance(dk, Zero):
            back = functools.partial(to_kernel, kernel.shape[window_of], spec)
            terms.append(linear_call(lambda x, dk: run(x, dk, spec), back, x, dk, out))
        return out, sum(terms[1:], terms[0]) if terms else jnp.zeros_like(out)

    return run


@Operation
def input_gradient(dy: Array, kernel: Array, sizes: tuple[int, ...], spec: ConvSpec) -> Array:
    """Cotangent of the input, (batch, *sizes, channels)."""
    back = back_to_input(sizes, dy.shape[1:-1], kernel.shape[:-2], spec)
    return ungrouped(dy, jnp.swapaxes(jnp.flip(kernel, range(spec.rank)), -1, -2), back)


@Operation
def kernel_gradient(x: Array, dy: Array, window: tuple[int, ...], spec: ConvSpec) -> Array:
    """Cotangent of the kernel, (*window, channels, filters)."""
    pads = tuple(
        (low, (w - 1) * d + effective(o, s) - effective(n, a) - low)
        for n, o, w, s, d, a, (low, _) in zip(
            x.shape[1:-1], dy.shape[1:-1], window, spec.strides, spec.dilation, spec.input_dilation, spec.pads
        )
    )
    back = ConvSpec(spec.dilation, pads, spec.strides, spec.input_dilation, 1, False)
    gradient = ungrouped(jnp.swapaxes(x, 0, -1), jnp.moveaxis(dy, 0, -2), back)
    return jnp.moveaxis(gradient, 0, -2)


@Operation
def depthwise_input_gradient(dy: Array, kernel: Array, sizes: tuple[int, ...], spec: ConvSpec) -> Array:
    back = back_to_input(sizes, dy.shape[1:-1], kernel.shape[:-1], spec)
    return depthwise(dy, jnp.flip(kernel, range(spec.rank)), back)


forward = Operation(reference.conv)
depthwise_forward = Operation(im2col.depthwise_forward)
depthwise_kernel_gradient = Operation(im2col.depthwise_kernel_gradient)
ungrouped = _bilinear(forward, input_gradient, kernel_gradient, slice(0, -2))
depthwise = _bilinear(depthwise_forward, depthwise_input_gradient, depthwise_kernel_gradient, slice(0, -1))
