"""Output modes of categorical layers: checks, and encodings on the device (`encode`) and on the host (`count_rows`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import ops, registry
from jaxkeras.layers._base.layer import Layer

OUTPUT_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
_OLD_NAMES = {"binary": "multi_hot", "tf-idf": "tf_idf"}


def check_output_mode(mode: str, choices: Sequence[str] = OUTPUT_MODES) -> str:
    """The current name of an output mode.

    Raises:
        ValueError: if it is not one of `choices`.
    """
    mode = _OLD_NAMES.get(mode, mode)
    if mode not in choices:
        raise registry.unknown("output_mode", mode, choices)
    return mode


def reject_sparse(layer: Layer, sparse: bool) -> None:
    """Raise for `sparse=True`, which Keras supports on TensorFlow only."""
    if sparse:
        raise ValueError(f"Layer '{layer.name}' cannot return sparse arrays; leave out sparse=True.")


def check_sparse(layer: Layer, sparse: bool, mode: str) -> None:
    """Raise for `sparse=True` with a mode that gives no vectors."""
    if sparse and mode == "int":
        raise ValueError(f"Layer '{layer.name}' cannot return sparse arrays with output_mode='int'.")


def encode(
    indices: Any, mode: str, depth: int, dtype: str, weights: Any = None, sparse: bool = False
) -> jax.Array:
    """Indices unchanged, or encoded as vectors of `depth` numbers.

    Args:
        indices: integers; those outside of `[0, depth)` are encoded as zeros.
        mode: "int"; "one_hot", a vector for each index (a last axis of size 1 is dropped); "multi_hot" or "count", a
            vector for each sample, whose indices are along the second axis (or the only one).
        depth: the number of different indices.
        dtype: the dtype of the result.
        weights: the weight of each index, in "count" mode.
        sparse: whether to return a `BCOO` array.
    """
    indices = jnp.asarray(indices)
    if mode == "int":
        return indices.astype(dtype)
    if not jnp.issubdtype(indices.dtype, jnp.integer):
        indices = indices.astype("int32")
    if indices.ndim == 0:
        indices = indices[None]
    if mode == "one_hot" and indices.ndim > 1 and indices.shape[-1] == 1:
        indices = indices[..., 0]
    if mode == "multi_hot" and sparse:
        return ops.multi_hot(indices, depth, dtype=dtype, sparse=True)
    vectors = ops.one_hot(indices, depth, dtype=dtype, sparse=sparse)
    if mode == "one_hot":
        return vectors
    axis = 1 if indices.ndim > 1 else 0
    if mode == "multi_hot":
        return jnp.max(vectors, axis=axis)
    if weights is not None:
        vectors = ops.multiply(vectors, jnp.asarray(weights, dtype)[..., None])
    return ops.sum(vectors, axis=axis)


def count_rows(indices: np.ndarray, rows: np.ndarray, shape: tuple[int, int], binary: bool = False) -> np.ndarray:
    """Count each index in each row, on the host.

    Args:
        indices: flat; those outside of `[0, depth)` are ignored.
        rows: the row of each index.
        shape: `(rows, depth)`.
        binary: whether to return 1 for any count above 0.

    Returns:
        float32 of `shape`.
    """
    depth = shape[1]
    inside = (indices >= 0) & (indices < depth)
    flat = rows[inside] * depth + indices[inside]
    counts = np.bincount(flat, minlength=shape[0] * depth).reshape(shape)
    return (counts > 0 if binary else counts).astype(np.float32)
