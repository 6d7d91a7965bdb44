"""Prepare arrays for training: normalization, one-hot encoding, padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxkeras import registry
from jaxkeras.ops import nn

_SIDES = ("pre", "post")


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """Divide vectors by their norm; vectors of norm zero are left unchanged.

    Args:
        x: array.
        axis: axis of the vectors. Unlike in Keras, 0 also works for NumPy arrays.
        order: order of the norm.

    Returns:
        A NumPy array for a NumPy array, else a JAX array.

    Example:

    >>> normalize(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    """
    if not isinstance(x, np.ndarray):
        return nn.normalize(x, axis=axis, order=order)
    norm = np.linalg.norm(x, order, axis, keepdims=True)
    return x / np.where(norm == 0, 1, norm)


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """Convert integer classes to one-hot vectors, for `categorical_crossentropy`.

    Args:
        x: integers of any shape; a last axis of size 1 is removed.
        num_classes: number of classes; by default the largest class plus one.

    Returns:
        Array of shape `(..., num_classes)`: a float64 NumPy array, or for a JAX array a JAX array of dtype `floatx()`.

    Raises:
        ValueError: for a class outside `[0, num_classes)`; Keras counts negative ones from the end.

    Example:

    >>> to_categorical([0, 2], num_classes=3)
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    shape = np.shape(x)
    if len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    if isinstance(x, jax.Array):
        return nn.one_hot(x.reshape(shape), int(x.max()) + 1 if num_classes is None else num_classes)
    x = np.array(x, dtype="int64").reshape(shape)
    num_classes = num_classes or int(np.max(x)) + 1
    if x.size and (x.min() < 0 or x.max() >= num_classes):
        raise ValueError(
            f"Classes must be in [0, {num_classes}); got values from {x.min()} to {x.max()}. Pass a larger "
            "`num_classes`, or leave it out."
        )
    result = np.zeros((*x.shape, num_classes))
    np.put_along_axis(result, x[..., None], 1.0, axis=-1)
    return result


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Pad or truncate sequences of different lengths to one array.

    Args:
        sequences: lists or arrays, each of shape `(length, ...)`.
        maxlen: length of the rows; by default that of the longest sequence.
        dtype: dtype of the result; `object` for strings of any length.
        padding: where to pad shorter sequences, `"pre"` or `"post"`.
        truncating: where to truncate longer sequences, `"pre"` or `"post"`.
        value: the padding value.

    Returns:
        NumPy array of shape `(len(sequences), maxlen, ...)`.

    Raises:
        ValueError: for items of different shapes, for an item that is not a sequence, for another `padding` or
            `truncating`, or for a string `value` in a numeric array.

    Example:

    >>> pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2)
    array([[0, 1],
           [2, 3],
           [5, 6]], dtype=int32)
    """
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in _SIDES:
            raise registry.unknown(name, side, _SIDES)
    if not hasattr(sequences, "__len__"):
        raise ValueError(f"`sequences` must be a list of sequences; got {type(sequences).__name__}.")
    for i, sequence in enumerate(sequences):
        if not hasattr(sequence, "__len__"):
            raise ValueError(f"`sequences` must be a list of sequences; sequences[{i}] is {sequence!r}.")
    if isinstance(value, str) and np.dtype(dtype).kind not in "OSU":
        raise ValueError(f"value={value!r} cannot be stored in an array of {dtype}; for strings, pass dtype=object.")
    if maxlen is None:
        maxlen = max(map(len, sequences), default=0)
    item = next((np.shape(sequence)[1:] for sequence in sequences if len(sequence)), ())
    result = np.full((len(sequences), maxlen, *item), value, dtype=dtype)
    for i, sequence in enumerate(sequences):
        start = max(len(sequence) - maxlen, 0) if truncating == "pre" else 0
        kept = np.asarray(sequence[start : start + maxlen], dtype=dtype)
        if not len(kept):
            continue
        if kept.shape[1:] != item:
            raise ValueError(
                f"Items of sequences[{i}] have shape {kept.shape[1:]}, but those of earlier sequences have {item}."
            )
        first = maxlen - len(kept) if padding == "pre" else 0
        result[i, first : first + len(kept)] = kept
    return result
