"""Elementwise ops: which results are sparse, and at which indices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.experimental.sparse import BCOO, bcoo_extract, bcoo_fromdense, bcoo_multiply_dense

from jaxkeras.core.sparse import densify
from jaxkeras.ops._arrays import as_array
from jaxkeras.ops._sparse.layout import broadcast, unique, with_data, with_indices_of, within_shape

Function = Callable[..., Any]


# -- one array -------------------------------------------------------------------------------------------------------
def linear(function: Function, x: Any = None, *args: Any, **kwargs: Any) -> Any:
    """`f(0) == 0` and `f(a + b) == f(a) + f(b)`: computed on the values, which may repeat indices."""
    x, kwargs = _first(x, kwargs)
    return with_data(x, function(x.data, *args, **kwargs)) if isinstance(x, BCOO) else function(x, *args, **kwargs)


def zero_preserving(function: Function, x: Any = None, *args: Any, **kwargs: Any) -> Any:
    """`f(0) == 0`: computed on the values, with one for each index."""
    x, kwargs = _first(x, kwargs)
    return linear(function, unique(x) if isinstance(x, BCOO) else x, *args, **kwargs)


def densified(function: Function, x: Any, *args: Any, **kwargs: Any) -> jax.Array:
    """`f(0) != 0`: the result is dense."""
    return function(densify(x), *args, **kwargs)


def _first(x: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The first argument, whatever its name."""
    if x is not None:
        return x, kwargs
    (key, x), *others = kwargs.items()
    return x, dict(others)


# -- two arrays ------------------------------------------------------------------------------------------------------
def union(function: Function, x1: Any, x2: Any) -> Any:
    """`f(0, 0) == 0`: sparse if both arrays are, with the indices of both."""
    if not (isinstance(x1, BCOO) and isinstance(x2, BCOO)):
        return function(densify(x1), densify(x2))
    x1, x2 = _aligned(x1, x2)
    return with_data(x1, function(x1.data, x2.data))


def sum_like(function: Function, x1: Any, x2: Any) -> Any:
    """`f(a, b) == f(a, 0) + f(0, b)`: as `union`, but an index may be there twice, which needs no sorting."""
    if not (isinstance(x1, BCOO) and isinstance(x2, BCOO)):
        return function(densify(x1), densify(x2))
    if x1.indices is x2.indices:
        return with_data(x1, function(x1.data, x2.data))
    x1, x2 = broadcast(x1, x2)
    data = [function(x1.data, jnp.zeros((), x2.dtype)), function(jnp.zeros((), x1.dtype), x2.data)]
    axis = x1.n_batch
    return BCOO(
        (jnp.concatenate(data, axis), jnp.concatenate([x1.indices, x2.indices], axis)), shape=x1.shape
    )  # fmt: skip


def product(function: Function, x1: Any, x2: Any) -> Any:
    """`f(0, b) == 0 == f(a, 0)`: sparse if one of the arrays is, with its indices."""
    if isinstance(x1, BCOO) and isinstance(x2, BCOO):
        return union(function, x1, x2)
    if isinstance(x1, BCOO):
        return _product(function, x1, x2)
    if isinstance(x2, BCOO):
        return _product(function, x2, x1)
    return function(x1, x2)


def quotient(function: Function, x1: Any, x2: Any) -> Any:
    """Sparse if only the dividend is. Where a dense divisor is 0 or NaN, the quotient has an index too.

    Traced divisors are not searched for them: a size that depends on values cannot be traced.
    """
    if not isinstance(x1, BCOO) or isinstance(x2, BCOO):
        return function(densify(x1), densify(x2))
    x2 = as_array(x2)
    if x2.ndim == 0:
        return with_data(x1, function(x1.data, x2))
    x2 = jnp.broadcast_to(x2, x1.shape)
    if not isinstance(x2, Tracer):
        undefined = bcoo_fromdense(
            (x2 == 0) | jnp.isnan(x2), n_batch=x1.n_batch, n_dense=x1.n_dense, index_dtype=x1.indices.dtype
        )
        x1 = with_indices_of(x1, undefined)
    divisor = bcoo_extract(x1, x2, assume_unique=True).data
    padding = ~within_shape(x1)
    padding = padding.reshape(padding.shape + (1,) * x1.n_dense)
    return with_data(x1, jnp.where(padding, 0, function(x1.data, jnp.where(padding, 1, divisor))))


def _aligned(x1: BCOO, x2: BCOO) -> tuple[BCOO, BCOO]:
    """Two arrays with the same indices, each of them once."""
    if x1.indices is x2.indices:
        return unique(x1), unique(x2)
    x1, x2 = broadcast(x1, x2)
    return with_indices_of(x1, x2), with_indices_of(x2, x1)


def _product(function: Function, x: BCOO, y: Any) -> BCOO:
    dtype = jax.eval_shape(lambda: function(jnp.zeros((), x.dtype), as_array(y) if hasattr(y, "shape") else y)).dtype
    y = as_array(y, dtype)
    return with_data(x, bcoo_multiply_dense(with_data(x, x.data.astype(dtype)), y))
