"""`OrbaxCheckpoint`: save checkpoints with Orbax."""

from __future__ import annotations

import os
from typing import Any

from jaxkeras.callbacks.saving_callback import SavingCallback
from jaxkeras.core.messages import print_message
from jaxkeras.saving import orbax_format


class OrbaxCheckpoint(SavingCallback):
    """Saves the model during training to a folder of numbered Orbax checkpoints.

    A checkpoint holds all variables (weights, optimizer, metrics, seeds) and the model's config, in Keras's layout.
    `jaxkeras.models.load_model(directory)` and `model.load_weights(directory)` read the newest one, and so does Keras.
    If it is damaged, the one before is used, with a warning. Arrays that are split over devices are written in parts,
    each by its own process, and may be read in any other layout, by more or fewer devices and processes. Each member of
    a population has a folder of its own in `directory`, `member_0` and so on.

    Checkpoints are numbered by epochs from 0, or by batches if `save_freq` is a number. To resume a run automatically
    after a crash, see `BackupAndRestore`.

    Args:
        directory: the folder, a string or path.
        monitor: name of the metric for `save_best_only`.
        verbose: 1 to print a message for each checkpoint.
        save_best_only: whether to save only if `monitor` has improved.
        mode: `"min"`, `"max"`, or `"auto"` to infer it from the metric.
        save_freq: `"epoch"`, or a number of batches between two checkpoints.
        initial_value_threshold: the initial value to improve on.
        max_to_keep: number of newest checkpoints to keep; None for all.
        save_on_background: whether to write files in the background. `fit` ends when all are written.
        save_weights_only: whether to leave out the optimizer, metrics and the config.

    Raises:
        ValueError: for any other `save_freq` or `max_to_keep`.

    Example:

    >>> import jaxkeras as jk, numpy as np, tempfile
    >>> model = jk.Sequential([jk.Input((2,)), jk.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> folder = tempfile.mkdtemp()
    >>> checkpoint = jk.callbacks.OrbaxCheckpoint(folder, max_to_keep=2)
    >>> history = model.fit(np.ones((8, 2)), np.ones((8, 1)), epochs=3, verbose=0, callbacks=[checkpoint])
    >>> again = jk.models.load_model(folder)
    """

    per_member = True

    def __init__(
        self,
        directory: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
        max_to_keep: int | None = 1,
        save_on_background: bool = True,
        save_weights_only: bool = False,
    ):
        super().__init__(monitor, mode, initial_value_threshold, save_freq, save_best_only, verbose)
        if max_to_keep is not None and max_to_keep < 1:
            raise ValueError(
                f"`max_to_keep` of OrbaxCheckpoint must be a positive number, or None to keep all; got {max_to_keep!r}."
            )
        self.directory = os.path.abspath(os.fspath(directory))
        self.max_to_keep = max_to_keep
        self.save_on_background = save_on_background
        self.save_weights_only = save_weights_only
        self._pending: list[Any] = []
        self._made: Any = None

    @property
    def checkpointer(self) -> Any:
        """Orbax's checkpointer, created on first use."""
        if self._made is None:
            from orbax.checkpoint import v1 as ocp

            policies = ocp.training.preservation_policies
            every: Any = ocp.training.save_decision_policies.FixedIntervalPolicy(1)
            newest: Any = None if self.max_to_keep is None else policies.LatestN(self.max_to_keep)
            self._made = ocp.training.Checkpointer(
                directory=self.directory,
                preservation_policy=newest,
                save_decision_policy=every,
            )
        return self._made

    def for_member(self, index: int) -> None:
        self.directory = os.path.join(self.directory, f"member_{index}")

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        os.makedirs(self.directory, exist_ok=True)
        optimizer = self.model.optimizer
        self._batches_seen = 0 if optimizer is None else int(optimizer.iterations)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        try:
            self.wait_until_finished()
        finally:
            made, self._made = self._made, None
            if made is not None:
                made.close()

    def release(self) -> None:
        self.on_train_end()

    def wait_until_finished(self) -> None:
        """Wait until all checkpoints are written.

        Raises:
            Exception: the exception of a failed write.
        """
        pending, self._pending = self._pending, []
        for future in pending:
            future.result()

    def save_now(self, epoch: int, batch: int | None, logs: dict[str, Any]) -> None:
        if self.save_best_only:
            current = self._metric_value(logs, "tell which model is best, so none is saved")
            if current is None or not self._is_improvement(current, self.best):
                return
            self.best = current
        step = epoch if batch is None else self._batches_seen
        if self.verbose:
            print_message(f"Saving checkpoint {step} to {self.directory}")
        parts = orbax_format.contents(self.model, self.save_weights_only)
        self.wait_until_finished()  # one at a time, so that a failure is raised soon
        how = {"force": True, "overwrite": True}  # an earlier run may have left a higher number
        if self.save_on_background:
            self._pending.append(self.checkpointer.save_checkpointables_async(step, parts, **how))
        else:
            self.checkpointer.save_checkpointables(step, parts, **how)
