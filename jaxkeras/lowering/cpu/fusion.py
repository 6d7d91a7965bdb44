"""Where a fusion of XLA:CPU ends.

XLA grows a call of YNNPACK from every sum over axes and every product to the element-wise operations around it, up to
those that YNNPACK does not have, such as slices, whose results are then written to memory one by one. Of its own loops
it computes an operation of one array anew in each that reads it, with all that was fused into that operation. An
optimization barrier prevents neither: barriers are gone by then.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array


@jax.custom_jvp
def end_fusion(x: Array) -> Array:
    """x, computed once by a loop of XLA's own.

    YNNPACK has neither of these operations, and one with several arrays is not computed twice.
    """
    kind = jnp.finfo(x.dtype)
    return jnp.where(x == x, x, lax.reduce_precision(x, kind.nexp, kind.nmant))  # which is x


@end_fusion.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    return end_fusion(*primals), tangents[0]
