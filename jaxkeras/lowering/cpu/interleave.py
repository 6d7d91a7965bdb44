"""Arrays whose cells alternate."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp


def interleave(parts: Sequence[jax.Array], axes: Sequence[int], counts: Sequence[int]) -> jax.Array:
    """One array of parts that take turns, `counts` of them along each of `axes` (ascending), in row-major order."""
    for axis, count in zip(reversed(axes), reversed(counts)):
        groups = [parts[i : i + count] for i in range(0, len(parts), count)]
        stacked = [jnp.stack(group, axis + 1) for group in groups]
        parts = [p.reshape(*p.shape[:axis], -1, *p.shape[axis + 2 :]) for p in stacked]
    (whole,) = parts
    return whole
