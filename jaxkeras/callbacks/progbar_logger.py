"""The progress bar of `fit`, `evaluate` and `predict`."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxkeras.callbacks.callback import Callback
from jaxkeras.callbacks.member_logs import shown
from jaxkeras.display.progress import Progbar

_INTERVAL = 0.1  # seconds; each redraw waits for the device, to read the metrics


class ProgbarLogger(Callback):
    """Prints the progress bar. `fit`, `evaluate` and `predict` add one unless `verbose=0`.

    With `verbose=1`, a terminal or a notebook shows a bar that moves during the epoch. Elsewhere, and with `verbose=2`,
    one line is printed at the end of each epoch. The time per step covers the steps only, neither validation nor what
    callbacks do at the end of an epoch. A population shows the median of each metric over the members that run, and the
    best value of the loss.
    """

    one_process = True  # of several
    sees_pieces = True

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.progbar: Progbar | None = None
        self.target: int | None = None
        self.verbose = 1
        self.epochs = 1
        self._in_fit = False

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        verbose = params.get("verbose", 1)
        if verbose != "auto" and not isinstance(verbose, (int, float, np.integer, np.floating, np.bool_)):
            raise ValueError(
                f"`verbose` must be 0 (silent), 1 (a progress bar), 2 (one line per epoch) or 'auto'; got {verbose!r}."
            )
        self.verbose = 1 if verbose == "auto" else int(verbose)
        self.epochs = params.get("epochs", 1)
        self.target = params.get("steps")

    def _begin(self, title: str | None = None) -> None:
        self.seen = 0
        self.progbar = Progbar(self.target, verbose=self.verbose, interval=_INTERVAL, stateless_metrics=())
        if title:
            self.progbar.begin(title)

    def _update(self, batch: int, logs: Any = None) -> None:
        self.seen = batch + 1 if self.target is None else min(batch + 1, self.target)
        if self.progbar is None:
            self._begin()
        assert self.progbar is not None
        if self.progbar.due(self.seen):  # reading the logs waits for the device
            self.progbar.update(self.seen, shown(self.model, logs).items(), finalize=False)

    def stop_clock(self) -> None:
        """Called when the steps of an epoch are done, before any callback's hook."""
        if self.progbar is not None:
            self.progbar.stop_clock()

    def _end(self, logs: Any = None) -> None:
        if self.progbar is None:
            return
        if self.target is None:
            self.target = self.progbar.target = self.seen
        self.progbar.update(self.seen or self.target, shown(self.model, logs).items(), finalize=True)
        self.progbar = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._in_fit = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._in_fit = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._begin(f"Epoch {epoch + 1}/{self.epochs}" if self.epochs > 1 else None)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.progbar is not None and self.seen == 0:  # an interrupted run goes on in the middle of an epoch
            self.progbar.resume(batch)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._update(batch, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._end(logs)

    # Inside `fit`, the line of the epoch shows the results of validation.
    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        if not self._in_fit:
            self._begin()

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if not self._in_fit:
            self._update(batch, logs)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        if not self._in_fit:
            self._end(logs)

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._begin()

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._update(batch)

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        self._end()
