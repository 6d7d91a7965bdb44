"""Reductions that have forms of their own."""

import jax

from jaxkeras.lowering import operations


def argmax(x: jax.Array) -> jax.Array:
    """The index of the first largest value along the last axis, or of the first NaN.

    Args:
        x: An array with at least one axis.

    Returns:
        Integers, one axis less than x. They have no gradient.

    Example:

    >>> import jax.numpy as jnp
    >>> argmax(jnp.array([[1.0, 5.0, 5.0], [3.0, 2.0, 1.0]]))
    Array([1, 0], dtype=int32)
    """
    return operations.argmax(jax.lax.stop_gradient(x))
