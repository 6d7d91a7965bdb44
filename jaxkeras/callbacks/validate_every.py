"""`ValidateEvery`: validation within epochs."""

from __future__ import annotations

from typing import Any

from jaxkeras.callbacks.callback import Callback
from jaxkeras.core.messages import print_message


class ValidateEvery(Callback):
    """Validates after every so many steps of `fit`, on its validation data.

    The metrics of training go on as if nothing had happened, which they do not after a call of `model.evaluate` in a
    hook. Steps stay fused between validations. The logs of an epoch hold the values of the last validation, unless
    `fit` validates at the end of that epoch; with `fit(..., validation_freq=[])` it does not.

    Args:
        steps: the number of steps between validations, counted from the beginning of `fit`; positive. With
            `steps_per_execution`, validation waits for the end of an execution.
        verbose: 1 to print the results.

    Attributes:
        history: `{"step": [...], "val_loss": [...], ...}`, one entry for each validation.

    Raises:
        ValueError: for a number of steps below 1, and from `fit` without validation data.

    Example:

    >>> import jaxkeras as jk
    >>> x, y = np.ones((64, 2)), np.ones((64, 1))
    >>> model = jk.Sequential([jk.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> checks = ValidateEvery(3)
    >>> history = model.fit(x, y, batch_size=8, validation_data=(x, y), callbacks=[checks], verbose=0)
    >>> checks.history["step"]
    [3, 6]
    """

    sees_pieces = True
    state_attributes = ("history", "_done")

    def __init__(self, steps: int, verbose: int = 0):
        super().__init__()
        if steps < 1:
            raise ValueError(f"`steps` of ValidateEvery must be at least 1; got {steps!r}.")
        self.steps, self.verbose = int(steps), verbose
        self.history: dict[str, list[float]] = {"step": []}
        self._done = self._before = 0  # steps in all, and in the epochs that have ended

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.history = {"step": []}
        self._done = self._before = 0
        if self.model._session.progress.validate is None:
            raise ValueError("ValidateEvery needs validation data: fit(..., validation_data=(x_val, y_val)).")

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._before = self._done - self.model._session.progress.step  # an interrupted run goes on within an epoch

    def steps_until_due(self) -> int:
        """How many more steps may run before this callback must be called."""
        return self.steps - self._done % self.steps

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        due = self._done // self.steps
        self._done = self._before + batch + 1
        if self._done // self.steps == due:
            return
        values = self.model._session.progress.validate()
        self.history["step"].append(self._done)
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)
        if self.verbose > 0:
            shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
            print_message(f"Step {self._done}: {shown}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None and self.history["step"]:
            for name, values in self.history.items():
                if name != "step":
                    logs.setdefault(name, values[-1])
