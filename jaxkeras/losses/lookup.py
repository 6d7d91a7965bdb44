"""Losses from names and configs, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxkeras.lookup import Get, lookup_functions
from jaxkeras.losses.loss import Loss

get: Get[Loss | Callable[..., Any] | None]
get, serialize, deserialize = lookup_functions(
    "keras.losses",
    "loss",
    config_argument="name",
    accepts=(
        "a name such as 'mse' (a function) or 'MeanSquaredError' (an object), a Loss or its class, a config, or a "
        "function f(y_true, y_pred)"
    ),
    example=""">>> get("mse").__name__
'mean_squared_error'
>>> deserialize(serialize(get("Huber"))).name
'huber_loss'""",
)
