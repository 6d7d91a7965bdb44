"""`BackupAndRestore`: resume an interrupted run exactly."""

from __future__ import annotations

import contextlib
import copy
import os
import pathlib
import random
import shutil
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxkeras.callbacks.callback import Callback
from jaxkeras.core import seeds
from jaxkeras.core.names import unique
from jaxkeras.core.placement import wait_for_processes, writes_files
from jaxkeras.registry import unknown
from jaxkeras.saving import arrays, snapshot
from jaxkeras.saving.atomic import replacing
from jaxkeras.training.agreement import agree

_FILE = "latest.backup"
_FOLDER = "arrays-"


class BackupAndRestore(Callback):
    """Backs up a run of `fit`, so that the same program, restarted after a crash, continues where it was.

    The resumed run is the same, bit for bit: weights, optimizer, learning rate, dropout masks, order of the data,
    metrics, history and other callbacks end as they would have without the crash. In Keras, the order of the data, the
    history and callbacks are reset, and an interrupted epoch is repeated from its first batch with the weights that it
    had in the middle.

    A backup holds the training state, the position in the data, the random generators of Python, NumPy and this
    library, and the attributes of other callbacks that they name in `state_attributes`. It is written atomically, so it
    survives a crash at any time. This callback runs after all others, at any position in the list.

    The run may continue on another number of devices or processes. Several processes need a folder that all of them
    see: the first one writes the file, and each of them its own part of arrays that are split.

    Batches of a stream (`Dataset`, `PyDataset`, grain) are stacked as they arrive. A program for another number of
    batches may round the last digit differently, as in any two runs; with arrays there is no difference.

    The position in the data can be restored for arrays, a `Dataset`, a `PyDataset` without epoch hooks, and grain. With
    other data (generators, a torch `DataLoader`) the run continues at the start of an epoch with the batches that they
    give then, and `fit` warns.

    Args:
        backup_dir: a folder used only for the backup of this run.
        save_freq: `"epoch"`, or a number of batches between two backups. Steps still run as one program, in pieces of a
            fraction of a second, and a backup waits for the end of a piece. False only restores.
        double_checkpoint: whether to keep the previous backup, which is used if the last one is damaged.
        delete_checkpoint: whether to delete the backup when `fit` ends.

    Raises:
        ValueError: if an argument is invalid; from `fit`, if the backup is damaged or of another model, or if
            `save_freq` is a number and the data cannot be resumed in the middle of an epoch.

    Example:

    >>> import jaxkeras as jk, numpy as np, tempfile
    >>> class Crash(jk.callbacks.Callback):
    ...     def on_epoch_begin(self, epoch, logs=None):
    ...         if epoch == 2:
    ...             raise RuntimeError("a crash")
    >>> model = jk.Sequential([jk.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> backup = jk.callbacks.BackupAndRestore(tempfile.mkdtemp())
    >>> x, y = np.ones((8, 2)), np.ones((8, 1))
    >>> try:
    ...     model.fit(x, y, epochs=4, verbose=0, callbacks=[backup, Crash()])
    ... except RuntimeError as error:
    ...     print(error)
    a crash
    >>> history = model.fit(x, y, epochs=4, verbose=0, callbacks=[backup])  # runs two more
    >>> len(history.history["loss"])
    4
    """

    sees_pieces = True
    runs_last = True
    state_attributes = ("_since_backup",)

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ):
        super().__init__()
        if not backup_dir:
            raise ValueError("`backup_dir` of BackupAndRestore is empty; give the name of a folder.")
        number = isinstance(save_freq, int) and save_freq is not True and save_freq >= 0
        if save_freq != "epoch" and not number or (save_freq == 0 and save_freq is not False):
            raise ValueError(
                f"`save_freq` of BackupAndRestore must be 'epoch' or a positive number of batches; got {save_freq!r}."
            )
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._path = pathlib.Path(self.backup_dir) / _FILE
        self._previous = self._path.with_name(f"{_FILE}.bkp")
        self._callbacks: list[Any] = []
        self._restored: dict[str, Any] | None = None
        self._since_backup = 0
        self._last_batch = -1
        self._current_epoch = 0  # the number of finished epochs, under Keras's name

    def overrides(self, hook: str) -> bool:
        # Batch hooks are needed only to save between batches.
        return super().overrides(hook) and not (hook == "on_train_batch_end" and not self._counts())

    def _counts(self) -> bool:
        return self.save_freq != "epoch" and self.save_freq is not False

    def set_peers(self, callbacks: list[Any]) -> None:
        """Called once before a run, with all its callbacks."""
        self._callbacks = callbacks

    # -- hooks ---------------------------------------------------------------------------------------------------
    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._since_backup, self._last_batch = 0, -1
        run = self.model._session.progress
        self._check_data(run)
        backup = self._restored = self._read()
        position = "none" if backup is None else f"epoch {backup['epoch']}, step {backup['step']}"
        agree(f"the backup in '{self.backup_dir}', which all must see", position=position)
        if backup is None:
            return
        self._set_numbers(backup)
        run.epoch, run.step, run.logs = backup["epoch"], backup["step"], backup["logs"]
        self._last_batch = run.step - 1
        if backup["extras"] is not None:
            run.extras = {"logs": backup["extras"], "checks": np.zeros((), np.uint32)}
        for source, state in zip(run.sources, backup["sources"]):
            source.restore(state)
        if backup["stop_training"]:
            self.model.stop_training = True
            if run.step == 0:
                run.epoch = run.epochs

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        backup, self._restored = self._restored, None
        if backup is not None and backup["step"]:
            # Callbacks saw the start of this epoch before the crash, so their state is in the backup.
            self._set_numbers(backup)
        else:
            self._last_batch = -1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if not self._counts():
            return
        self._since_backup += batch - self._last_batch
        self._last_batch = batch
        if self._since_backup >= self.save_freq:  # type: ignore[operator]
            self._since_backup = 0
            self._save()

    def release(self) -> None:
        self._current_epoch = self.model._session.progress.epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._current_epoch = epoch + 1
        if self.save_freq == "epoch":
            self._save()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.delete_checkpoint:
            if writes_files():
                self._path.unlink(missing_ok=True)
                self._previous.unlink(missing_ok=True)
                self._remove_unused()
                with contextlib.suppress(OSError):  # the folder has other files
                    os.rmdir(self.backup_dir)
            wait_for_processes("remove the backup")

    # -- contents of a backup ------------------------------------------------------------------------------------
    def _check_data(self, run: Any) -> None:
        for source in run.sources:
            if getattr(source, "resumable", False):
                continue
            kind = getattr(source, "kind", type(source).__name__)
            if self._counts():
                raise ValueError(
                    f"BackupAndRestore(save_freq={self.save_freq}) backs up in the middle of epochs, but a {kind} "
                    "cannot be entered there again with the same batches. Use save_freq='epoch', or data that can: "
                    "arrays, a jaxkeras Dataset, a PyDataset without epoch hooks, grain."
                )
            warnings.warn(
                f"BackupAndRestore cannot bring a {kind} back to its position: an interrupted run would go on at the "
                "start of an epoch, with the batches that it gives then.",
                stacklevel=2,
            )

    def _stateful(self) -> Iterator[tuple[str, Any]]:
        """Iterate over callbacks with `state_attributes`, with names that are the same in every run."""
        used: dict[str, int] = {}
        for callback in self._callbacks:
            name = unique(type(callback).__name__, used)
            if getattr(callback, "state_attributes", ()):
                yield name, callback

    def _save(self) -> None:
        session = self.model._session
        run = session.progress
        if run.extras is not None:
            session.raise_failed_checks(run.extras)
        own = seeds.global_seed_generator().state.value  # first: making it draws from Python's generator
        os.makedirs(self.backup_dir, exist_ok=True)
        backup = {
            **self._split(session.store.numbers()),
            "callbacks": {
                name: {attribute: getattr(callback, attribute) for attribute in callback.state_attributes}
                for name, callback in self._stateful()
            },
            "random": [random.getstate(), np.random.get_state(legacy=False), own],
            "sources": [source.state() for source in run.sources],
            "epoch": run.epoch,
            "step": run.step,
            "logs": dict(run.logs),
            "extras": None if run.extras is None else run.extras["logs"],
            "stop_training": bool(self.model.stop_training),
        }
        with replacing(self._path) as temporary:
            snapshot.write(temporary, backup)
            if writes_files() and self.double_checkpoint and self._path.exists():
                os.replace(self._path, self._previous)
        if writes_files():
            self._remove_unused()

    def _split(self, numbers: dict[str, Any]) -> dict[str, Any]:
        """Write arrays of which other processes have parts to a folder beside the file, and tell where."""
        split = {name: value for name, value in numbers.items() if not getattr(value, "is_fully_addressable", True)}
        if not split:
            return {"numbers": numbers}
        run = self.model._session.progress
        folder = f"{_FOLDER}{run.epoch}-{run.step}"
        digests = arrays.save(pathlib.Path(self.backup_dir, folder).absolute(), list(split.values()))
        return {
            "numbers": {name: value for name, value in numbers.items() if name not in split},
            "split": {name: (a.shape, a.dtype.name, digest) for (name, a), digest in zip(split.items(), digests)},
            "folder": folder,
        }

    def _remove_unused(self) -> None:
        """Remove folders of arrays that no backup names."""
        folders = list(pathlib.Path(self.backup_dir).glob(f"{_FOLDER}*"))
        used = [_folder_of(path) for path in (self._path, self._previous) if folders and path.exists()]
        for folder in folders:
            if folder.name not in used:
                shutil.rmtree(folder, ignore_errors=True)

    def _read(self) -> dict[str, Any] | None:
        if self._path.exists():
            try:
                return self._joined(snapshot.read(self._path))
            except ValueError as error:
                if not self._previous.exists():
                    raise ValueError(f"{error} Delete it to train from the start.") from error
                warnings.warn(f"{error} The backup before it is used.", stacklevel=3)
        return self._joined(snapshot.read(self._previous)) if self._previous.exists() else None

    def _joined(self, backup: dict[str, Any]) -> dict[str, Any]:
        """A backup with the arrays that are beside the file; each device reads its own part."""
        if "split" in backup:
            now = self.model._session.store.numbers()
            specs = []
            for name, (shape, dtype, _) in backup["split"].items():
                fits = name in now and now[name].shape == tuple(shape) and arrays.is_spread(now[name])
                specs.append(arrays.spec(tuple(shape), np.dtype(dtype), now[name].sharding if fits else None))
            folder = pathlib.Path(self.backup_dir, backup["folder"]).absolute()
            values = arrays.load(folder, specs, [digest for _, _, digest in backup["split"].values()])
            backup["numbers"].update(zip(backup["split"], values))
        return backup

    def _set_numbers(self, backup: dict[str, Any]) -> None:
        store, saved = self.model._session.store, backup["numbers"]
        expected = store.numbers()
        if extra := saved.keys() - expected.keys():
            raise ValueError(f"The backup in '{self.backup_dir}' is of another model: it holds {min(extra)}.")
        store.set_numbers({name: _checked(name, old, saved, self.backup_dir) for name, old in expected.items()})
        for name, callback in self._stateful():
            for attribute, value in backup["callbacks"].get(name, {}).items():
                setattr(callback, attribute, copy.deepcopy(value))  # values are set twice, and lists are mutable
        python, numpy, own = backup["random"]
        seeds.global_seed_generator().state.assign(own)
        random.setstate(python)
        np.random.set_state(numpy)


def _folder_of(path: pathlib.Path) -> str | None:
    """The folder of arrays that a backup names."""
    with contextlib.suppress(ValueError):
        return snapshot.read(path).get("folder")
    return None


def _checked(name: str, old: Any, saved: dict[str, Any], folder: str) -> Any:
    """The saved value of a number of the model."""
    if name not in saved:
        raise unknown(f"number of the model in the backup in '{folder}'", name, saved)
    value = saved[name]
    if (value.shape, value.dtype) != (old.shape, old.dtype):
        raise ValueError(
            f"The backup in '{folder}' is of another model: {name} has shape {value.shape} and dtype {value.dtype} in "
            f"it; expected shape {old.shape} and dtype {old.dtype}."
        )
    return value
