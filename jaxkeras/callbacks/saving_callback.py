"""Base class of callbacks that save the model."""

from __future__ import annotations

from typing import Any

from jaxkeras.callbacks.monitor import MonitorCallback


class SavingCallback(MonitorCallback):
    """Base class of callbacks that save the model at the end of each epoch or every `save_freq` batches.

    A subclass overrides `save_now`.

    Args:
        monitor, mode, baseline: see `MonitorCallback`.
        save_freq: `"epoch"`, or a number of batches between two saves (training then runs batch by batch).
        save_best_only: whether to save only if the metric has improved.
        verbose: 1 to print messages.

    Raises:
        ValueError: for any other `save_freq`.
    """

    state_attributes = ("best", "_batches_since_saving", "_batches_seen", "_last_batch")

    def __init__(
        self,
        monitor: str,
        mode: str,
        baseline: float | None,
        save_freq: str | int,
        save_best_only: bool,
        verbose: int,
    ):
        super().__init__(monitor, mode, baseline)
        number = isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq >= 1
        if save_freq != "epoch" and not number:
            raise ValueError(
                f"`save_freq` of {type(self).__name__} must be 'epoch' or a positive number of batches; "
                f"got {save_freq!r}."
            )
        self.save_freq = save_freq
        self.save_best_only = save_best_only
        self.verbose = verbose
        self._batches_since_saving = self._batches_seen = 0
        self._last_batch: int | None = None
        self._epoch = 0

    def save_now(self, epoch: int, batch: int | None, logs: dict[str, Any]) -> None:
        """Save the model, unless `save_best_only` is set and the metric has not improved.

        Args:
            epoch: index from 0.
            batch: index within the epoch, or None at its end.
            logs: logs of the epoch, or of its batches so far.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `save_now(self, epoch, batch, logs)`.")

    def overrides(self, hook: str) -> bool:
        # Batch hooks are needed only to save between batches.
        idle = self.save_freq == "epoch" and type(self).on_train_batch_end is SavingCallback.on_train_batch_end
        return super().overrides(hook) and not (idle and hook == "on_train_batch_end")

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.save_freq == "epoch":
            return
        new_epoch = self._last_batch is None or batch <= self._last_batch
        # With `steps_per_execution` not every batch is seen.
        ran = batch + 1 if new_epoch else batch - self._last_batch  # type: ignore[operator]
        self._batches_since_saving += ran
        self._batches_seen += ran
        self._last_batch = batch
        if self._batches_since_saving >= self.save_freq:  # type: ignore[operator]
            self._batches_since_saving = 0
            self.save_now(self._epoch, batch, dict((logs or {}).items()))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.save_freq == "epoch":
            self.save_now(epoch, None, logs or {})
