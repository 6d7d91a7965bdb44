"""`Callback`, the base class of callbacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

#: The hooks that are called for every batch, by mode.
BATCH_HOOKS = {
    "train": ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


class Callback:
    """Base class of callbacks: override the hooks you need, and pass an instance to `fit`, `evaluate` or `predict`.

    A callback that overrides a batch hook sees every batch, so each training step waits for Python. One that overrides
    only epoch hooks costs nothing: the steps then run as one compiled program, in pieces of a fraction of a second.

    Attributes:
        model: the model; `self.model.stop_training = True` ends `fit` after the current batch.
        params: a dict with `verbose`, `epochs` and `steps` (None if the length of the data is unknown).
        state_attributes: names of attributes that `BackupAndRestore` saves and restores, so that an interrupted run
            continues as if it had not stopped. Their values are None, numbers, strings, arrays, and lists, tuples and
            dicts of them.
        runs_last: set to True in a class whose hooks must be called after those of all other callbacks.
        probes: functions of `training.step.StepValues` (loss, gradients, parameters before and after), by name. They
            are evaluated inside the compiled train step; the logs hold their means over the epoch.
        one_process: set to True in a class that writes logs, so that of several processes only the first one calls it.
        sees_pieces: set to True in a class whose batch hooks need not see every batch: they are then called once per
            piece of steps, with the index of its last batch, and training is not slowed down.
        per_member: set to True in a class that acts on one model. In the `fit` of a `Population` each member then has a
            copy, which sees the weights and the logs of that member, with its index as `logs["member"]`.

    Example:

    >>> class PrintLoss(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(f"epoch {epoch}: {logs['loss']:.3f}")
    >>> PrintLoss().on_epoch_end(0, {"loss": 0.5})
    epoch 0: 0.500
    """

    sees_pieces: ClassVar[bool] = False
    per_member: ClassVar[bool] = False
    probes: Mapping[str, Callable[..., Any]] = {}
    state_attributes: ClassVar[tuple[str, ...]] = ()
    runs_last: ClassVar[bool] = False
    one_process: ClassVar[bool] = False
    validation_data: Any = None

    # Class attributes, for subclasses that do not call `super().__init__()`.
    params: dict[str, Any] | None = None
    _model: Any = None

    def __init__(self) -> None:
        self.params = None
        self._model = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Called once before a run with `params`."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Called once before a run with the model."""
        self._model = model

    def for_member(self, index: int) -> None:
        """Called once before a run of a population, if the class has `per_member = True`, in the copy for a member.

        Args:
            index: of the member, for example to write to a file of its own.
        """

    @property
    def model(self) -> Any:
        return self._model

    # -- queries of the training loop ----------------------------------------------------------------------------
    def overrides(self, hook: str) -> bool:
        """Whether the class or this instance overrides a hook."""
        method = getattr(self, hook)
        return getattr(method, "__func__", method) is not getattr(Callback, hook)

    def sees_batches(self, mode: str) -> bool:
        """Whether batch hooks must be called at all.

        Args:
            mode: `"train"`, `"test"` or `"predict"`.
        """
        return any(self.overrides(hook) for hook in BATCH_HOOKS[mode])

    def wants_batches(self, mode: str) -> bool:
        """Whether batch hooks must be called for every single batch.

        Args:
            mode: `"train"`, `"test"` or `"predict"`.
        """
        return not self.sees_pieces and self.sees_batches(mode)

    def steps_until_due(self) -> int | None:
        """How many more steps may run before a hook of a class that sees pieces must be called; None for any number."""
        return None

    # -- hooks: training -----------------------------------------------------------------------------------------
    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Called when `fit` starts."""

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Called when `fit` ends, unless by an exception.

        Args:
            logs: the logs of the last epoch.
        """

    def release(self) -> None:
        """Called instead of `on_train_end` when an exception ends `fit`, to close files and finish pending writes. An
        exception raised here becomes a warning, so that the first one is seen."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Called at the start of an epoch of `fit`.

        Args:
            epoch: index from 0.
            logs: empty.
        """

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Called at the end of an epoch of `fit`, after validation.

        Args:
            epoch: index from 0.
            logs: means over the epoch, such as `{"loss": 0.2, "val_loss": 0.3}`. Entries added here are seen by later
                callbacks and by the history.
        """

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called before a batch of `fit`; before every N-th with `steps_per_execution=N`.

        Args:
            batch: index within the epoch.
            logs: empty.
        """
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called after a batch of `fit`; after every N-th with `steps_per_execution=N`.

        Args:
            batch: index within the epoch.
            logs: means over the epoch so far. Only reading them waits for the device.
        """
        self.on_batch_end(batch, logs=logs)

    def on_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Alias of `on_train_batch_begin`, which calls it."""

    def on_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Alias of `on_train_batch_end`, which calls it."""

    # -- hooks: evaluation and prediction ------------------------------------------------------------------------
    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Called when `evaluate`, or validation inside `fit`, starts."""

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Called when `evaluate`, or validation inside `fit`, ends.

        Args:
            logs: means over all batches.
        """

    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called before a batch of evaluation.

        Args:
            batch: index.
            logs: empty.
        """

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called after a batch of evaluation.

        Args:
            batch: index.
            logs: means over the batches so far.
        """

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Called when `predict` starts."""

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        """Called when `predict` ends."""

    def on_predict_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called before a batch of prediction.

        Args:
            batch: index.
            logs: empty.
        """

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called after a batch of prediction.

        Args:
            batch: index.
            logs: `{"outputs": ...}`, the outputs of the model for the batch.
        """
