"""Logs of a population, which hold one value a member, for callbacks that know numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def is_population(model: Any) -> bool:
    """Whether a callback's model is a `Population`."""
    return hasattr(model, "ranking")


def shown(model: Any, logs: Mapping[str, Any] | None) -> dict[str, Any]:
    """Logs to display: of a population the median over the members that run, and the best value of the loss.

    Args:
        model: the model of a callback.
        logs: the logs of one of its hooks.
    """
    if not is_population(model):
        return dict((logs or {}).items())
    medians = {name: _reduced(np.median, value) for name, value in (logs or {}).items()}
    loss = next((name for name in ("val_loss", "loss") if name in medians), None)
    return medians if loss is None else {**medians, f"best_{loss}": _reduced(np.min, (logs or {})[loss])}


def columns(model: Any, logs: Mapping[str, Any] | None) -> dict[str, Any]:
    """Logs for a service that keeps numbers: of a population `"loss/0"`, `"loss/1"`, ... for the members that run."""
    flat: dict[str, Any] = {}
    for name, value in (logs or {}).items():
        if is_population(model) and np.ndim(value) == 1:
            flat |= {f"{name}/{i}": float(v) for i, v in enumerate(value) if not np.isnan(v)}
        else:
            flat[name] = value
    return flat


def rows(model: Any, logs: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Logs as rows of a table: of a population one for each member that has values, with its index as "member"."""
    if not is_population(model):
        return [dict((logs or {}).items())]
    shared = {name: value for name, value in (logs or {}).items() if np.ndim(value) == 0}
    own = {name: value for name, value in (logs or {}).items() if name not in shared}
    metrics = [value for name, value in own.items() if "learning_rate" not in name]  # also of those that have stopped
    return [
        {"member": i, **shared, **{name: value[i] for name, value in own.items()}}
        for i in range(len(model))
        if not np.isnan([value[i] for value in metrics]).all()
    ]


def _reduced(function: Any, value: Any) -> float:
    values = np.asarray(value, float)
    values = values[np.isfinite(values)]
    return float(function(values)) if values.size else float("nan")
