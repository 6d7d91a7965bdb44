"""Checkpoints by Orbax."""

from __future__ import annotations

import os
from typing import Any

from jaxkeras.callbacks.monitor import MonitorCallback


class OrbaxCheckpoint(MonitorCallback):
    """Saves the model while training goes on, by Orbax, into a folder of numbered checkpoints.

    A checkpoint holds all variables (weights, optimizer, metrics, seeds) and the model's config, in Keras's layout:
    `jaxkeras.models.load_model(directory)` and `model.load_weights(directory)` read the newest one, and so does Keras.
    A damaged one is not used: the one before it is, with a warning. Numbers are those of epochs from 0, or of batches
    if `save_freq` is a number. For a run that goes on by itself after a crash see `BackupAndRestore`.

    Args:
        directory: the folder, a string or path.
        monitor: the number in the logs that `save_best_only` looks at.
        verbose: 1 to say when a checkpoint is written.
        save_best_only: whether to save only when `monitor` is better than ever before.
        mode: `"min"`, `"max"`, or `"auto"` to find out from the metric which is better.
        save_freq: `"epoch"`, or a number of batches.
        initial_value_threshold: the value to beat at first.
        max_to_keep: how many of the newest checkpoints are kept; None for all.
        save_on_background: whether files are written while training goes on. `fit` ends when all are written.
        save_weights_only: leave out the optimizer, metrics and the config.

    Raises:
        ValueError: for a `save_freq` of another form.

    Example:

    >>> import jaxkeras as jk, numpy as np, tempfile
    >>> model = jk.Sequential([jk.Input((2,)), jk.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> folder = tempfile.mkdtemp()
    >>> checkpoint = jk.callbacks.OrbaxCheckpoint(folder, max_to_keep=2)
    >>> history = model.fit(np.ones((8, 2)), np.ones((8, 1)), epochs=3, verbose=0, callbacks=[checkpoint])
    >>> again = jk.models.load_model(folder)
    """

    state_attributes = ("best", "_batches_since_saving", "_last_batch", "_total_batches")

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
        super().__init__(monitor, mode, initial_value_threshold)
        number = isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq >= 1
        if save_freq != "epoch" and not number:
            raise ValueError(
                f"`save_freq` of OrbaxCheckpoint must be 'epoch' or a positive number of batches; got {save_freq!r}."
            )
        self.directory = os.path.abspath(os.fspath(directory))
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_freq = save_freq
        self.max_to_keep = max_to_keep
        self.save_on_background = save_on_background
        self.save_weights_only = save_weights_only
        self._batches_since_saving = 0
        self._last_batch: int | None = None
        self._total_batches = 0
        self._pending: list[Any] = []
        self._made: Any = None

    @property
    def checkpointer(self) -> Any:
        """Orbax's, made when first needed."""
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

    def overrides(self, hook: str) -> bool:
        # Batches matter only when something is saved between them.
        idle = self.save_freq == "epoch" and type(self).on_train_batch_end is OrbaxCheckpoint.on_train_batch_end
        return super().overrides(hook) and not (idle and hook == "on_train_batch_end")

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        optimizer = self.model.optimizer
        self._total_batches = 0 if optimizer is None else int(optimizer.iterations)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.save_freq == "epoch":
            return
        new_epoch = self._last_batch is None or batch <= self._last_batch
        # With `steps_per_execution` not every batch is seen.
        seen = batch + 1 if new_epoch else batch - self._last_batch  # type: ignore[operator]
        self._batches_since_saving += seen
        self._total_batches += seen
        self._last_batch = batch
        if self._batches_since_saving >= self.save_freq:  # type: ignore[operator]
            self._batches_since_saving = 0
            self._save(self._total_batches, dict((logs or {}).items()))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, logs or {})

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        try:
            self.wait_until_finished()
        finally:
            made, self._made = self._made, None
            if made is not None:
                made.close()

    def wait_until_finished(self) -> None:
        """Wait until all checkpoints are written.

        Raises:
            Exception: what went wrong while one was written.
        """
        pending, self._pending = self._pending, []
        for future in pending:
            future.result()

    def _save(self, step: int, logs: dict[str, Any]) -> None:
        from jaxkeras.saving import orbax_format

        if self.save_best_only:
            current = self._metric_value(logs, "tell which model is best, so none is saved")
            if current is None or not self._is_improvement(current, self.best):
                return
            self.best = current
        if self.verbose:
            from jaxkeras.callbacks.progress import print_message

            print_message(f"Saving checkpoint {step} to {self.directory}")
        parts = orbax_format.contents(self.model, self.save_weights_only)
        self.wait_until_finished()  # one at a time, so that what failed is told soon
        how = {"force": True, "overwrite": True}  # also below the number of one of an earlier run
        if self.save_on_background:
            self._pending.append(self.checkpointer.save_checkpointables_async(step, parts, **how))
        else:
            self.checkpointer.save_checkpointables(step, parts, **how)
