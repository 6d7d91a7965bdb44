"""The `Metric` base class: variables, pure functions, error messages."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxkeras import losses, metrics
from jaxkeras.core.variable import Variable
from jaxkeras.metrics.confusion import count_decisions, even_thresholds
from jaxkeras.metrics.resolve import create_variables
from jaxkeras.registry import register_keras_serializable
from tests.leaks import checking_leaks


class TrueCount(metrics.Metric):
    """A custom metric as a Keras user writes it."""

    def __init__(self, name="true_count", **kwargs):
        super().__init__(name=name, **kwargs)
        self.count = self.add_weight(name="count", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        values = jnp.logical_and(jnp.equal(y_true, True), jnp.equal(y_pred, True)).astype(self.dtype)
        if sample_weight is not None:
            values = values * jnp.asarray(sample_weight, self.dtype)
        self.count.assign_add(jnp.sum(values))

    def result(self):
        return self.count


class Spread(metrics.Metric):
    """Holds a variable assigned as an attribute, a metric, and metrics in containers."""

    def __init__(self, name=None):
        super().__init__(name=name)
        self.mean = metrics.Mean(name="inner")
        self.extra = Variable(np.zeros(2, "float32"), trainable=False, name="extra")
        self.others = {"low": metrics.Sum(name="low"), "more": [metrics.Sum(name="high")]}
        self.seen = self.add_variable((), "zeros", name="seen")

    def update_state(self, values):
        self.mean.update_state(values)
        self.others["low"].update_state(jnp.minimum(values, 0))
        self.others["more"][0].update_state(jnp.maximum(values, 0))
        self.seen.assign(self.seen + values.size)

    def result(self):
        return {"mean": self.mean.result(), "low": self.others["low"].result(), "seen": self.seen}


def test_custom_metric_runs_eagerly_and_compiled():
    metric = TrueCount()
    y_true, y_pred = jnp.array([[1, 0, 1]] * 4), jnp.array([[1, 1, 0]] * 4)
    assert float(metric(y_true[0], y_pred[0])) == 1.0
    metric.reset_state()

    def step(state, batch):
        return metric.stateless_update_state(state, *batch), None

    with checking_leaks():
        state, _ = jax.jit(lambda s: jax.lax.scan(step, s, (y_true, y_pred)))(metric.stateless_reset_state())
    assert float(metric.stateless_result(state)) == 4.0
    assert float(metric.count) == 0.0


def test_variables_of_attributes_are_tracked_in_keras_order():
    metric = Spread()
    assert metric.name == "spread"
    assert [v.path for v in metric.variables] == [
        "spread/seen", "extra", "inner/total", "inner/count", "low/total", "high/total"
    ]  # fmt: skip
    assert all(not v.trainable for v in metric.variables)
    state = jax.jit(metric.stateless_update_state)(metric.stateless_reset_state(), jnp.array([-1.0, 3.0]))
    assert {k: float(v) for k, v in metric.stateless_result(state).items()} == {"mean": 1.0, "low": -1.0, "seen": 2.0}
    metric.update_state(jnp.array([1.0]))
    metric.reset_state()
    assert not any(np.asarray(v.value).any() for v in metric.variables)


def test_config_and_names():
    assert TrueCount.from_config(TrueCount(dtype="float32").get_config()).get_config() == {
        "name": "true_count",
        "dtype": "float32",
    }
    assert metrics.AUC().name == "auc" and metrics.AUC().name == "auc_1"
    assert metrics.Mean(dtype="mixed_bfloat16").dtype == "bfloat16"
    assert metrics.Mean(name="a/b").variables[0].path == "a>b/total"


def test_mean_metric_wrapper_accepts_functions_and_losses():
    @register_keras_serializable("tests")
    def distance(y_true, y_pred, power=1.0):
        return jnp.abs(y_true - y_pred) ** power

    metric = metrics.MeanMetricWrapper(distance, name="d", power=2.0)
    assert float(metric(jnp.zeros(2), jnp.array([1.0, 3.0]))) == 5.0
    back = metrics.deserialize(metrics.serialize(metric))
    assert back._fn is distance and back.get_config() == metric.get_config()
    assert metrics.MeanMetricWrapper(losses.mean_squared_error)._direction == "down"
    wrapped = metrics.MeanMetricWrapper(losses.Huber())
    assert wrapped._direction == "down" and float(wrapped([[0.0]], [[1.0]])) == 0.5


def test_large_class_numbers_in_low_precision():
    """Class numbers are compared as integers, not in the dtype of the scores (bfloat16 has 8 significant bits)."""
    scores = jnp.zeros((1, 400), "bfloat16").at[0, 300].set(1)
    assert float(metrics.sparse_categorical_accuracy([301], scores)[0]) == 0.0
    assert float(metrics.sparse_categorical_accuracy([300], scores)[0]) == 1.0
    assert float(metrics.sparse_categorical_accuracy(np.array([300.0], "float32"), scores)[0]) == 1.0


def test_strict_promotion():
    y, p = jnp.array([[0.0, 1.0], [1.0, 0.0]]), jnp.array([[0.25, 0.75], [0.5, 0.5]])
    rows = [
        metrics.AUC(),
        metrics.AUC(thresholds=[0.1, 0.7], curve="PR", label_weights=[1.0, 2.0]),
        metrics.Recall(top_k=1),
        metrics.RecallAtPrecision(0.5),
        metrics.F1Score(),
        metrics.R2Score(num_regressors=1),
        metrics.OneHotMeanIoU(2),
        metrics.TopKCategoricalAccuracy(1),
        metrics.ConcordanceCorrelation(),
        metrics.RootMeanSquaredError(),
        metrics.BinaryAccuracy(),
    ]
    for metric in rows:
        create_variables(metric, y, p)
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        for metric in rows:
            state = jax.eval_shape(metric.stateless_update_state, metric.stateless_reset_state(), y, p)
            jax.eval_shape(metric.stateless_result, state)


@jax.jit
def both_ways(y_true, y_pred, weight):
    return [
        count_decisions(
            y_true, y_pred, even_thresholds(9), dtype="float32", sample_weight=weight, evenly_spaced=evenly_spaced
        )
        for evenly_spaced in (False, True)
    ]


scores_at = st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.integers(0, 3)), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(scores_at)
def test_bucketed_counts_equal_comparisons(samples):
    """Scores at, below and above the thresholds 0, 1/8, ..., 1, padded to a fixed shape."""
    samples += [(False, 0, 0)] * (12 - len(samples))
    positive, place, weight = (np.array(x) for x in zip(*samples))
    compared, bucketed = both_ways(positive, (place / 40).astype("float32"), weight)
    for a, b in zip(compared, bucketed):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: metrics.get("binary_acuracy"), ValueError, "Did you mean 'binary_accuracy'"),
        (lambda: metrics.get(3), ValueError, "Cannot use 3 as a metric"),
        (lambda: metrics.Mean().stateless_result([0.0]), ValueError, "2 variables of 'mean' .*mean/total"),
        (lambda: metrics.Precision(thresholds=[0.5, 2]), ValueError, r"in \[0, 1\]; got \[2\]"),
        (lambda: metrics.AUC(num_thresholds=1), ValueError, "greater than 1"),
        (lambda: metrics.AUC(curve="roc_curve"), ValueError, "expected one of PR, PRGAIN, ROC"),
        (lambda: metrics.AUC(num_labels=2), ValueError, "multi_label=True"),
        (lambda: metrics.RecallAtPrecision(1.5), ValueError, r"`precision` must lie in \[0, 1\]"),
        (lambda: metrics.FBetaScore(beta=1), ValueError, "positive float"),
        (lambda: metrics.F1Score()([1], [0.5]), ValueError, r"shape \(batch, outputs\)"),
        (lambda: metrics.F1Score()([[1]], [[0.5]], [1.0, 2.0]), ValueError, r"for each sample, shape \(1,\)"),
        (lambda: metrics.R2Score(num_regressors=-1), ValueError, "negative"),
        (lambda: metrics.IoU(2, [2]), ValueError, "below 2; got 2"),
        (lambda: metrics.Mean()(np.ones((4, 3)), np.ones(3)), ValueError, r"shape \(3,\) does not fit"),
        (lambda: metrics.Metric().result(), NotImplementedError, "define `result"),
        (lambda: metrics.Metric()([1], [1]), NotImplementedError, "define `update_state"),
    ],
)
def test_error_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_creating_variables_in_a_stateless_update_raises():
    with pytest.raises(RuntimeError, match="nothing would keep it"):
        metrics.F1Score().stateless_update_state([], jnp.ones((2, 2)), jnp.ones((2, 2)))


def test_missing_super_init_raises():
    class Broken(metrics.Metric):
        def __init__(self):
            self.name = "broken"
            self.total = self.add_variable((), "zeros")

    with pytest.raises(RuntimeError, match="super"):
        Broken()


def test_fractional_weights_of_counts_warn():
    with pytest.warns(UserWarning, match="fraction"):
        metrics.MeanIoU(2).update_state([0, 1], [0, 1], sample_weight=np.array([0.5, 1.0]))
