"""Resolve `compile(metrics=[...])`, given the shapes of targets and predictions."""

from __future__ import annotations

from typing import Any

import jax

from jaxkeras.core.dtypes import standardize_dtype
from jaxkeras.core.functional import functional_call
from jaxkeras.core.tracebacks import explain
from jaxkeras.losses.resolve import by_shape, object_name
from jaxkeras.metrics.accuracy import BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy
from jaxkeras.metrics.lookup import get
from jaxkeras.metrics.metric import Metric
from jaxkeras.metrics.reduction import MeanMetricWrapper


def create_variables(metric: Metric, y_true: Any, y_pred: Any) -> None:
    """Create the variables of a metric whose shape depends on the data, without computing anything.

    Args:
        metric: a metric; nothing happens if it has its variables already.
        y_true, y_pred: arrays, or specs with a `shape` and a `dtype` (unknown sizes may be None).
    """
    if metric._built and metric.variables:
        return

    def spec(x: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct([1 if n is None else n for n in x.shape], standardize_dtype(x.dtype))

    def update(t: Any, p: Any) -> None:
        functional_call({}, {}, lambda: metric.update_state(t, p), abstract=True)

    try:
        jax.eval_shape(update, spec(y_true), spec(y_pred))
    except (TypeError, ValueError) as error:
        explain(error, f"metric '{metric.name}'", {"y_true": y_true, "y_pred": y_pred})
        raise


def resolve_metric(identifier: Any, y_true: Any, y_pred: Any) -> Metric:
    """The metric of one output, with all its variables; the same for `metrics` and `weighted_metrics`.

    Args:
        identifier: a name, where the shapes decide what `"accuracy"` and `"acc"` mean; a `Metric`; a config;
            or a function `f(y_true, y_pred)`, which is averaged.
        y_true, y_pred: arrays, or specs with a `shape` and a `dtype`, of targets and predictions.

    Returns:
        A metric, named by the string that the user wrote or after the function.

    Raises:
        ValueError: for None and for an unknown name.
    """
    if identifier is None:
        raise ValueError("A metric is None; give a name such as 'accuracy', a Metric, or a function f(y_true, y_pred).")
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc"):
        found = by_shape(
            y_true,
            y_pred,
            binary=BinaryAccuracy,
            sparse=SparseCategoricalAccuracy,
            categorical=CategoricalAccuracy,
        )(name=identifier)
    else:
        found = get(identifier)
    name = identifier if isinstance(identifier, str) else object_name(found)
    metric = found if isinstance(found, Metric) else MeanMetricWrapper(found)  # type: ignore[arg-type]
    metric.name = name
    create_variables(metric, y_true, y_pred)
    return metric
