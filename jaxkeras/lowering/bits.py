"""Random bits for dropout."""

from __future__ import annotations

from collections.abc import Sequence

import jax

from jaxkeras.lowering.dispatch import lower

Array = jax.Array


def dropout_mask(key: Array, shape: Sequence[int], rate: float) -> Array:
    """True where a value is kept.

    Args:
        key: A JAX PRNG key, new or old style. One key is one mask: fold in a counter for every step.
        shape: Shape of the mask.
        rate: Share to drop, in [0, 1).

    Returns:
        A boolean array, each place True with probability 1 - rate.

    Raises:
        ValueError: if `rate` is outside [0, 1).
    """
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"`rate` is the share of values to drop and must lie in [0, 1), got {rate}.")
    return lower("dropout_mask", key, tuple(shape), rate)
