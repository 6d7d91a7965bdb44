"""Small things done to arrays before training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxkeras import registry
from jaxkeras.ops import nn

_SIDES = ("pre", "post")


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """Vectors divided by their norm; those of norm zero stay.

    Args:
        x: array.
        axis: along which a vector lies; 0 works as well, for which Keras divides a NumPy array by the wrong norms.
        order: of the norm.

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
    """Class numbers as one-hot vectors, for `categorical_crossentropy`.

    Args:
        x: integers of any shape; a last axis of size 1 goes.
        num_classes: how many classes there are; the largest number plus one by default.

    Returns:
        Shape `(..., num_classes)`: float64 in NumPy, or `floatx()` in JAX for a JAX array.

    Raises:
        ValueError: for a number outside of `[0, num_classes)`; in Keras negative ones count from the end.

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
            f"Class numbers must lie in [0, {num_classes}); they reach from {x.min()} to {x.max()}. Give a larger "
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
    """Sequences of different lengths as one array.

    Args:
        sequences: lists or arrays, each of shape `(length, ...)`.
        maxlen: length of the rows; that of the longest sequence by default.
        dtype: of the result; `object` for strings of any length.
        padding: whether `value` is added before ("pre") or after ("post") what is shorter.
        truncating: whether what is longer loses its beginning ("pre") or its end ("post").
        value: what is added.

    Returns:
        Shape `(len(sequences), maxlen, ...)`.

    Raises:
        ValueError: for sequences whose items have different shapes, for an item that is no sequence, for another
            `padding` or `truncating`, or for a string as `value` in a numeric array.

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
        raise ValueError(f"value={value!r} does not go into an array of {dtype}; for strings, give dtype=object.")
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
            raise ValueError(f"Items of sequences[{i}] have shape {kept.shape[1:]}, those before it {item}.")
        first = maxlen - len(kept) if padding == "pre" else 0
        result[i, first : first + len(kept)] = kept
    return result
