"""The products of dense layers."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from jaxkeras.core.context import local
from jaxkeras.lowering import dispatch, operations
from jaxkeras.lowering.custom_transpose import linear_call

Array = jax.Array
Zero = jax.custom_derivatives.SymbolicZero


def dense(x: Array, kernel: Array) -> Array:
    """x @ kernel over the last axis of x.

    Args:
        x: (..., inputs).
        kernel: (inputs, units).

    Returns:
        (..., units).

    Raises:
        ValueError: if the inner sizes differ.
    """
    if x.ndim < 1 or kernel.ndim != 2 or x.shape[-1] != kernel.shape[0]:
        raise ValueError(
            f"dense takes x of (..., inputs) and a kernel of (inputs, units), got {x.shape} and {kernel.shape}."
        )
    return _sequence_product(1, x, kernel) if _has_own_gradient(x, kernel, 1) else jnp.matmul(x, kernel)


def projection(equation: str, x: Array, kernel: Array) -> Array:
    """einsum(equation, x, kernel).

    Args:
        equation: As in `jnp.einsum`, of one input and a kernel.
        x: Any array.
        kernel: Any array.

    Returns:
        The result of `jnp.einsum`.
    """
    count = product_axes(equation)
    if count is not None and _has_own_gradient(x, kernel, count):
        return _sequence_product(count, x, kernel)
    return jnp.einsum(equation, x, kernel)


def product_axes(equation: str) -> int | None:
    """How many axes of the input are summed over if `equation` is a matrix product without a transposition.

    It then sums over the last axes of the input with the first of the kernel: 2 for "abcd,cde->abe", None for
    "abc,dc->abd".
    """
    inputs, _, output = equation.replace(" ", "").partition("->")
    x, _, kernel = inputs.partition(",")
    if not (x + kernel + output).isalpha() or len(set(x)) < len(x) or len(set(kernel)) < len(kernel):
        return None
    for count in range(1, min(len(x), len(kernel)) + 1):
        kept, summed, made = x[: len(x) - count], x[len(x) - count :], kernel[count:]
        if kernel[:count] == summed and output == kept + made and not set(made) & set(x):
            return count
    return None


def _has_own_gradient(x: Array, kernel: Array, count: int) -> bool:
    fits = x.ndim - count > 1 and jnp.issubdtype(x.dtype, jnp.floating) and jnp.issubdtype(kernel.dtype, jnp.floating)
    return fits and not (local.split_rows or dispatch.wants_reference())


def _sequence_product(count: int, x: Array, kernel: Array) -> Array:
    dtype = jnp.result_type(x, kernel)
    return _product(count, x.astype(dtype), kernel.astype(dtype))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _product(count: int, x: Array, kernel: Array) -> Array:
    """A product whose forward pass is the same on every platform, visible to the policies of `jax.checkpoint`."""
    return jnp.tensordot(x, kernel, count)


@functools.partial(_product.defjvp, symbolic_zeros=True)
def _(count: int, primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, kernel), (dx, dk) = primals, tangents
    out = jnp.tensordot(x, kernel, count)
    terms = [] if isinstance(dx, Zero) else [jnp.tensordot(dx, kernel, count)]
    if not isinstance(dk, Zero):

        def product(x: Array, dk: Array) -> Array:
            return jnp.tensordot(x, dk, count)

        def gradient(x: Array, dy: Array) -> Array:
            return operations.dense_kernel_gradient(x, dy, count)

        terms.append(linear_call(product, gradient, x, dk, out))
    return out, sum(terms[1:], terms[0]) if terms else jnp.zeros_like(out)
