"""Where a running `fit` is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class FitProgress:
    """The position of a running `fit`. A callback that resumes an interrupted run changes it in `on_train_begin`.

    Args:
        sources: the training data, and the validation data if there is any.
        epoch: the first epoch.
        epochs: the one after the last.

    Attributes:
        step: finished steps of `epoch`.
        logs: those of the epoch before.
        extras: those of the last step.
        validate: validates within an epoch and returns logs; None without validation data.
    """

    def __init__(self, sources: list[Any], epoch: int, epochs: int):
        self.sources, self.epoch, self.epochs = sources, epoch, epochs
        self.step = 0
        self.logs: dict[str, Any] = {}
        self.extras: dict[str, Any] | None = None
        self.validate: Callable[[], dict[str, Any]] | None = None
