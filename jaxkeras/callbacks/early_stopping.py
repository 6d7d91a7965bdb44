"""`EarlyStopping`: stop when a metric no longer improves."""

from __future__ import annotations

from typing import Any

from jaxkeras.callbacks.monitor import MonitorCallback
from jaxkeras.core.messages import print_message


class EarlyStopping(MonitorCallback):
    """Stops training when a metric no longer improves.

    Args:
        monitor: name of the metric in the logs.
        min_delta: a smaller change does not count as an improvement.
        patience: number of epochs without improvement after which training stops.
        verbose: 1 to print messages.
        mode: `"min"`, `"max"`, or `"auto"` to infer it from the metric.
        baseline: if given, only an epoch that is better than this resets the patience.
        restore_best_weights: whether to restore the weights of the best epoch at the end, even if that epoch is not
            better than `baseline`.
        start_from_epoch: number of epochs to ignore at the start.

    Example:

    >>> import jaxkeras as jk
    >>> stop = jk.callbacks.EarlyStopping("val_accuracy", patience=3, restore_best_weights=True)
    """

    per_member = True
    state_attributes = ("wait", "stopped_epoch", "best", "best_weights", "best_epoch")

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ):
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._reset()

    def _reset(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_weights: Any = None
        self.best_epoch = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._reset()

    def get_monitor_value(self, logs: dict[str, Any] | None) -> Any:
        """Return the value to monitor; override it to compute one from the logs."""
        return self._metric_value(logs, "stop training")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        current = self.get_monitor_value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        improved = self._is_improvement(current, self.best)
        if self.restore_best_weights and (improved or self.best_weights is None):
            self.best_weights = self.model.get_weights()
            self.best_epoch = epoch
        self.wait += 1
        if improved:
            self.best = current
            self.best_epoch = epoch
            if self.baseline is None or self._is_improvement(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            print_message(
                f"Epoch {self.stopped_epoch + 1}: early stopping, no better {self.monitor} in {self.wait} epochs"
            )
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                print_message(f"The model has the weights of its best epoch, {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)
