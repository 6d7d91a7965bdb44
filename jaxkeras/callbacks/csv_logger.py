"""`CSVLogger`: write logs to a CSV file."""

from __future__ import annotations

import csv
import os
from typing import Any

import numpy as np

from jaxkeras.callbacks.callback import Callback
from jaxkeras.callbacks.member_logs import is_population, rows


class CSVLogger(Callback):
    """Writes the logs of each epoch as a line of a CSV file.

    The columns are `epoch` and the names in the logs of the first epoch, in alphabetical order. If these have no
    validation metrics, a `val_` column is added for each. Missing values are written as `NA`. An epoch of a population
    has a line for every member that has values, with its index in the column `member`.

    Args:
        filename: the file, a string or path; missing folders are created.
        separator: the separator of columns.
        append: whether to append to an existing file.

    Example:

    >>> import jaxkeras as jk
    >>> table = jk.callbacks.CSVLogger("training.csv")
    """

    one_process = True  # of several
    state_attributes = ("keys", "_size")

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False):
        super().__init__()
        self.filename = os.fspath(filename)
        self.sep = separator
        self.append = append
        self.csv_file: Any = None
        self.writer: Any = None
        self.keys: list[str] | None = None
        self.append_header = True
        self._size: int | None = None  # size of the file after the last row

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._close()
        os.makedirs(os.path.dirname(self.filename) or ".", exist_ok=True)
        self.keys = self._size = None

    def _open(self, logs: dict[str, Any]) -> Any:
        # Opened late: only now is it known whether an interrupted run was restored, whose rows must be kept.
        restored = self._size is not None and os.path.exists(self.filename)
        if restored:
            os.truncate(self.filename, self._size)  # type: ignore[arg-type]
        go_on = restored or self.append and os.path.exists(self.filename)
        self.append_header = not (go_on and os.path.getsize(self.filename))
        self.csv_file = open(self.filename, "a" if go_on else "w", newline="")
        if self.keys is None:
            self.keys = sorted(logs)
            if not any(key.startswith("val_") for key in self.keys):
                self.keys += [f"val_{key}" for key in self.keys]
            if is_population(self.model):
                self.keys.insert(0, "member")
        self.writer = csv.DictWriter(self.csv_file, ["epoch", *self.keys], delimiter=self.sep)
        if self.append_header:
            self.writer.writeheader()
        return self.csv_file

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        file = self._open(logs) if self.csv_file is None else self.csv_file
        assert self.keys is not None
        for row in rows(self.model, logs):
            self.writer.writerow({"epoch": epoch, **{key: _cell(row.get(key, "NA")) for key in self.keys}})
        file.flush()
        self._size = os.path.getsize(self.filename)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._close()

    def release(self) -> None:
        self._close()

    def _close(self) -> None:
        if self.csv_file is not None:
            self.csv_file.close()
        self.csv_file = self.writer = None


def _cell(value: Any) -> Any:
    if np.ndim(value) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'
