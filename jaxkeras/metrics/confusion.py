"""Counts of right and wrong decisions at one or many thresholds, and what is computed from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core import config
from jaxkeras.core.variable import Variable
from jaxkeras.losses.loss import squeeze_or_expand_to_same_rank
from jaxkeras.metrics.metric import Metric
from jaxkeras.ops._numpy.arithmetic import divide_no_nan
from jaxkeras.registry import register

# Stands for minus infinity among scores: below every threshold.
_LOWEST = -1e10
_COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")


class Counts(NamedTuple):
    """Weighted counts at each threshold, shape `(thresholds,)`, or `(thresholds, labels)` per label."""

    true_positives: jax.Array
    false_positives: jax.Array
    true_negatives: jax.Array
    false_negatives: jax.Array


def parse_thresholds(thresholds: Any, default: float) -> list[float]:
    """Thresholds as a list.

    Raises:
        ValueError: for one outside [0, 1].
    """
    if thresholds is None:
        return [default]
    thresholds = list(thresholds) if isinstance(thresholds, (list, tuple, np.ndarray)) else [thresholds]
    wrong = [t for t in thresholds if t is None or t < 0 or t > 1]
    if wrong:
        raise ValueError(f"Thresholds must lie in [0, 1]; got {wrong}.")
    return thresholds


def are_evenly_spaced(thresholds: Iterable[float]) -> bool:
    """Whether three or more thresholds divide [0, 1] into equal parts, which allows counting by buckets."""
    thresholds = np.asarray(list(thresholds), np.float32)
    if thresholds.size < 3:
        return False
    return bool(np.allclose(thresholds, np.linspace(0, 1, thresholds.size, dtype=np.float32), atol=config.epsilon()))


def even_thresholds(count: int) -> list[float]:
    """`count` thresholds from 0 to 1 in equal steps.

    Raises:
        ValueError: for a count that only a mistake, or a hostile file, can ask for.
    """
    if count > 1_000_000:
        raise ValueError(f"`num_thresholds` must be at most 1,000,000; got {count:,}. 200 are usual.")
    return [0.0, *(i / (count - 1) for i in range(1, count - 1)), 1.0]


def keep_top_k(scores: jax.Array, k: int) -> jax.Array:
    """Scores, with those that are not among the `k` highest of the last axis replaced by a very low one."""
    _, best = jax.lax.top_k(scores, k)
    kept = jnp.sum(jax.nn.one_hot(best, scores.shape[-1], dtype=scores.dtype), axis=-2)
    return jnp.where(kept > 0, scores, _LOWEST)


def _by_comparison(positive: jax.Array, scores: jax.Array, weights: jax.Array, thresholds: jax.Array) -> Counts:
    positive, scores, weights = positive[None], scores[None], weights[None]
    above = scores > thresholds.reshape(-1, *(1,) * (scores.ndim - 1))

    def count(condition: jax.Array) -> jax.Array:
        return jnp.sum(jnp.where(condition, weights, 0), axis=1)

    return Counts(
        count(positive & above), count(~positive & above), count(~positive & ~above), count(positive & ~above)
    )


def _by_bucket(positive: jax.Array, scores: jax.Array, weights: jax.Array, count: int, open_ended: bool) -> Counts:
    """Same as `_by_comparison` for evenly spaced thresholds, at a cost that does not grow with their number.

    A score is above as many thresholds as its place among them, so a histogram, summed from above, gives the counts.
    """
    bucket = jnp.ceil(jnp.clip(scores, 0.0, 1.0) * (count - 1)) - 1
    if open_ended:
        bucket = jnp.maximum(bucket, 0)
    bucket = bucket.astype(jnp.int32)
    labels = scores.shape[1:]
    column = jnp.arange(int(np.prod(labels, dtype=int))).reshape(1, *labels)
    # Scores at or below the first threshold are above none: they go to a bucket after the last, which is dropped.
    place = jnp.where(bucket < 0, count, bucket) * column.size + column

    def above(values: jax.Array) -> jax.Array:
        sums = jax.ops.segment_sum(values.reshape(-1), place.reshape(-1), num_segments=count * column.size)
        return jnp.cumsum(sums.reshape(count, *labels)[::-1], axis=0)[::-1]

    right, wrong = jnp.where(positive, weights, 0), jnp.where(positive, 0, weights)
    true_positives, false_positives = above(right), above(wrong)
    return Counts(
        true_positives,
        false_positives,
        jnp.sum(wrong, axis=0) - false_positives,
        jnp.sum(right, axis=0) - true_positives,
    )


def count_decisions(
    y_true: Any,
    y_pred: Any,
    thresholds: Iterable[float],
    *,
    dtype: Any,
    evenly_spaced: bool = False,
    top_k: int | None = None,
    class_id: int | None = None,
    sample_weight: Any = None,
    multi_label: bool = False,
    label_weights: Any = None,
) -> Counts:
    """Count true and false positives and negatives, a prediction being positive when above a threshold.

    Args:
        y_true: targets, zero or not, shape `(batch, ...)`.
        y_pred: scores, same shape.
        thresholds: where to count.
        dtype: the type of the counts.
        evenly_spaced: whether the thresholds are those of `even_thresholds` (the first and last perhaps just
            outside [0, 1]); then the cost does not grow with their number.
        top_k: only the `k` best classes of each sample can be positive.
        class_id: count for this class only.
        sample_weight: shape `(batch,)` or that of `y_true`.
        multi_label: whether to count for each column of `(batch, labels)` apart.
        label_weights: weights of the columns, when they are not counted apart.

    Returns:
        The counts.
    """
    y_true, y_pred = jnp.asarray(y_true, dtype), jnp.asarray(y_pred, dtype)
    thresholds = np.asarray(list(thresholds))
    y_pred, y_true = squeeze_or_expand_to_same_rank(y_pred, y_true)
    if sample_weight is not None:
        _, sample_weight = squeeze_or_expand_to_same_rank(
            y_true, jnp.asarray(sample_weight, dtype)[..., None], expand_rank_1=False
        )
    if top_k is not None:
        y_pred = keep_top_k(y_pred, top_k)
    if class_id is not None:
        if y_pred.ndim == 1:
            raise ValueError(f"With `class_id` predictions must have shape (batch, classes); got {y_pred.shape}.")
        y_true, y_pred = y_true[..., class_id, None], y_pred[..., class_id, None]

    weights = jnp.ones((), dtype) if sample_weight is None else sample_weight
    weights = weights.reshape(*weights.shape, *(1,) * (y_pred.ndim - weights.ndim))
    if label_weights is not None:
        weights = weights * jnp.asarray(label_weights, dtype).reshape(*(1,) * (y_pred.ndim - 1), -1)
    positive, weights = y_true != 0, jnp.broadcast_to(weights, y_pred.shape)
    if not multi_label:
        positive, y_pred, weights = positive.reshape(-1), y_pred.reshape(-1), weights.reshape(-1)
    if evenly_spaced:
        open_ended = bool(thresholds[0] < 0.0 or thresholds[-1] > 1.0)
        return _by_bucket(positive, y_pred, weights, thresholds.size, open_ended)
    return _by_comparison(positive, y_pred, weights, jnp.asarray(thresholds, dtype))


class CountingMetric(Metric):
    """A metric whose variables are some of `Counts`.

    Class attributes:
        _kept: which of the counts the metric keeps, each in a variable of that name.
    """

    _kept: tuple[str, ...] = _COUNTS
    _direction: str | None = "up"
    thresholds: list[float]
    true_positives: Variable
    false_positives: Variable
    true_negatives: Variable
    false_negatives: Variable

    def _add_counts(self, shape: tuple[int, ...]) -> None:
        for name in self._kept:
            setattr(self, name, self.add_variable(shape, "zeros", name=name))

    def _update(self, y_true: Any, y_pred: Any, **options: Any) -> None:
        counts = count_decisions(y_true, y_pred, self.thresholds, dtype=self._kept_variables()[0].dtype, **options)
        for name, variable in zip(self._kept, self._kept_variables()):
            variable.assign_add(getattr(counts, name))

    def _kept_variables(self) -> list[Variable]:
        return [getattr(self, name) for name in self._kept]

    def _ratio(self, part: str, rest: str) -> jax.Array:
        count, others = getattr(self, part).value, getattr(self, rest).value
        return divide_no_nan(count, count + others)


class _OneCount(Metric):
    _counted: str

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.thresholds = parse_thresholds(thresholds, 0.5)
        self._evenly_spaced = are_evenly_spaced(self.thresholds)
        self.accumulator = self.add_variable((len(self.thresholds),), "zeros", name="accumulator")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch; for shapes see `count_decisions`."""
        counts = count_decisions(
            y_true,
            y_pred,
            self.thresholds,
            dtype=self.accumulator.dtype,
            evenly_spaced=self._evenly_spaced,
            sample_weight=sample_weight,
        )
        self.accumulator.assign_add(getattr(counts, self._counted))

    def result(self) -> jax.Array:
        counts = self.accumulator.value
        return counts[0] if len(self.thresholds) == 1 else counts

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.init_thresholds}


@register("keras.metrics")
class TruePositives(_OneCount):
    """Weighted number of positive targets (1) with a prediction above the threshold.

    Args:
        thresholds: one or several in [0, 1]; 0.5 by default.
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, 0 or 1, and `y_pred`, scores, `(batch, ...)`; `sample_weight`, `(batch,)` or the shape of
    `y_true`.

    Result: a scalar, or `(thresholds,)` for several thresholds.

    Raises:
        ValueError: for thresholds out of range.

    Example:

    >>> float(TruePositives()([0, 1, 1, 1], [1, 0, 1, 1]))
    2.0
    """

    _counted = "true_positives"


@register("keras.metrics")
class FalsePositives(_OneCount):
    """Weighted number of negative targets (0) with a prediction above the threshold.

    Args:
        thresholds: one or several in [0, 1]; 0.5 by default.
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, 0 or 1, and `y_pred`, scores, `(batch, ...)`; `sample_weight`, `(batch,)` or the shape of
    `y_true`.

    Result: a scalar, or `(thresholds,)` for several thresholds.

    Raises:
        ValueError: for thresholds out of range.

    Example:

    >>> float(FalsePositives()([0, 1, 1, 1], [1, 0, 1, 1]))
    1.0
    """

    _counted = "false_positives"


@register("keras.metrics")
class TrueNegatives(_OneCount):
    """Weighted number of negative targets (0) with a prediction not above the threshold.

    Args:
        thresholds: one or several in [0, 1]; 0.5 by default.
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, 0 or 1, and `y_pred`, scores, `(batch, ...)`; `sample_weight`, `(batch,)` or the shape of
    `y_true`.

    Result: a scalar, or `(thresholds,)` for several thresholds.

    Raises:
        ValueError: for thresholds out of range.

    Example:

    >>> float(TrueNegatives()([0, 1, 1, 1], [1, 0, 1, 1]))
    0.0
    """

    _counted = "true_negatives"


@register("keras.metrics")
class FalseNegatives(_OneCount):
    """Weighted number of positive targets (1) with a prediction not above the threshold.

    Args:
        thresholds: one or several in [0, 1]; 0.5 by default.
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, 0 or 1, and `y_pred`, scores, `(batch, ...)`; `sample_weight`, `(batch,)` or the shape of
    `y_true`.

    Result: a scalar, or `(thresholds,)` for several thresholds.

    Raises:
        ValueError: for thresholds out of range.

    Example:

    >>> float(FalseNegatives()([0, 1, 1, 1], [1, 0, 1, 1]))
    1.0
    """

    _counted = "false_negatives"


class _Share(CountingMetric):
    """True positives divided by the sum of them and `_kept[1]`."""

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id
        self.thresholds = parse_thresholds(thresholds, 0.5 if top_k is None else _LOWEST)
        self._evenly_spaced = are_evenly_spaced(self.thresholds)
        self._add_counts((len(self.thresholds),))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch; for shapes see `count_decisions`."""
        self._update(
            y_true,
            y_pred,
            evenly_spaced=self._evenly_spaced,
            top_k=self.top_k,
            class_id=self.class_id,
            sample_weight=sample_weight,
        )

    def result(self) -> jax.Array:
        share = self._ratio(*self._kept)
        return share[0] if len(self.thresholds) == 1 else share

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "thresholds": self.init_thresholds,
            "top_k": self.top_k,
            "class_id": self.class_id,
        }


@register("keras.metrics")
class Precision(_Share):
    """Precision, `tp / (tp + fp)`: the share of predicted positives that are right.

    Args:
        thresholds: one or several in [0, 1]; 0.5 by default, or none with `top_k`.
        top_k: only the `k` highest scores of each sample count as predicted; None for all above the threshold.
        class_id: the only class to look at; None for all.
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, 0 or 1, and `y_pred`, scores, `(batch, ...)`; `sample_weight`, `(batch,)` or the shape of
    `y_true`.

    Result: a scalar, or `(thresholds,)` for several thresholds. 0 without predicted positives.

    Raises:
        ValueError: for thresholds out of range.

    Example:

    >>> round(float(Precision()([0, 1, 1, 1], [1, 0, 1, 1])), 4)
    0.6667
    """

    _kept = ("true_positives", "false_positives")


@register("keras.metrics")
class Recall(_Share):
    """Recall, `tp / (tp + fn)`: the share of positive targets that are found.

    Args:
        thresholds: one or several in [0, 1]; 0.5 by default, or none with `top_k`.
        top_k: only the `k` highest scores of each sample count as predicted; None for all above the threshold.
        class_id: the only class to look at; None for all.
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, 0 or 1, and `y_pred`, scores, `(batch, ...)`; `sample_weight`, `(batch,)` or the shape of
    `y_true`.

    Result: a scalar, or `(thresholds,)` for several thresholds. 0 without positive targets.

    Raises:
        ValueError: for thresholds out of range.

    Example:

    >>> round(float(Recall()([0, 1, 1, 1], [1, 0, 1, 1])), 4)
    0.6667
    """

    _kept = ("true_positives", "false_negatives")
