"""Accuracies: the share of predictions that are right."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering
from jaxkeras.core import config
from jaxkeras.losses.loss import prepare_same_rank, squeeze_or_expand_to_same_rank
from jaxkeras.metrics.reduction import FunctionMetric, metric_function
from jaxkeras.ops._nn.classification import in_top_k
from jaxkeras.registry import register


def _matches(matches: jax.Array) -> jax.Array:
    return matches.astype(config.floatx())


def _equals_class(y_true: jax.Array, classes: jax.Array) -> jax.Array:
    """Whether targets equal integer classes; targets stored as floats are compared as floats."""
    if jnp.issubdtype(y_true.dtype, jnp.floating):
        return y_true.astype(jnp.float32) == classes.astype(jnp.float32)
    return y_true.astype(jnp.int32) == classes.astype(jnp.int32)


@metric_function
def accuracy(y_true: Any, y_pred: Any) -> jax.Array:
    """1 where `y_true == y_pred`, else 0.

    Args:
        y_true: targets, shape `(batch, ...)`, cast to the dtype of `y_pred`.
        y_pred: predictions, same shape.

    Returns:
        Zeros and ones in `floatx()`, shape `(batch, ...)`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Example:

    >>> accuracy([1, 2, 3], [1, 0, 3]).tolist()
    [1.0, 0.0, 1.0]
    """
    y_true, y_pred = prepare_same_rank(y_true, y_pred)
    return _matches(y_true == y_pred)


@metric_function
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> jax.Array:
    """1 where `y_true == (y_pred > threshold)`, else 0.

    Args:
        y_true: targets 0 or 1, shape `(batch, ...)`.
        y_pred: probabilities, same shape.
        threshold: predictions above it are 1.

    Returns:
        Zeros and ones in `floatx()`, shape `(batch, ...)`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Example:

    >>> binary_accuracy([1, 1, 0], [0.9, 0.2, 0.1]).tolist()
    [1.0, 0.0, 1.0]
    """
    y_true, y_pred = squeeze_or_expand_to_same_rank(jnp.asarray(y_true), jnp.asarray(y_pred))
    return _matches(y_true == (y_pred > threshold).astype(y_true.dtype))


@metric_function
def categorical_accuracy(y_true: Any, y_pred: Any) -> jax.Array:
    """1 where `argmax(y_pred) == argmax(y_true)` over the classes, else 0.

    Args:
        y_true: one-hot targets, shape `(batch, ..., classes)`.
        y_pred: scores, same shape.

    Returns:
        Zeros and ones in `floatx()`, shape `(batch, ...)`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Example:

    >>> categorical_accuracy([[0, 1], [1, 0]], [[0.2, 0.8], [0.3, 0.7]]).tolist()
    [1.0, 0.0]
    """
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    return _matches(lowering.argmax(y_true) == lowering.argmax(y_pred))


@metric_function
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> jax.Array:
    """1 where `argmax(y_pred) == y_true`, else 0.

    Args:
        y_true: integer classes, shape `(batch, ...)` or `(batch, ..., 1)`.
        y_pred: scores, shape `(batch, ..., classes)`.

    Returns:
        Zeros and ones in `floatx()`, shape `(batch, ...)`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Example:

    >>> sparse_categorical_accuracy([1, 0], [[0.2, 0.8], [0.3, 0.7]]).tolist()
    [1.0, 0.0]
    """
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = y_true[..., 0]
    matches = _matches(_equals_class(y_true, lowering.argmax(y_pred)))
    return matches[..., 0] if matches.ndim > 1 and matches.shape[-1] == 1 else matches


@metric_function
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> jax.Array:
    """1 where the target class is among the `k` highest scores, else 0.

    Args:
        y_true: one-hot targets, shape `(batch, ..., classes)`.
        y_pred: scores, same shape.
        k: number of highest scores to look at.

    Returns:
        Zeros and ones in `floatx()`, shape `(batch, ...)`.

    Raises:
        ValueError: for shapes that do not fit together.

    Example:

    >>> top_k_categorical_accuracy([[0, 0, 1]], [[0.5, 0.1, 0.4]], k=2).tolist()
    [1.0]
    """
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    return _matches(in_top_k(jnp.argmax(y_true, axis=-1), y_pred, k))


@metric_function
def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> jax.Array:
    """1 where the target class is among the `k` highest scores, else 0.

    Args:
        y_true: integer classes, shape `(batch, ...)` or `(batch, ..., 1)`.
        y_pred: scores, shape `(batch, ..., classes)`; with `from_sorted_ids`, classes from best to worst.
        k: number of highest scores to look at.
        from_sorted_ids: whether `y_pred` holds sorted classes rather than scores.

    Returns:
        Zeros and ones in `floatx()`, of the shape of `y_true`.

    Raises:
        TypeError: for shapes that do not fit together.

    Example:

    >>> sparse_top_k_categorical_accuracy([2], [[0.5, 0.1, 0.4]], k=2).tolist()
    [1.0]
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
    """Share of predictions that equal their target.

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, `(batch, ...)`; `sample_weight`, `(batch,)`.

    Result: a scalar in [0, 1].

    Example:

    >>> float(Accuracy()([1, 2, 3, 4], [0, 2, 3, 4]))
    0.75
    """

    _direction = "up"

    def __init__(self, name: str | None = "accuracy", dtype: Any = None):
        super().__init__(accuracy, name, dtype)


@register("keras.metrics")
class BinaryAccuracy(FunctionMetric):
    """Share of predictions for which `y_pred > threshold` equals the target.

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.
        threshold: predictions above it are 1.

    Input shape: `y_true`, 0 or 1, and `y_pred`, `(batch, ...)`; `sample_weight`, `(batch,)`.

    Result: a scalar in [0, 1].

    Example:

    >>> float(BinaryAccuracy()([1, 1, 0, 0], [0.98, 1.0, 0.0, 0.6]))
    0.75
    """

    _direction = "up"

    def __init__(self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5):
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)


@register("keras.metrics")
class CategoricalAccuracy(FunctionMetric):
    """Share of samples whose highest score is at the target class, for one-hot targets.

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, one-hot, and `y_pred`, `(batch, ..., classes)`; `sample_weight`, `(batch,)`.

    Result: a scalar in [0, 1].

    Example:

    >>> float(CategoricalAccuracy()([[0, 1], [1, 0]], [[0.2, 0.8], [0.3, 0.7]]))
    0.5
    """

    _direction = "up"

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None):
        super().__init__(categorical_accuracy, name, dtype)


@register("keras.metrics")
class SparseCategoricalAccuracy(FunctionMetric):
    """Share of samples whose highest score is at the target class, for integer targets.

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, integer classes, `(batch, ...)`; `y_pred`, scores, `(batch, ..., classes)`; `sample_weight`,
    `(batch,)`.

    Result: a scalar in [0, 1].

    Example:

    >>> float(SparseCategoricalAccuracy()([2, 1], [[0.1, 0.6, 0.3], [0.05, 0.95, 0.0]]))
    0.5
    """

    _direction = "up"

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None):
        super().__init__(sparse_categorical_accuracy, name, dtype)


@register("keras.metrics")
class TopKCategoricalAccuracy(FunctionMetric):
    """Share of samples whose target class is among the `k` highest scores, for one-hot targets.

    Args:
        k: number of highest scores to look at.
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, one-hot, and `y_pred`, `(batch, ..., classes)`; `sample_weight`, `(batch,)`.

    Result: a scalar in [0, 1].

    Example:

    >>> float(TopKCategoricalAccuracy(k=2)([[0, 0, 1], [0, 1, 0]], [[0.5, 0.1, 0.4], [0.5, 0.1, 0.4]]))
    0.5
    """

    _direction = "up"

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None):
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)


@register("keras.metrics")
class SparseTopKCategoricalAccuracy(FunctionMetric):
    """Share of samples whose target class is among the `k` highest scores, for integer targets.

    Args:
        k: number of highest scores to look at.
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.
        from_sorted_ids: whether `y_pred` holds classes from best to worst rather than scores.

    Input shape: `y_true`, integer classes, `(batch, ...)`; `y_pred`, scores, `(batch, ..., classes)`; `sample_weight`,
    `(batch,)`.

    Result: a scalar in [0, 1].

    Example:

    >>> float(SparseTopKCategoricalAccuracy(k=2)([2, 1], [[0.5, 0.1, 0.4], [0.5, 0.1, 0.4]]))
    0.5
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
