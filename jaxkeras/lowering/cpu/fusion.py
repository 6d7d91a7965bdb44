"""Where a fusion of XLA:CPU ends.

XLA grows a call of YNNPACK from every product and sum over axes to the element-wise operations around it, up to those
that YNNPACK does not have, such as slices, whose results are then written to memory one by one. An optimization barrier
does not end it: barriers are gone by then.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array


def end_fusion(x: Array) -> Array:
    """x, as an operation that YNNPACK does not have and XLA's own loops do for nothing."""
    kind = jnp.finfo(x.dtype)
    return lax.reduce_precision(x, kind.nexp, kind.nmant)
