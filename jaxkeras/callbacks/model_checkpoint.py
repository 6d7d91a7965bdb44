"""`ModelCheckpoint`: save the model during training."""

from __future__ import annotations

import os
import warnings
from typing import Any

from jaxkeras.callbacks.saving_callback import SavingCallback
from jaxkeras.core.messages import print_message
from jaxkeras.registry import unknown


class ModelCheckpoint(SavingCallback):
    """Saves the model, or its weights, during training.

    Args:
        filepath: a string or path, which may contain `{epoch}`, `{batch}` and names of metrics, as in
            `"{epoch:02d}-{val_loss:.2f}.keras"` (epochs and batches count from 1; `{member}` is the index of a member
            of a `Population`). It must end with `.keras` (or `.h5`), or with `.weights.h5` if only weights are saved.
            Missing folders are created.
        monitor: name of the metric that decides which model is best.
        verbose: 1 to print messages.
        save_best_only: whether to save only if the metric has improved.
        save_weights_only: whether to save only the weights.
        mode: `"min"`, `"max"`, or `"auto"` to infer it from the metric.
        save_freq: `"epoch"`, or a number of batches between two saves (training then runs batch by batch).
        initial_value_threshold: with `save_best_only`, the initial value to improve on.

    Raises:
        ValueError: if the file name or `save_freq` is invalid.

    Example:

    >>> import jaxkeras as jk
    >>> best = jk.callbacks.ModelCheckpoint("best.keras", "val_accuracy", save_best_only=True)
    """

    per_member = True

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ):
        super().__init__(monitor, mode, initial_value_threshold, save_freq, save_best_only, verbose)
        self.filepath = os.fspath(filepath)
        self.save_weights_only = save_weights_only
        endings = (".weights.h5",) if save_weights_only else (".keras", ".h5")
        if not self.filepath.endswith(endings):
            stem = self.filepath.removesuffix(".h5").removesuffix(".keras")
            raise ValueError(
                f"ModelCheckpoint saves {'weights' if save_weights_only else 'whole models'} to a file that ends with "
                f"'{endings[0]}'; got filepath={self.filepath!r}. Write {stem + endings[0]!r}."
            )

    def for_member(self, index: int) -> None:
        if "{member" not in self.filepath:
            stem, dot, ending = self.filepath.partition(".")
            raise ValueError(
                f"ModelCheckpoint saves each member of a population, so its path must contain {{member}}: "
                f"{stem}-{{member}}{dot}{ending}; got filepath={self.filepath!r}."
            )

    def save_now(self, epoch: int, batch: int | None, logs: dict[str, Any]) -> None:
        path = self._path(epoch, batch, logs)
        if self._should_save(epoch, logs, path):
            self._write(path)

    def _write(self, path: str) -> None:
        """Save the model to a file, whose folder is created."""
        if os.path.isdir(path):
            raise OSError(f"ModelCheckpoint cannot write the file {path!r}: there is a folder of that name.")
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)

    def _path(self, epoch: int, batch: int | None, logs: dict[str, Any]) -> str:
        fields = {**logs, "epoch": epoch + 1}
        if batch is not None:
            fields.setdefault("batch", batch + 1)
        try:
            return self.filepath.format(**fields)
        except KeyError as error:
            problem = unknown(f"placeholder in ModelCheckpoint(filepath={self.filepath!r})", error.args[0], fields)
            raise KeyError(str(problem)) from None

    def _should_save(self, epoch: int, logs: dict[str, Any], path: str) -> bool:
        now = f"Epoch {epoch + 1}:"
        if not self.save_best_only:
            self._say(f"{now} saving the model to {path}")
            return True
        current = self._metric_value(logs, "tell which model is best, so every one is saved")
        if current is None:
            return True
        if getattr(current, "ndim", 0) > 0:
            warnings.warn(
                f"ModelCheckpoint(save_best_only=True) needs a number, but '{self.monitor}' has shape {current.shape}; "
                "every model is saved.",
                stacklevel=4,
            )
            return True
        if not self._is_improvement(current, self.best):
            self._say(f"{now} {self.monitor} {current:.5f} is not better than {self.best:.5f}")
            return False
        before = "" if self.best is None else f", before {self.best:.5f}"
        self._say(f"{now} best {self.monitor} so far, {current:.5f}{before}; saving the model to {path}")
        self.best = current
        return True

    def _say(self, message: str) -> None:
        if self.verbose > 0:
            print_message(message)
