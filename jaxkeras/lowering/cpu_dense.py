"""Dense layers on sequences as products of matrices.

XLA:CPU multiplies (batch, time, features) by a matrix well, but for the gradient of the matrix it turns the whole
sequence on its side first, which takes longer than the product. On two axes it does not.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

Array = jax.Array


def dense(x: Array, kernel: Array) -> Array:
    """x @ kernel for x of any rank."""
    rows = math.prod(x.shape[:-1])
    return jnp.matmul(x.reshape(rows, x.shape[-1]), kernel).reshape(*x.shape[:-1], kernel.shape[-1])


def product_axes(equation: str) -> int | None:
    """How many axes of the input are summed over if `equation` is a matrix product without a transposition.

    That is, the last axes of the input with the first of the kernel: 2 for "abcd,cde->abe", None for "abc,dc->abd".
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


def projection(equation: str, x: Array, kernel: Array) -> Array:
    """An einsum for which `product_axes` holds."""
    count = product_axes(equation)
    assert count is not None
    summed = math.prod(kernel.shape[:count])
    kept, made = x.shape[: x.ndim - count], kernel.shape[count:]
    y = jnp.matmul(x.reshape(math.prod(kept), summed), kernel.reshape(summed, math.prod(made)))
    return y.reshape(*kept, *made)
