"""What ops accept for an array, and its conversion to what `jax.numpy` takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.core.variable import Variable

# Python scalars (`complex` includes int, float and bool), arrays, variables, KerasTensors and nested lists of these.
TensorLike: TypeAlias = "complex | jax.Array | np.ndarray | np.generic | Variable | KerasTensor | Sequence[TensorLike]"
DTypeLike: TypeAlias = "str | np.dtype[Any] | type | None"
Axes: TypeAlias = int | Sequence[int] | None
Shape: TypeAlias = int | Sequence[int]


def as_operand(x: Any) -> Any:
    """An array-like as what `jax.numpy` takes: a sequence becomes an array, a variable its value."""
    if isinstance(x, Variable):
        return x.value
    if not isinstance(x, (list, tuple)):
        return x
    if any(hasattr(leaf, "__jax_array__") or isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(x)):
        return jnp.asarray(jax.tree.map(as_operand, x, is_leaf=lambda leaf: isinstance(leaf, Variable)))
    array = np.asarray(x)
    return array.astype(jax.dtypes.canonicalize_dtype(array.dtype))


def as_array(x: Any, dtype: Any = None) -> jax.Array:
    """An array-like as a JAX array. NumPy arrays get their dtype stated, so that `jnp.asarray` need not compile."""
    x = as_operand(x)
    if dtype is None and isinstance(x, (np.ndarray, np.generic)):
        dtype = jax.dtypes.canonicalize_dtype(x.dtype)
    return jnp.asarray(x, dtype)


def as_complex(pair: Any) -> jax.Array:
    """A pair of arrays, real and imaginary parts, as one complex array."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ValueError(f"Expected a pair (real, imaginary) of arrays, got {pair!r}.")
    real, imaginary = as_array(pair[0]), as_array(pair[1])
    if real.shape != imaginary.shape or not all(jnp.issubdtype(p.dtype, jnp.floating) for p in (real, imaginary)):
        raise ValueError(
            f"Real and imaginary parts must be floating-point arrays of one shape, got {real.dtype}{real.shape} and "
            f"{imaginary.dtype}{imaginary.shape}."
        )
    return jax.lax.complex(real, imaginary)


def values_of(tree: Any) -> Any:
    """A nested structure with variables replaced by their values: JAX would rebuild them, as they are pytree nodes."""
    return jax.tree.map(as_operand, tree, is_leaf=lambda x: isinstance(x, Variable))
