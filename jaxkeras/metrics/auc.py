"""The area under a curve of decisions at many thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core import config
from jaxkeras.metrics.confusion import CountingMetric, are_evenly_spaced, even_thresholds
from jaxkeras.ops._numpy.arithmetic import divide_no_nan
from jaxkeras.registry import register

_HEIGHTS = {
    "interpolation": lambda left, right: (left + right) / 2.0,
    "minoring": jnp.minimum,
    "majoring": jnp.maximum,
}


def _choose(argument: str, value: Any, choices: dict[str, str]) -> str:
    try:
        return choices[getattr(value, "value", value)]
    except (KeyError, TypeError):
        raise ValueError(
            f"Unknown {argument} {value!r}; expected one of {', '.join(sorted(set(choices.values())))}."
        ) from None


@register("keras.metrics")
class AUC(CountingMetric):
    """Area under the ROC or the precision-recall curve, from counts at fixed thresholds.

    Args:
        num_thresholds: number of thresholds; more are more exact.
        curve: `"ROC"`, `"PR"` (precision and recall) or `"PRGAIN"` (their gains over a constant classifier).
        summation_method: `"interpolation"` (trapezoids; for PR the formula of Davis and Goadrich), `"minoring"` or
            `"majoring"` (rectangles below or above the curve).
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.
        thresholds: thresholds in [0, 1] to use instead of evenly spaced ones.
        multi_label: whether each column of `(batch, labels)` has its own curve; the areas are averaged.
        num_labels: number of columns, with `multi_label` only; taken from the data by default.
        label_weights: weights of the columns, shape `(labels,)`.
        from_logits: whether `y_pred` holds logits rather than probabilities.

    Input shape: `y_true`, 0 or 1, and `y_pred`, probabilities, `(batch, ...)`, or `(batch, labels)` with `multi_label`;
    `sample_weight`, `(batch,)` or the shape of `y_true`.

    Result: a scalar in [0, 1].

    Raises:
        ValueError: for an unknown `curve` or `summation_method`, fewer than two thresholds, or `num_labels` without
            `multi_label`.

    Reference: [Davis and Goadrich, 2006](https://www.biostat.wisc.edu/~page/rocpr.pdf);
    [Flach and Kull, 2015, Precision-Recall-Gain Curves](https://papers.nips.cc/paper/5867).

    Example:

    >>> round(float(AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])), 4)
    0.75
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ):
        super().__init__(name=name, dtype=dtype)
        self._given_thresholds = thresholds is not None
        if thresholds is not None:
            inner = sorted(float(t) for t in thresholds)
            self._evenly_spaced = are_evenly_spaced([0.0, *inner, 1.0])
        else:
            if num_thresholds <= 1:
                raise ValueError(f"`num_thresholds` must be greater than 1; got {num_thresholds}.")
            inner = even_thresholds(num_thresholds)[1:-1]
            self._evenly_spaced = True
        # The ends lie just outside [0, 1], so that every prediction is above the first and none above the last.
        self.thresholds = [0.0 - config.epsilon(), *inner, 1.0 + config.epsilon()]
        self.num_thresholds = len(self.thresholds)
        curves = {key: key.upper() for key in ("roc", "ROC", "pr", "PR", "prgain", "PRGAIN")}
        self.curve = _choose("curve", curve, curves)
        methods = {key: method for method in _HEIGHTS for key in (method, method.capitalize())}
        self.summation_method = _choose("summation_method", summation_method, methods)
        if num_labels and not multi_label:
            raise ValueError("`num_labels` has a meaning only with `multi_label=True`.")
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = None if label_weights is None else np.asarray(label_weights, self.dtype)
        self._from_logits = from_logits
        self._built = False
        if num_labels or not multi_label:
            self._build((None, num_labels) if multi_label else None)

    def _build(self, shape: Any) -> None:
        if shape is not None and len(shape) != 2:
            raise ValueError(f"With `multi_label=True` predictions must have shape (batch, labels); got {shape}.")
        self._add_counts((self.num_thresholds,) if shape is None else (self.num_thresholds, shape[1]))
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch.

        Args:
            y_true: targets 0 or 1, shape `(batch, ...)`.
            y_pred: probabilities (or logits with `from_logits`), same shape.
            sample_weight: shape `(batch,)` or that of `y_true`, or None.
        """
        y_pred = jnp.asarray(y_pred)
        if not self._built:
            self._build(y_pred.shape)
        if self._from_logits:
            y_pred = jax.nn.sigmoid(y_pred)
        self._update(
            y_true,
            y_pred,
            evenly_spaced=self._evenly_spaced,
            sample_weight=sample_weight,
            multi_label=self.multi_label,
            label_weights=None if self.multi_label else self.label_weights,
        )

    def _average(self, increments: jax.Array) -> jax.Array:
        if not self.multi_label:
            return jnp.sum(increments)
        areas = jnp.sum(increments, axis=0)
        if self.label_weights is None:
            return jnp.mean(areas)
        weights = jnp.asarray(self.label_weights)
        return divide_no_nan(jnp.sum(areas * weights), jnp.sum(weights))

    def interpolate_pr_auc(self) -> jax.Array:
        """The area under the precision-recall curve, interpolated as the counts are: linearly in `tp` and `fp`."""
        tp, fp, fn = self.true_positives.value, self.false_positives.value, self.false_negatives.value
        positives = tp + fp
        slope = divide_no_nan(tp[:-1] - tp[1:], jnp.maximum(positives[:-1] - positives[1:], 0))
        intercept = tp[1:] - slope * positives[1:]
        both = (positives[:-1] > 0) & (positives[1:] > 0)
        ratio = jnp.where(both, divide_no_nan(positives[:-1], jnp.maximum(positives[1:], 0)), 1.0)
        increments = slope * (tp[:-1] - tp[1:] + intercept * jnp.log(ratio))
        return self._average(divide_no_nan(increments, jnp.maximum(tp[1:] + fn[1:], 0)))

    def _curve(self) -> tuple[jax.Array, jax.Array]:
        recall = self._ratio("true_positives", "false_negatives")
        if self.curve == "ROC":
            return self._ratio("false_positives", "true_negatives"), recall
        if self.curve == "PR":
            return recall, self._ratio("true_positives", "false_positives")
        tp, fp, tn, fn = (variable.value for variable in self._kept_variables())
        odds = divide_no_nan(tp + fn, tn + fp)
        recall_gain = jnp.where(tp == 0, 0.0, 1.0 - odds * divide_no_nan(fn, tp))
        precision_gain = jnp.where(tp == 0, 1.0, 1.0 - odds * divide_no_nan(fp, tp))
        return jnp.maximum(recall_gain, 0.0), precision_gain

    def result(self) -> jax.Array:
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self.interpolate_pr_auc()
        x, y = self._curve()
        return self._average((x[:-1] - x[1:]) * _HEIGHTS[self.summation_method](y[:-1], y[1:]))

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else self.label_weights.tolist(),
            "from_logits": self._from_logits,
        }
        if self._given_thresholds:
            config["thresholds"] = self.thresholds[1:-1]
        return config
