"""How often predictions are right."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core import config
from jaxkeras.losses.loss import prepare_same_rank, squeeze_or_expand_to_same_rank
from jaxkeras.metrics.reduction import FunctionMetric, metric_function
from jaxkeras.ops._nn.classification import in_top_k
from jaxkeras.registry import register


def _matches(matches: jax.Array) -> jax.Array:
    return matches.astype(config.floatx())


def _equals_class(y_true: jax.Array, classes: jax.Array) -> jax.Array:
    """Whether targets equal class numbers; targets stored as floats are compared as floats."""
    if jnp.issubdtype(y_true.dtype, jnp.floating):
        return y_true.astype(jnp.float32) == classes.astype(jnp.float32)
    return y_true.astype(jnp.int32) == classes.astype(jnp.int32)


@metric_function
def accuracy(y_true: Any, y_pred: Any) -> jax.Array:
    """1 where `y_true == y_pred`, else 0; shape `(batch, ...)`."""
    y_true, y_pred = prepare_same_rank(y_true, y_pred)
    return _matches(y_true == y_pred)


@metric_function
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> jax.Array:
    """1 where `y_true` equals `y_pred > threshold`, else 0.

    Args:
        y_true: targets 0 or 1, shape `(batch, ...)`.
        y_pred: predictions, same shape.
        threshold: above it a prediction is a 1.

    Returns:
        Zeros and ones, shape `(batch, ...)`.
    """
    y_true, y_pred = squeeze_or_expand_to_same_rank(jnp.asarray(y_true), jnp.asarray(y_pred))
    return _matches(y_true == (y_pred > threshold).astype(y_true.dtype))


@metric_function
def categorical_accuracy(y_true: Any, y_pred: Any) -> jax.Array:
    """1 where the largest of `y_pred` is at the place of the largest of `y_true`, else 0.

    Args:
        y_true: one-hot targets, shape `(batch, ..., classes)`.
        y_pred: scores, same shape.

    Returns:
        Zeros and ones, shape `(batch, ...)`.
    """
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    return _matches(jnp.argmax(y_true, axis=-1) == jnp.argmax(y_pred, axis=-1))


@metric_function
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> jax.Array:
    """1 where the largest of `y_pred` is at the place that `y_true` names, else 0.

    Args:
        y_true: class numbers, shape `(batch, ...)` or `(batch, ..., 1)`.
        y_pred: scores, shape `(batch, ..., classes)`.

    Returns:
        Zeros and ones, shape `(batch, ...)`.
    """
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = y_true[..., 0]
    matches = _matches(_equals_class(y_true, jnp.argmax(y_pred, axis=-1)))
    return matches[..., 0] if matches.ndim > 1 and matches.shape[-1] == 1 else matches


@metric_function
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> jax.Array:
    """1 where the target class is among the `k` best, else 0.

    Args:
        y_true: one-hot targets, shape `(batch, ..., classes)`.
        y_pred: scores, same shape.
        k: how many places count.

    Returns:
        Zeros and ones, shape `(batch, ...)`.
    """
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    return _matches(in_top_k(jnp.argmax(y_true, axis=-1), y_pred, k))


@metric_function
def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> jax.Array:
    """1 where the class that `y_true` names is among the `k` best, else 0.

    Args:
        y_true: class numbers, shape `(batch, ...)` or `(batch, ..., 1)`.
        y_pred: scores, shape `(batch, ..., classes)`; with `from_sorted_ids`, class numbers from best to worst.
        k: how many places count.
        from_sorted_ids: what `y_pred` holds.

    Returns:
        Zeros and ones, of the shape of `y_true`.
    """
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    classes = y_true.reshape(y_pred.shape[:-1])
    if from_sorted_ids:
        matches = jnp.any(classes[..., None].astype(y_pred.dtype) == y_pred[..., :k], axis=-1)
    else:
        matches = in_top_k(classes.astype(jnp.int32), y_pred, k)
    return _matches(matches).reshape(y_true.shape)


@register("keras.metrics")
class Accuracy(FunctionMetric):
    """How often `y_pred` equals `y_true`.

    Args:
        name, dtype: see `Metric`.

    Example:

    >>> float(Accuracy()([1, 2, 3, 4], [0, 2, 3, 4]))
    0.75
    """

    _direction = "up"

    def __init__(self, name: str | None = "accuracy", dtype: Any = None):
        super().__init__(accuracy, name, dtype)


@register("keras.metrics")
class BinaryAccuracy(FunctionMetric):
    """How often `y_pred > threshold` equals `y_true`.

    Args:
        name, dtype: see `Metric`.
        threshold: above it a prediction is a 1.

    Example:

    >>> float(BinaryAccuracy()([1, 1, 0, 0], [0.98, 1.0, 0.0, 0.6]))
    0.75
    """

    _direction = "up"

    def __init__(self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5):
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)


@register("keras.metrics")
class CategoricalAccuracy(FunctionMetric):
    """How often the best class is the right one, for one-hot targets.

    Args:
        name, dtype: see `Metric`.
    """

    _direction = "up"

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None):
        super().__init__(categorical_accuracy, name, dtype)


@register("keras.metrics")
class SparseCategoricalAccuracy(FunctionMetric):
    """How often the best class is the right one, for targets that are class numbers.

    Args:
        name, dtype: see `Metric`.

    Example:

    >>> float(SparseCategoricalAccuracy()([2, 1], [[0.1, 0.6, 0.3], [0.05, 0.95, 0.0]]))
    0.5
    """

    _direction = "up"

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None):
        super().__init__(sparse_categorical_accuracy, name, dtype)


@register("keras.metrics")
class TopKCategoricalAccuracy(FunctionMetric):
    """How often the right class is among the `k` best, for one-hot targets.

    Args:
        k: how many places count.
        name, dtype: see `Metric`.
    """

    _direction = "up"

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None):
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)


@register("keras.metrics")
class SparseTopKCategoricalAccuracy(FunctionMetric):
    """How often the right class is among the `k` best, for targets that are class numbers.

    Args:
        k: how many places count.
        name, dtype: see `Metric`.
        from_sorted_ids: whether predictions are class numbers from best to worst, rather than scores.
    """

    _direction = "up"
    _left_out = {"from_sorted_ids": False}

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ):
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids)
