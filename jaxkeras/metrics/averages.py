"""Averages of losses over all samples."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.losses.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from jaxkeras.losses.loss import squeeze_or_expand_to_same_rank
from jaxkeras.losses.margin import categorical_hinge, hinge, squared_hinge
from jaxkeras.losses.regression import (
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    normalized_dot,
)
from jaxkeras.metrics.reduction import FunctionMetric, Mean
from jaxkeras.registry import register


class _Down(FunctionMetric):
    _direction = "down"


@register("keras.metrics", "mse", "MSE")
class MeanSquaredError(_Down):
    """Mean squared error over all samples, `mean((y_true - y_pred)**2)`.

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, `(batch, ..., n)`; `sample_weight`, `(batch,)` or the shape of the values.

    Result: a scalar, 0 before the first update.

    Example:

    >>> float(MeanSquaredError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]]))
    0.25
    """

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None):
        super().__init__(mean_squared_error, name, dtype)


@register("keras.metrics", "mae", "MAE")
class MeanAbsoluteError(_Down):
    """Mean absolute error over all samples, `mean(abs(y_true - y_pred))`.

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, `(batch, ..., n)`; `sample_weight`, `(batch,)` or the shape of the values.

    Result: a scalar, 0 before the first update.

    Example:

    >>> float(MeanAbsoluteError()([[0.0, 4.0]], [[1.0, 2.0]]))
    1.5
    """

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None):
        super().__init__(mean_absolute_error, name, dtype)


@register("keras.metrics", "mape", "MAPE")
class MeanAbsolutePercentageError(_Down):
    """Mean absolute percentage error over all samples.

    `100 * mean(abs((y_true - y_pred) / max(abs(y_true), epsilon())))`

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, `(batch, ..., n)`; `sample_weight`, `(batch,)` or the shape of the values.

    Result: a scalar in percent, 0 before the first update.

    Example:

    >>> float(MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 4.0]]))
    25.0
    """

    def __init__(self, name: str | None = "mean_absolute_percentage_error", dtype: Any = None):
        super().__init__(mean_absolute_percentage_error, name, dtype)


@register("keras.metrics", "msle", "MSLE")
class MeanSquaredLogarithmicError(_Down):
    """Mean squared logarithmic error over all samples.

    `mean((log(1 + y_true) - log(1 + y_pred))**2)`

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, `(batch, ..., n)`; `sample_weight`, `(batch,)` or the shape of the values.

    Result: a scalar, 0 before the first update.

    Example:

    >>> round(float(MeanSquaredLogarithmicError()([[0.0, 1.0]], [[1.0, 1.0]])), 4)
    0.2402
    """

    def __init__(self, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None):
        super().__init__(mean_squared_logarithmic_error, name, dtype)


@register("keras.metrics")
class RootMeanSquaredError(Mean):
    """Square root of the mean squared error over all samples.

    `sqrt(mean((y_true - y_pred)**2))`

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, `(batch, ..., n)`; `sample_weight`, `(batch,)` or the shape of the values.

    Result: a scalar, 0 before the first update.

    Example:

    >>> float(RootMeanSquaredError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]]))
    0.5
    """

    _direction = "down"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None):
        super().__init__(name, dtype=dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch of targets and predictions of the same shape, `(batch, ...)`."""
        y_true, y_pred = squeeze_or_expand_to_same_rank(
            jnp.asarray(y_true, self.dtype), jnp.asarray(y_pred, self.dtype)
        )
        super().update_state(jnp.square(y_pred - y_true), sample_weight)

    def result(self) -> jax.Array:
        return jnp.sqrt(super().result())


@register("keras.metrics")
class CosineSimilarity(FunctionMetric):
    """Mean cosine of the angle between targets and predictions; 1 for the same direction.

    `mean(sum(y_true / norm(y_true) * y_pred / norm(y_pred), axis))`

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.
        axis: axis of the vectors.

    Input shape: `y_true` and `y_pred`, `(batch, ..., n)`; `sample_weight`, `(batch,)` or the shape of the values.

    Result: a scalar in [-1, 1].

    Example:

    >>> float(CosineSimilarity()([[0.0, 1.0], [1.0, 0.0]], [[0.0, 2.0], [0.0, 3.0]]))
    0.5
    """

    _direction = "up"
    _left_out = {"axis": -1}

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1):
        super().__init__(normalized_dot, name, dtype, axis=axis)


@register("keras.metrics")
class LogCoshError(_Down):
    """Mean of `log(cosh(y_pred - y_true))` over all samples.

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, `(batch, ..., n)`; `sample_weight`, `(batch,)` or the shape of the values.

    Result: a scalar, 0 before the first update.

    Example:

    >>> round(float(LogCoshError()([[0.0, 0.0]], [[1.0, 100.0]])), 4)
    49.8703
    """

    def __init__(self, name: str | None = "logcosh", dtype: Any = None):
        super().__init__(log_cosh, name, dtype)


@register("keras.metrics")
class Hinge(_Down):
    """Mean hinge loss over all samples, `mean(max(1 - y_true * y_pred, 0))`.

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, -1 and 1 (or 0 and 1, which are converted), and `y_pred`, `(batch, ..., n)`; `sample_weight`,
    `(batch,)`.

    Result: a scalar, 0 before the first update.

    Example:

    >>> float(Hinge()([[-1.0, 1.0]], [[0.5, 2.0]]))
    0.75
    """

    def __init__(self, name: str | None = "hinge", dtype: Any = None):
        super().__init__(hinge, name, dtype)


@register("keras.metrics")
class SquaredHinge(_Down):
    """Mean squared hinge loss over all samples, `mean(max(1 - y_true * y_pred, 0)**2)`.

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, -1 and 1 (or 0 and 1, which are converted), and `y_pred`, `(batch, ..., n)`; `sample_weight`,
    `(batch,)`.

    Result: a scalar, 0 before the first update.

    Example:

    >>> float(SquaredHinge()([[-1.0, 1.0]], [[0.5, 2.0]]))
    1.125
    """

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None):
        super().__init__(squared_hinge, name, dtype)


@register("keras.metrics")
class CategoricalHinge(_Down):
    """Mean hinge loss over classes; see `losses.categorical_hinge`.

    `mean(max(neg - pos + 1, 0))` with `pos = sum(y_true * y_pred)` and `neg = max((1 - y_true) * y_pred)`.

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, one-hot, and `y_pred`, `(batch, ..., classes)`; `sample_weight`, `(batch,)`.

    Result: a scalar, 0 before the first update.

    Example:

    >>> float(CategoricalHinge()([[0.0, 1.0], [1.0, 0.0]], [[0.25, 0.75], [0.25, 0.75]]))
    1.0
    """

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None):
        super().__init__(categorical_hinge, name, dtype)


@register("keras.metrics")
class KLDivergence(_Down):
    """Mean Kullback-Leibler divergence, `mean(sum(y_true * log(y_true / y_pred)))`.

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, distributions, `(batch, ..., n)`; `sample_weight`, `(batch,)`.

    Result: a scalar, 0 before the first update.

    Example:

    >>> round(float(KLDivergence()([[0.5, 0.5]], [[0.75, 0.25]])), 4)
    0.1438
    """

    def __init__(self, name: str | None = "kl_divergence", dtype: Any = None):
        super().__init__(kl_divergence, name, dtype)


@register("keras.metrics")
class Poisson(_Down):
    """Mean negative log-likelihood of Poisson counts, `mean(y_pred - y_true * log(y_pred + epsilon()))`.

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, counts, and `y_pred`, rates, `(batch, ..., n)`; `sample_weight`, `(batch,)`.

    Result: a scalar, 0 before the first update.

    Example:

    >>> round(float(Poisson()([[2.0, 0.0]], [[1.0, 1.0]])), 4)
    1.0
    """

    def __init__(self, name: str | None = "poisson", dtype: Any = None):
        super().__init__(poisson, name, dtype)


@register("keras.metrics", "bce", "BCE")
class BinaryCrossentropy(_Down):
    """Mean binary cross-entropy over all samples.

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.
        from_logits: whether `y_pred` holds logits rather than probabilities.
        label_smoothing: `s` in [0, 1]; targets become `y_true * (1 - s) + s / 2`.

    Input shape: `y_true` in [0, 1] and `y_pred`, `(batch, ..., n)`; `sample_weight`, `(batch,)`.

    Result: a scalar, 0 before the first update.

    Raises:
        ValueError: for different shapes, or a `label_smoothing` out of range, when called.

    Example:

    >>> round(float(BinaryCrossentropy()([[0.0], [1.0]], [[0.5], [0.5]])), 4)
    0.6931
    """

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ):
        super().__init__(binary_crossentropy, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing)


@register("keras.metrics")
class CategoricalCrossentropy(_Down):
    """Mean cross-entropy for target distributions, such as one-hot.

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.
        from_logits: whether `y_pred` holds logits rather than probabilities.
        label_smoothing: `s` in [0, 1]; targets become `y_true * (1 - s) + s / classes`.
        axis: axis of the classes.

    Input shape: `y_true` and `y_pred`, `(batch, ..., classes)`; `sample_weight`, `(batch,)`.

    Result: a scalar, 0 before the first update.

    Raises:
        ValueError: for different shapes, or a `label_smoothing` out of range, when called.

    Example:

    >>> round(float(CategoricalCrossentropy()([[0, 1, 0]], [[0.05, 0.9, 0.05]])), 4)
    0.1054
    """

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ):
        super().__init__(
            categorical_crossentropy, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis
        )


@register("keras.metrics")
class SparseCategoricalCrossentropy(_Down):
    """Mean cross-entropy for integer targets, `mean(-log(y_pred[y_true]))`.

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.
        from_logits: whether `y_pred` holds logits rather than probabilities.
        ignore_class: a class whose positions are left out of the average; None for none.
        axis: axis of the classes.

    Input shape: `y_true`, integer classes, `(batch, ...)`; `y_pred`, `(batch, ..., classes)`; `sample_weight`,
    `(batch,)`.

    Result: a scalar, 0 before the first update.

    Raises:
        ValueError: for shapes that do not fit together, when called.

    Example:

    >>> round(float(SparseCategoricalCrossentropy()([1, 0], [[0.1, 0.9], [0.9, 0.1]])), 4)
    0.1054
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ):
        super().__init__(
            sparse_categorical_crossentropy, name, dtype, from_logits=from_logits, ignore_class=ignore_class, axis=axis
        )
