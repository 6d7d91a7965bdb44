"""`History`, the result of `fit`."""

from __future__ import annotations

from typing import Any

from jaxkeras.callbacks.callback import Callback


class History(Callback):
    """Records the logs of each epoch. `fit` adds one and returns it.

    Attributes:
        history: `{name: list of values}`, with one value per epoch.
        epoch: the indices of the epochs.

    Example:

    >>> h = History()
    >>> h.on_train_begin()
    >>> h.on_epoch_end(0, {"loss": 0.5})
    >>> h.history
    {'loss': [0.5]}
    """

    state_attributes = ("history", "epoch")

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch.append(epoch)
        for key, value in (logs or {}).items():
            self.history.setdefault(key, []).append(value)
        if self.model is not None:
            self.model.history = self
