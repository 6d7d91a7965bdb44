"""Recognizes JAX's sparse arrays without importing `jax.experimental.sparse`.

A value can be one of them only after the program has imported that module, so until then a test is one lookup.
"""

from __future__ import annotations

import sys
from typing import Any

_loaded = sys.modules
_MODULE = "jax.experimental.sparse._base"


def is_sparse(x: Any) -> bool:
    """Whether `x` is an array of `jax.experimental.sparse`, such as a `BCOO`.

    Example:

    >>> from jax.experimental.sparse import BCOO
    >>> is_sparse(BCOO.fromdense(jnp.eye(2))), is_sparse(jnp.eye(2))
    (True, False)
    """
    return _MODULE in _loaded and isinstance(x, _loaded[_MODULE].JAXSparse)


def any_sparse(args: tuple, kwargs: dict[str, Any]) -> bool:
    """Whether an argument, or an entry of a list or tuple among the arguments, is sparse."""
    if _MODULE not in _loaded:
        return False
    sparse = _loaded[_MODULE].JAXSparse
    for x in (*args, *kwargs.values()) if kwargs else args:
        kind = type(x)
        if kind is list or kind is tuple:
            if any(isinstance(item, sparse) for item in x):
                return True
        elif sparse in kind.__mro__:  # faster than `isinstance` for a class with a metaclass
            return True
    return False


def densify(x: Any) -> Any:
    """A sparse array as a dense one; anything else as it is."""
    if not is_sparse(x):
        return x
    # JAX adds up the elements, which it cannot do with booleans.
    return x.astype("int8").todense().astype("bool") if x.dtype == "bool" else x.todense()


def placeholder(x: Any) -> Any:
    """A `BCOO` with one element, of the shape and dtype of `x`, for abstract tracing."""
    import jax.numpy as jnp
    from jax.experimental.sparse import BCOO

    buffers = jnp.zeros(1, x.dtype), jnp.zeros((1, len(x.shape)), "int32")
    return BCOO(buffers, shape=x.shape, indices_sorted=True, unique_indices=True)
