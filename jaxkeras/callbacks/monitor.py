"""Base class of callbacks that monitor a metric."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

from jaxkeras import ops
from jaxkeras.callbacks.callback import Callback
from jaxkeras.registry import unknown

_BETTER = {"min": ops.less, "max": ops.greater}
_DIRECTIONS = {"down": "min", "up": "max"}


class MonitorCallback(Callback):
    """Base class of callbacks that check whether a metric has improved.

    Args:
        monitor: name of the metric in the logs.
        mode: `"min"`, `"max"`, or `"auto"` to infer it from the metric.
        baseline: the initial value to improve on, or None.
        min_delta: a smaller change does not count as an improvement.

    Attributes:
        best: the best value so far.
        monitor_op: `ops.less` or `ops.greater`, None until the metric is known.
        min_delta: negative for `ops.less`, so that `monitor_op(value - min_delta, best)` tells an improvement.
    """

    def __init__(
        self, monitor: str = "val_loss", mode: str = "auto", baseline: float | None = None, min_delta: float = 0
    ):
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warnings.warn(
                f"{type(self).__name__} mode '{mode}' is unknown: 'auto' is used. Give 'auto', 'min' or 'max'.",
                stacklevel=3,
            )
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.best = baseline
        self.min_delta = abs(min_delta)
        self.monitor_op: Callable[[Any, Any], Any] | None = None
        self._warned = False

    def _metric_value(self, logs: dict[str, Any] | None, purpose: str) -> Any:
        """Return the monitored value, or None if it is missing, with a warning the first time."""
        logs = logs or {}
        value = logs.get(self.monitor)
        self._set_monitor_op(logs)
        if value is None and not self._warned:
            self._warned = True
            hint = ""
            if self.monitor.startswith("val_") and not any(name.startswith("val_") for name in logs):
                hint = " Pass `validation_data` or `validation_split` to fit()."
            warnings.warn(
                f"{type(self).__name__} cannot {purpose}: there is no metric '{self.monitor}' in the logs, "
                f"only {sorted(logs)}.{hint}",
                stacklevel=3,
            )
        return value

    def _is_improvement(self, value: Any, reference: Any) -> bool:
        if reference is None:
            return True
        better = self._set_monitor_op({self.monitor: value})
        return bool(better(value - self.min_delta, reference))

    def _set_monitor_op(self, logs: dict[str, Any] | None = None) -> Callable[[Any, Any], Any]:
        if self.monitor_op is None:
            mode = self._find_mode({self.monitor: None} if logs is None else logs)
            self.monitor_op = _BETTER[mode]
            self.min_delta = -abs(self.min_delta) if mode == "min" else abs(self.min_delta)
        return self.monitor_op

    def _find_mode(self, logs: dict[str, Any]) -> str:
        if self.mode != "auto":
            return self.mode
        name = self.monitor.removeprefix("val_")
        if name == "loss" or name.endswith("_loss"):
            return "min"
        for metric in _leaf_metrics(getattr(self.model, "metrics", None) or ()):
            # The metrics of a model with several outputs are prefixed by the output.
            direction = getattr(metric, "_direction", None)
            if direction and (name == metric.name or name.endswith(f"_{metric.name}")):
                return _DIRECTIONS[direction]
        if self.monitor not in logs:
            raise unknown(f"metric to monitor by {type(self).__name__}", self.monitor, logs)
        raise ValueError(
            f"{type(self).__name__}(monitor={self.monitor!r}) cannot tell whether less or more of it is better. "
            "Pass `mode='min'` or `mode='max'`."
        )


def _leaf_metrics(metrics: Any) -> Iterator[Any]:
    for metric in metrics:
        yield metric
        yield from _leaf_metrics(getattr(metric, "metrics", None) or ())
