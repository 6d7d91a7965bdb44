"""The best value of one ratio of counts under a condition on another."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.metrics.confusion import CountingMetric, even_thresholds
from jaxkeras.registry import register

_RATIOS = {
    "sensitivity": ("true_positives", "false_negatives"),
    "recall": ("true_positives", "false_negatives"),
    "specificity": ("true_negatives", "false_positives"),
    "precision": ("true_positives", "false_positives"),
}


class _Constrained(CountingMetric):
    """The best of one ratio over the thresholds at which another is at least a given value."""

    _constraint: str
    _maximized: str

    def __init__(self, value: float, num_thresholds: int, class_id: int | None, name: str | None, dtype: Any):
        if not 0 <= value <= 1:
            raise ValueError(f"`{self._constraint}` must lie in [0, 1]; got {value}.")
        if num_thresholds <= 0:
            raise ValueError(f"`num_thresholds` must be positive; got {num_thresholds}.")
        super().__init__(name=name, dtype=dtype)
        self.value = value
        setattr(self, self._constraint, value)
        self.num_thresholds = num_thresholds
        self.class_id = class_id
        self.thresholds = [0.5] if num_thresholds == 1 else even_thresholds(num_thresholds)
        self._add_counts((len(self.thresholds),))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch; for shapes see `count_decisions`."""
        self._update(
            y_true,
            y_pred,
            evenly_spaced=self.num_thresholds > 1,
            class_id=self.class_id,
            sample_weight=sample_weight,
        )

    def result(self) -> jax.Array:
        constrained, maximized = (self._ratio(*_RATIOS[name]) for name in (self._constraint, self._maximized))
        return jnp.max(jnp.where(constrained >= self.value, maximized, 0.0), initial=0.0)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "class_id": self.class_id,
            "num_thresholds": self.num_thresholds,
            self._constraint: self.value,
        }


@register("keras.metrics")
class SensitivityAtSpecificity(_Constrained):
    """Highest sensitivity over the thresholds at which the specificity is at least the given one.

    The sensitivity is `tp / (tp + fn)`, the specificity `tn / (tn + fp)`.

    Args:
        specificity: the least specificity, in [0, 1].
        num_thresholds: number of evenly spaced thresholds to try.
        class_id: the only class to look at; None for all.
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, 0 or 1, and `y_pred`, scores, `(batch, ...)`; `sample_weight`, `(batch,)` or the shape of
    `y_true`.

    Result: a scalar in [0, 1]; 0 if no threshold meets the condition.

    Raises:
        ValueError: for a specificity out of range, or a `num_thresholds` that is not positive.

    Example:

    >>> round(float(SensitivityAtSpecificity(0.5)([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])), 4)
    1.0
    """

    _constraint, _maximized = "specificity", "sensitivity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(specificity, num_thresholds, class_id, name, dtype)


@register("keras.metrics")
class SpecificityAtSensitivity(_Constrained):
    """Highest specificity over the thresholds at which the sensitivity is at least the given one.

    The specificity is `tn / (tn + fp)`, the sensitivity `tp / (tp + fn)`.

    Args:
        sensitivity: the least sensitivity, in [0, 1].
        num_thresholds: number of evenly spaced thresholds to try.
        class_id: the only class to look at; None for all.
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, 0 or 1, and `y_pred`, scores, `(batch, ...)`; `sample_weight`, `(batch,)` or the shape of
    `y_true`.

    Result: a scalar in [0, 1]; 0 if no threshold meets the condition.

    Raises:
        ValueError: for a sensitivity out of range, or a `num_thresholds` that is not positive.

    Example:

    >>> round(float(SpecificityAtSensitivity(0.5)([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])), 4)
    1.0
    """

    _constraint, _maximized = "sensitivity", "specificity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)


@register("keras.metrics")
class PrecisionAtRecall(_Constrained):
    """Highest precision over the thresholds at which the recall is at least the given one.

    The precision is `tp / (tp + fp)`, the recall `tp / (tp + fn)`.

    Args:
        recall: the least recall, in [0, 1].
        num_thresholds: number of evenly spaced thresholds to try.
        class_id: the only class to look at; None for all.
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, 0 or 1, and `y_pred`, scores, `(batch, ...)`; `sample_weight`, `(batch,)` or the shape of
    `y_true`.

    Result: a scalar in [0, 1]; 0 if no threshold meets the condition.

    Raises:
        ValueError: for a recall out of range, or a `num_thresholds` that is not positive.

    Example:

    >>> round(float(PrecisionAtRecall(0.5)([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])), 4)
    1.0
    """

    _constraint, _maximized = "recall", "precision"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(recall, num_thresholds, class_id, name, dtype)


@register("keras.metrics")
class RecallAtPrecision(_Constrained):
    """Highest recall over the thresholds at which the precision is at least the given one.

    The recall is `tp / (tp + fn)`, the precision `tp / (tp + fp)`.

    Args:
        precision: the least precision, in [0, 1].
        num_thresholds: number of evenly spaced thresholds to try.
        class_id: the only class to look at; None for all.
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, 0 or 1, and `y_pred`, scores, `(batch, ...)`; `sample_weight`, `(batch,)` or the shape of
    `y_true`.

    Result: a scalar in [0, 1]; 0 if no threshold meets the condition.

    Raises:
        ValueError: for a precision out of range, or a `num_thresholds` that is not positive.

    Example:

    >>> round(float(RecallAtPrecision(0.5)([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])), 4)
    1.0
    """

    _constraint, _maximized = "precision", "recall"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(precision, num_thresholds, class_id, name, dtype)
