"""The products of dense layers."""

from __future__ import annotations

import jax

from jaxkeras.lowering.dispatch import lower

Array = jax.Array


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
    return lower("dense", x, kernel)


def projection(equation: str, x: Array, kernel: Array) -> Array:
    """einsum(equation, x, kernel).

    Args:
        equation: As in `jnp.einsum`, of one input and a kernel.
        x: Any array.
        kernel: Any array.

    Returns:
        What `jnp.einsum` returns.
    """
    return lower("projection", equation, x, kernel)
