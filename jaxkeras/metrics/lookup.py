"""Metrics from names and configs, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jaxkeras.lookup import Get, lookup_functions
from jaxkeras.metrics.metric import Metric
from jaxkeras.metrics.reduction import metric_functions


def _with_metric_functions(config: Any, custom_objects: Mapping[str, Any] | None) -> tuple[Any, Any]:
    if isinstance(config, dict) and config.get("class_name") == "function":
        custom_objects = {**metric_functions(), **(custom_objects or {})}
    return config, custom_objects


get: Get[Metric | Callable[..., Any] | None]
get, serialize, deserialize = lookup_functions(
    "keras.metrics",
    "metric",
    prepare=_with_metric_functions,
    accepts=(
        "a name such as 'mse', 'AUC' or 'binary_accuracy', a Metric or its class, a config, or a function "
        "f(y_true, y_pred)"
    ),
    example=""">>> get("mse")
<MeanSquaredError name=mean_squared_error>
>>> deserialize(serialize(get("mse"))).name
'mean_squared_error'""",
)
