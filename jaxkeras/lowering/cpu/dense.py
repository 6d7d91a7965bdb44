"""Kernel gradients of dense layers on sequences.

XLA:CPU multiplies (batch, time, features) by a matrix well, but for the gradient of the matrix it transposes the whole
sequence first, which takes longer than the product. On two axes it does not.
"""

from __future__ import annotations

import math

import jax

Array = jax.Array


def kernel_gradient(x: Array, dy: Array, count: int) -> Array:
    """`reference.dense_kernel_gradient` as a product of matrices."""
    kept, summed, made = x.shape[: x.ndim - count], x.shape[x.ndim - count :], dy.shape[x.ndim - count :]
    rows = math.prod(kept)
    product = x.reshape(rows, math.prod(summed)).T @ dy.reshape(rows, math.prod(made))
    return product.reshape(*summed, *made)
