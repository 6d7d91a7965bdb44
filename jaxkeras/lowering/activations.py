"""Activations that have forms of their own."""

import jax
import jax.numpy as jnp

from jaxkeras.lowering import operations


def gelu(x: jax.Array, approximate: bool = True) -> jax.Array:
    """x Phi(x) with the normal distribution function Phi (Hendrycks and Gimpel, 2016), or its approximation by tanh.

    Args:
        x: A floating-point array.
        approximate: Compute 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) instead.

    Returns:
        An array like x.

    Example:

    >>> gelu(jnp.array([0.0, 1.0]), approximate=False).round(3)
    Array([0.   , 0.841], dtype=float32)
    """
    return jax.nn.gelu(x) if approximate else operations.gelu(jnp.asarray(x))
