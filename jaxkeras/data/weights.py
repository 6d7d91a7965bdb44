"""Conversion of `sample_weight` and `class_weight` to one weight array per output."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxkeras.core import config
from jaxkeras.data import checks
from jaxkeras.data.convert import is_structure, map_leaves, same_structure


def output_weights(y: Any, sample_weight: Any, class_weight: dict[int, float] | None) -> Any:
    """Return the weights for the targets `y`.

    Args:
        y: array of shape `(rows, ...)`, or a structure with one for each output.
        sample_weight: None, a structure like `y`, or one array of shape `(rows,)` or `(rows, 1)` for all outputs.
        class_weight: None, or the result of `checks.class_weight`.

    Returns:
        None, an array, or a structure like `y`.

    Raises:
        ValueError: if both are given, or they do not fit `y`.
    """
    if class_weight is not None:
        checks.class_weight_fits(y, sample_weight)
        return class_weight_to_sample_weight(y, class_weight)
    if sample_weight is None or not is_structure(y):
        return sample_weight
    if is_structure(sample_weight):
        if not same_structure(y, sample_weight):
            raise checks.weight_structure(y, sample_weight)
        return sample_weight
    checks.one_weight_a_row(sample_weight)
    return map_leaves(lambda _, __: sample_weight, "y", y)


def class_weight_to_sample_weight(y: Any, class_weight: dict[int, float]) -> np.ndarray:
    """Look up the weight of the class of each row.

    Args:
        y: class indices of shape `(rows,)` or `(rows, 1)`, or one-hot rows of shape `(rows, classes)`.
        class_weight: weight for each class index.

    Returns:
        Array of shape `(rows,)` and dtype `floatx()`: 1 for a class that `class_weight` does not name.

    Example:

    >>> class_weight_to_sample_weight(np.array([0, 1, 1]), {0: 1.0, 1: 5.0})
    array([1., 5., 5.], dtype=float32)
    """
    labels = np.asarray(y)
    if labels.ndim == 2:
        labels = labels[:, 0] if labels.shape[1] == 1 else labels.argmax(axis=1)
    labels = np.round(labels).astype(np.int64)
    known = np.array(sorted(class_weight), np.int64)
    weights = np.array([class_weight[label] for label in known.tolist()], config.floatx())
    at = np.searchsorted(known, labels).clip(max=len(known) - 1)
    return np.where(known[at] == labels, weights[at], np.ones((), weights.dtype))
