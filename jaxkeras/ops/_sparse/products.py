"""Matrix products of sparse arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.sparse import BCOO, bcoo_dot_general, sparsify

from jaxkeras.core.sparse import is_sparse
from jaxkeras.ops._arrays import as_array
from jaxkeras.ops._sparse.axes import expand_dims
from jaxkeras.ops._sparse.layout import with_layout

_matmul = sparsify(jnp.matmul)


def batch_dot(x: Any, y: Any, axes: tuple[int, int]) -> Any:
    """The dot products along an axis of two arrays for each sample of a batch, of rank 2 at least.

    Args:
        x, y: arrays, at least one of them sparse.
        axes: the axis of each.
    """
    x, y = (with_layout(a, 1) if isinstance(a, BCOO) else a for a in (x, y))
    dimensions = ((axes[0],), (axes[1],)), ((0,), (0,))
    product = sparsify(lambda x, y: jax.lax.dot_general(x, y, dimensions))(x, y)
    return product if product.ndim > 1 else expand_dims(jnp.expand_dims, product, 1)


def matmul(function: Callable[..., Any], x1: Any, x2: Any) -> Any:
    """Sparse if both arrays are, else dense."""
    x1, x2 = (x if is_sparse(x) else as_array(x) for x in (x1, x2))
    spec = jax.eval_shape(function, *(jnp.zeros((1, 1), x.dtype) for x in (x1, x2)))
    x1, x2 = (x.astype(spec.dtype) for x in (x1, x2))
    if isinstance(x1, BCOO) and not is_sparse(x2) and x2.ndim == 2 and x1.n_dense == 0:
        return bcoo_dot_general(x1, x2, dimension_numbers=(((x1.ndim - 1,), (0,)), ((), ())))
    x1, x2 = (with_layout(x, max(x.ndim - 2, 0)) if isinstance(x, BCOO) else x for x in (x1, x2))
    return _matmul(x1, x2)
