"""Predicates for the leaves of nested shapes, tensors and masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.masks import get_mask
from jaxkeras.core.sparse import is_sparse
from jaxkeras.core.symbolic import KerasTensor


def is_shape(x: Any) -> bool:
    """Whether `x` is a shape: a list or tuple of sizes, None where unknown, or symbolic in an export."""
    return isinstance(x, (tuple, list)) and all(map(_is_size, x))


def _is_size(x: Any) -> bool:
    symbolic = hasattr(x, "dimension_as_value") and not hasattr(x, "dtype")  # which tracers of arrays have
    return x is None or isinstance(x, (int, np.integer)) or symbolic


def shape_tuples(shape: Any) -> Any:
    """Nested shapes from JSON, with the innermost lists as tuples."""
    if is_shape(shape):
        return tuple(shape)
    if isinstance(shape, dict):
        return {k: shape_tuples(v) for k, v in shape.items()}
    if isinstance(shape, (list, tuple)):
        shapes = [shape_tuples(s) for s in shape]
        return tuple(shapes) if isinstance(shape, tuple) else shapes
    return shape


def is_leaf(x: Any) -> bool:
    return x is None or isinstance(x, KerasTensor) or is_sparse(x)


def is_tensor(x: Any) -> bool:
    return isinstance(x, (jax.Array, np.ndarray, KerasTensor, jax.ShapeDtypeStruct)) or is_sparse(x)


def is_convertible(x: Any) -> bool:
    return hasattr(x, "__jax_array__") or is_tensor(x)


def array_namespace(xs: Sequence[Any]) -> Any:
    """`jax.numpy`, or for sparse arrays the ops, which have the same names."""
    if any(map(is_sparse, xs)):
        from jaxkeras import ops

        return ops
    return jnp


def masks_of(value: Any) -> Any:
    """The masks of nested tensors, None if there are none."""
    if isinstance(value, (list, tuple)):
        parts = [masks_of(x) for x in value]
        if all(part is None for part in parts):
            return None
        return tuple(parts) if isinstance(value, tuple) else parts
    if isinstance(value, dict):
        masks = {k: masks_of(x) for k, x in value.items()}
        return masks if any(m is not None for m in masks.values()) else None
    return get_mask(value)
