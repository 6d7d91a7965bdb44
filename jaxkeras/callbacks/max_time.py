"""`MaxTime`: end training after a given time."""

from __future__ import annotations

import datetime
import time
from typing import Any

from jaxkeras.callbacks.callback import Callback
from jaxkeras.core.messages import print_message


class MaxTime(Callback):
    """Ends `fit` when a time has passed since it began.

    The clock is read after each piece of steps that runs as one program (a fraction of a second), so training is not
    slowed down. The epoch in progress ends there, with validation and the hooks of the end of an epoch.

    Args:
        seconds: the time in seconds, or a `datetime.timedelta`; positive.
        verbose: 1 to print a message when the time is over.

    Raises:
        ValueError: for a time that is not positive.

    Example:

    >>> import jaxkeras as jk
    >>> model = jk.Sequential([jk.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x, y = np.ones((8, 2)), np.ones((8, 1))
    >>> history = model.fit(x, y, epochs=10**9, callbacks=[MaxTime(0.2)], verbose=0)
    """

    sees_pieces = True

    def __init__(self, seconds: float | datetime.timedelta, verbose: int = 0):
        super().__init__()
        self.seconds = seconds.total_seconds() if isinstance(seconds, datetime.timedelta) else float(seconds)
        if not self.seconds > 0:
            raise ValueError(f"`seconds` of MaxTime must be positive; got {seconds!r}.")
        self.verbose = verbose
        self._end = float("inf")

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._end = time.monotonic() + self.seconds

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if time.monotonic() >= self._end and not self.model.stop_training:
            self.model.stop_training = True
            if self.verbose > 0:
                print_message(f"Training ends after {self.seconds:g} s.")
