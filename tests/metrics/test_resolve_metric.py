"""`compile(metrics=[...])` resolves metrics as in Keras."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import pytest

from jaxkeras import metrics
from jaxkeras.metrics.resolve import resolve_metric

keras = pytest.importorskip("keras")


class Spec(NamedTuple):
    shape: tuple[int | None, ...]
    dtype: str = "float32"


def spec(*shape: int | None) -> Spec:
    return Spec(shape)


SHAPES = [((4,), (4, 1)), ((4, 1), (4, 1)), ((4,), (4, 3)), ((4, 1), (4, 3)), ((4, 3), (4, 3)), ((4, 5), (4, 5, 3)),
          ((4, 5, 1), (4, 5, 3)), ((4, 5, 3), (4, 5, 3)), ((4, 5), (4, 5, 1))]  # fmt: skip


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["accuracy", "acc", "Accuracy", "mse", "MAE", "AUC", "binary_accuracy"])
def test_names_resolve_as_in_keras(name, shapes):
    y_true, y_pred = (spec(*s) for s in shapes)
    ours = resolve_metric(name, y_true, y_pred)
    theirs = keras.src.trainers.compile_utils.get_metric(name, y_true, y_pred)
    assert type(ours).__name__ == type(theirs).__name__ and ours.name == theirs.name == name


def test_functions_and_objects():
    def meanError(y_true, y_pred):
        return jnp.mean(y_true - y_pred, axis=-1)

    y = spec(4, 1)
    wrapped = resolve_metric(meanError, y, y)
    assert type(wrapped) is metrics.MeanMetricWrapper and wrapped.name == "mean_error"
    metric = metrics.Precision(name="p")
    assert resolve_metric(metric, y, y) is metric and metric.name == "p"
    assert resolve_metric(metrics.serialize(metric), y, y).get_config() == metric.get_config()
    with pytest.raises(ValueError, match="Did you mean"):
        resolve_metric("acuracy", y, y)
    with pytest.raises(ValueError, match="None"):
        resolve_metric(None, y, y)


def test_resolving_creates_variables():
    class Lazy(metrics.Metric):
        total = None

        def update_state(self, y_true, y_pred, sample_weight=None):
            if self.total is None:
                self.total = self.add_variable(y_pred.shape[-1:], "zeros", name="total")
            self.total.assign_add(jnp.sum(y_pred, axis=0))

    assert resolve_metric(Lazy(), spec(4, 3), spec(4, 3)).variables[0].shape == (3,)
    assert len(resolve_metric("r2_score", spec(None, 3), spec(None, 3)).variables) == 5
