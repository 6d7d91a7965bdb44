"""F-scores, the coefficient of determination, and correlations."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.core
import jax.numpy as jnp

from jaxkeras.core import config
from jaxkeras.core.variable import Variable
from jaxkeras.losses.loss import prepare_same_rank, squeeze_or_expand_to_same_rank
from jaxkeras.metrics.metric import Metric
from jaxkeras.metrics.reduction import FunctionMetric, metric_function
from jaxkeras.registry import register

Shape = Sequence[int | None]


def _outputs(metric: Metric, y_true_shape: Shape, y_pred_shape: Shape) -> int:
    """The number of outputs of two-dimensional targets and predictions."""
    outputs = y_pred_shape[-1] if len(y_true_shape) == len(y_pred_shape) == 2 else None
    if outputs is None:
        raise ValueError(
            f"{type(metric).__name__} needs targets and predictions of shape (batch, outputs); got y_true of shape "
            f"{y_true_shape} and y_pred of shape {y_pred_shape}."
        )
    return outputs


@register("keras.metrics")
class FBetaScore(Metric):
    """F-beta score: the harmonic mean of precision and recall, recall weighted by `beta`.

    `(1 + beta**2) * precision * recall / (beta**2 * precision + recall)`

    Args:
        average: None for the score of each class; `"micro"` to count over all classes together; `"macro"` for the
            mean of the scores; `"weighted"` for their mean weighted by how often the classes occur.
        beta: a positive float; how many times as important recall is as precision.
        threshold: predictions above it are positive; None to take the highest score of each sample.
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, 0 or 1, and `y_pred`, probabilities, `(batch, classes)`; `sample_weight`, `(batch,)` or
    `(batch, classes)`.

    Result: `(classes,)` for `average=None`, else a scalar.

    Raises:
        ValueError: for an argument out of range, or inputs that are not `(batch, classes)`.

    Reference: [F-score](https://en.wikipedia.org/wiki/F-score).

    Example:

    >>> y_true = [[1, 0], [0, 1], [0, 1]]
    >>> y_pred = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]
    >>> [round(float(score), 3) for score in FBetaScore(beta=2.0)(y_true, y_pred)]
    [0.833, 0.556]
    """

    _direction = "up"
    _built = False
    true_positives: Variable
    false_positives: Variable
    false_negatives: Variable
    intermediate_weights: Variable

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(f"Unknown `average` {average!r}; expected None, 'micro', 'macro' or 'weighted'.")
        if not isinstance(beta, float) or beta <= 0.0:
            raise ValueError(f"`beta` must be a positive float; got {beta!r}.")
        if threshold is not None and (not isinstance(threshold, float) or not 0.0 < threshold <= 1.0):
            raise ValueError(f"`threshold` must be a float above 0 and at most 1, or None; got {threshold!r}.")
        self.average = average
        self.beta = beta
        self.threshold = threshold
        self.axis = None if average == "micro" else 0

    def _build(self, y_true_shape: Shape, y_pred_shape: Shape) -> None:
        classes = _outputs(self, y_true_shape, y_pred_shape)
        shape = () if self.average == "micro" else (classes,)
        for name in ("true_positives", "false_positives", "false_negatives", "intermediate_weights"):
            setattr(self, name, self.add_variable(shape, "zeros", dtype=self.dtype, name=name))
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch.

        Args:
            y_true: targets 0 or 1, shape `(batch, classes)`.
            y_pred: probabilities, same shape.
            sample_weight: shape `()`, `(batch,)` or `(batch, classes)`, or None.
        """
        y_true, y_pred = jnp.asarray(y_true, self.dtype), jnp.asarray(y_pred, self.dtype)
        if self._built:
            _outputs(self, y_true.shape, y_pred.shape)
        else:
            self._build(y_true.shape, y_pred.shape)
        if self.threshold is None:
            chosen = (y_pred >= jnp.max(y_pred, axis=-1, keepdims=True)) & (jnp.abs(y_pred) > 1e-9)
        else:
            chosen = y_pred > self.threshold
        chosen = chosen.astype(self.dtype)
        weights = jnp.ones((), self.dtype)
        if sample_weight is not None:
            weights = jnp.asarray(sample_weight, self.dtype)
            weights = weights.reshape(*weights.shape, *(1,) * (2 - weights.ndim))
            if not all(n in (1, m) for n, m in zip(weights.shape, y_true.shape)) or weights.ndim > 2:
                raise ValueError(
                    f"`sample_weight` of {type(self).__name__} must have one number for each sample, shape "
                    f"{y_true.shape[:1]}, or for each value, shape {y_true.shape}; got shape "
                    f"{jnp.shape(sample_weight)}."
                )
        for variable, values in (
            (self.true_positives, chosen * y_true),
            (self.false_positives, chosen * (1 - y_true)),
            (self.false_negatives, (1 - chosen) * y_true),
            (self.intermediate_weights, y_true),
        ):
            variable.assign_add(jnp.sum(values * weights, axis=self.axis))

    def result(self) -> jax.Array:
        tiny = config.epsilon()
        tp, occurrences = self.true_positives.value, self.intermediate_weights.value
        precision = tp / (tp + self.false_positives.value + tiny)
        recall = tp / (tp + self.false_negatives.value + tiny)
        scores = precision * recall / (self.beta**2 * precision + recall + tiny) * (1 + self.beta**2)
        if self.average == "weighted":
            return jnp.sum(scores * occurrences / (jnp.sum(occurrences) + tiny))
        return scores if self.average is None else jnp.mean(scores)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "average": self.average, "beta": self.beta, "threshold": self.threshold}


@register("keras.metrics")
class F1Score(FBetaScore):
    """F1 score, the harmonic mean of precision and recall: `FBetaScore` with `beta=1`.

    `2 * precision * recall / (precision + recall)`

    Args:
        average: None for the score of each class; `"micro"` to count over all classes together; `"macro"` for the
            mean of the scores; `"weighted"` for their mean weighted by how often the classes occur.
        threshold: predictions above it are positive; None to take the highest score of each sample.
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, 0 or 1, and `y_pred`, probabilities, `(batch, classes)`; `sample_weight`, `(batch,)` or
    `(batch, classes)`.

    Result: `(classes,)` for `average=None`, else a scalar.

    Raises:
        ValueError: for an argument out of range, or inputs that are not `(batch, classes)`.

    Reference: [F-score](https://en.wikipedia.org/wiki/F-score).

    Example:

    >>> y_true = [[1, 0], [0, 1], [0, 1]]
    >>> y_pred = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]
    >>> [round(float(score), 3) for score in F1Score()(y_true, y_pred)]
    [0.667, 0.667]
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ):
        super().__init__(average=average, beta=1.0, threshold=threshold, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["beta"]
        return config


@register("keras.metrics")
class R2Score(Metric):
    """Coefficient of determination: 1 for perfect predictions, 0 for those no better than the mean.

    `1 - sum((y_true - y_pred)**2) / sum((y_true - mean(y_true))**2)`

    Args:
        class_aggregation: how the scores of the outputs are combined: `"uniform_average"`,
            `"variance_weighted_average"`, or None for one score each.
        num_regressors: number of independent variables to adjust the score for; 0 for no adjustment.
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, `(batch, outputs)`; `sample_weight`, `(batch,)` or `(batch, outputs)`.

    Result: a scalar, or `(outputs,)` for `class_aggregation=None`.

    Raises:
        ValueError: for an argument out of range, or inputs that are not `(batch, outputs)`.

    Reference: [Coefficient of determination](https://en.wikipedia.org/wiki/Coefficient_of_determination).

    Example:

    >>> round(float(R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])), 4)
    0.5714
    """

    _direction = "up"
    _built = False

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        if class_aggregation not in (None, "uniform_average", "variance_weighted_average"):
            raise ValueError(
                f"Unknown `class_aggregation` {class_aggregation!r}; expected None, 'uniform_average' or "
                "'variance_weighted_average'."
            )
        if num_regressors < 0:
            raise ValueError(f"`num_regressors` must not be negative; got {num_regressors}.")
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self.num_samples = self.add_variable((), "zeros", name="num_samples")

    def _build(self, y_true_shape: Shape, y_pred_shape: Shape) -> None:
        outputs = _outputs(self, y_true_shape, y_pred_shape)
        self.squared_sum = self.add_variable((outputs,), "zeros", name="squared_sum")
        self.sum = self.add_variable((outputs,), "zeros", name="sum")
        self.total_mse = self.add_variable((outputs,), "zeros", name="residual")
        self.count = self.add_variable((outputs,), "zeros", name="count")
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch.

        Args:
            y_true: targets, shape `(batch, outputs)`.
            y_pred: predictions, same shape.
            sample_weight: shape `(batch,)` or that of `y_true`, or None.
        """
        y_true, y_pred = squeeze_or_expand_to_same_rank(
            jnp.asarray(y_true, self.dtype), jnp.asarray(y_pred, self.dtype)
        )
        if self._built:
            _outputs(self, y_true.shape, y_pred.shape)
        else:
            self._build(y_true.shape, y_pred.shape)
        weights = jnp.asarray(1 if sample_weight is None else sample_weight, self.dtype)
        weights = jnp.broadcast_to(weights[:, None] if weights.ndim == 1 else weights, y_true.shape)
        for variable, values in (
            (self.sum, y_true),
            (self.squared_sum, jnp.square(y_true)),
            (self.total_mse, jnp.square(y_true - y_pred)),
            (self.count, jnp.ones_like(y_true)),
        ):
            variable.assign_add(jnp.sum(values * weights, axis=0))
        self.num_samples.assign_add(jnp.sum(jnp.any(weights != 0, axis=-1), dtype=self.dtype))

    def result(self) -> jax.Array:
        total_sum = self.sum.value
        variance = self.squared_sum.value - total_sum * (total_sum / self.count.value)
        scores = 1.0 - self.total_mse.value / variance
        scores = jnp.where(jnp.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            scores = jnp.mean(scores)
        elif self.class_aggregation == "variance_weighted_average":
            scores = jnp.sum(variance * scores) / jnp.sum(variance)
        return self._adjusted(scores) if self.num_regressors else scores

    def _adjusted(self, scores: jax.Array) -> jax.Array:
        n, p = self.num_samples.value, self.num_regressors
        enough = p < n - 1
        if not isinstance(n, jax.core.Tracer) and not enough:
            warnings.warn(
                f"R2Score is not adjusted: it needs more than {p + 1} values for {p} independent variables, and has "
                f"seen {int(n)}.",
                stacklevel=3,
            )
        return jnp.where(enough, 1.0 - (1.0 - scores) * (n - 1.0) / jnp.where(enough, n - p - 1.0, 1.0), scores)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "class_aggregation": self.class_aggregation,
            "num_regressors": self.num_regressors,
        }


@metric_function
def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> jax.Array:
    """Pearson's correlation coefficient along `axis`.

    `cov(y_true, y_pred) / (std(y_true) * std(y_pred))`

    Args:
        y_true: targets, shape `(batch, ..., n)`, cast to the dtype of `y_pred`.
        y_pred: predictions, floating, same shape.
        axis: axis of the values that are correlated.

    Returns:
        Coefficients in [-1, 1], of the shape of `y_pred` without `axis`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Reference: [Pearson correlation coefficient](https://en.wikipedia.org/wiki/Pearson_correlation_coefficient).

    Example:

    >>> print(pearson_correlation([[1.0, 2.0, 3.0]], [[1.0, 3.0, 4.0]]).round(4))
    [0.982]
    """
    y_true, y_pred = prepare_same_rank(y_true, y_pred)

    def standardized(x: jax.Array) -> jax.Array:
        x = x - jnp.mean(x, axis=axis, keepdims=True)
        return x / jnp.std(x, axis=axis, keepdims=True)

    return jnp.mean(standardized(y_true) * standardized(y_pred), axis=axis)


@metric_function
def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> jax.Array:
    """Lin's concordance correlation coefficient along `axis`: lower for a difference in mean or scale, too.

    `2 * cov(y_true, y_pred) / (var(y_true) + var(y_pred) + (mean(y_true) - mean(y_pred))**2)`

    Args:
        y_true: targets, shape `(batch, ..., n)`, cast to the dtype of `y_pred`.
        y_pred: predictions, floating, same shape.
        axis: axis of the values that are correlated.

    Returns:
        Coefficients in [-1, 1], of the shape of `y_pred` without `axis`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Reference: Lin, 1989, [A Concordance Correlation Coefficient to Evaluate Reproducibility](https://doi.org/10.2307/2532051).

    Example:

    >>> print(concordance_correlation([[1.0, 2.0, 3.0]], [[1.0, 3.0, 4.0]]).round(4))
    [0.75]
    """
    y_true, y_pred = prepare_same_rank(y_true, y_pred)
    mean_true, mean_pred = (jnp.mean(y, axis=axis, keepdims=True) for y in (y_true, y_pred))
    covariance = (y_true - mean_pred) * (y_pred - mean_pred)
    norm = (
        jnp.var(y_true, axis=axis, keepdims=True)
        + jnp.var(y_pred, axis=axis, keepdims=True)
        + jnp.square(mean_true - mean_pred)
    )
    return jnp.mean(2 * covariance / (norm + config.epsilon()), axis=axis)


class _Correlation(FunctionMetric):
    _direction = "up"


@register("keras.metrics")
class PearsonCorrelation(_Correlation):
    """Mean of Pearson's correlation coefficients of all samples.

    `cov(y_true, y_pred) / (std(y_true) * std(y_pred))`

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.
        axis: axis of the values that are correlated.

    Input shape: `y_true` and `y_pred`, `(batch, ..., n)`; `sample_weight`, `(batch,)`.

    Result: a scalar in [-1, 1].

    Reference: [Pearson correlation coefficient](https://en.wikipedia.org/wiki/Pearson_correlation_coefficient).

    Example:

    >>> round(float(PearsonCorrelation()([[1.0, 2.0, 3.0]], [[1.0, 3.0, 4.0]])), 4)
    0.982
    """

    def __init__(self, name: str | None = "pearson_correlation", dtype: Any = None, axis: int = -1):
        super().__init__(pearson_correlation, name, dtype, axis=axis)


@register("keras.metrics")
class ConcordanceCorrelation(_Correlation):
    """Mean of Lin's concordance correlation coefficients of all samples.

    `2 * cov(y_true, y_pred) / (var(y_true) + var(y_pred) + (mean(y_true) - mean(y_pred))**2)`

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.
        axis: axis of the values that are correlated.

    Input shape: `y_true` and `y_pred`, `(batch, ..., n)`; `sample_weight`, `(batch,)`.

    Result: a scalar in [-1, 1].

    Reference: Lin, 1989, [A Concordance Correlation Coefficient to Evaluate Reproducibility](https://doi.org/10.2307/2532051).

    Example:

    >>> round(float(ConcordanceCorrelation()([[1.0, 2.0, 3.0]], [[1.0, 3.0, 4.0]])), 4)
    0.75
    """

    def __init__(self, name: str | None = "concordance_correlation", dtype: Any = None, axis: int = -1):
        super().__init__(concordance_correlation, name, dtype, axis=axis)
