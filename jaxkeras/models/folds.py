"""Cross-validation by index tables: every member of a population has rows of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from jaxkeras.data import ArraySource, adapt, checks

Pair = tuple[np.ndarray, np.ndarray]  # rows to train on, and rows held out


def splits(folds: Any, x: Any, y: Any, groups: Any = None) -> list[Pair] | int:
    """The rows of each fold, or the number of folds.

    Args:
        folds: a number; an object with `split(x, y, groups)`, such as those of scikit-learn; or pairs of rows to train
            on and rows held out, as indices or masks.
        x, y: the data.
        groups: a label for each row, for objects that keep rows of one group together.

    Raises:
        ValueError: for anything else, and rows that do not exist.
    """
    if isinstance(folds, (int, np.integer)) and not isinstance(folds, bool):
        return int(folds)
    rows = len(jax.tree.leaves(x)[0])
    if not isinstance(folds, (bool, str)) and hasattr(folds, "split"):
        flat = y.reshape(-1) if getattr(y, "shape", ())[1:] == (1,) else y
        folds = folds.split(x if hasattr(x, "__len__") and len(x) == rows else np.zeros(rows), flat, groups)
    if not isinstance(folds, Iterable) or isinstance(folds, str):
        raise ValueError(
            "`folds` must be a number, an object with `split` such as sklearn.model_selection.KFold(5), or pairs of "
            f"rows to train on and rows held out; got {folds!r}."
        )
    pairs = [(_indices(training, rows), _indices(held_out, rows)) for training, held_out in folds]
    if len(pairs) < 2:
        raise ValueError(f"`folds` gave {len(pairs)} split of the rows; cross-validation needs at least 2.")
    return pairs


def _indices(rows: Any, count: int) -> np.ndarray:
    rows = np.asarray(rows)
    rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int32)
    if rows.ndim != 1 or not rows.size or rows.min() < 0 or rows.max() >= count:
        raise ValueError(f"A fold must hold indices from 0 to {count - 1}, at least one; got {rows!r}.")
    return rows


def dealt(count: int, rows: int, seed: int) -> list[Pair]:
    """Rows dealt to folds at random, with sizes that differ by one at most.

    Raises:
        ValueError: for fewer than two folds, or more than rows.
    """
    if not 2 <= count <= rows:
        raise ValueError(f"`folds` must be a whole number from 2 to the number of rows, {rows}; got {count!r}.")
    order = np.random.default_rng(seed).permutation(rows).astype(np.int32)
    held_out = [np.sort(part) for part in np.array_split(order, count)]
    return [(np.setdiff1d(np.arange(rows, dtype=np.int32), part), part) for part in held_out]


def sources(
    folds: Any, groups: Any, members: int, x: Any, y: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """The source of training, and the arguments of `fit` that are left, with that of validation.

    Member `i` is trained on the first part of fold `i % count`.
    """
    names = ("batch_size", "epochs", "verbose")
    kwargs = {**dict(zip(names, args)), **kwargs}
    for name in ("validation_data", "validation_split", "steps_per_epoch", "validation_steps"):
        if kwargs.pop(name, None):
            raise ValueError(f"`folds` decides which rows are for training and validation: leave out `{name}`.")
    how = {name: kwargs.pop(name, None) for name in ("sample_weight", "class_weight")}
    size, shuffle = checks.batch_size(kwargs.pop("batch_size", None)), kwargs.pop("shuffle", True)
    whole = adapt(x, y, how["sample_weight"], batch_size=size, class_weight=how["class_weight"])
    if not isinstance(whole, ArraySource) or whole.host_only:
        raise ValueError("`folds` needs arrays of numbers in memory, whose rows can be chosen by index.")
    pairs = splits(folds, x, y, groups)
    pairs = dealt(pairs, whole.num_rows, whole.seed) if isinstance(pairs, int) else pairs
    training, held_out = zip(*(pairs[i % len(pairs)] for i in range(members)))
    validation_size = kwargs.pop("validation_batch_size", None) or size
    held = TableSource(whole.arrays, held_out, validation_size, False)
    return TableSource(whole.arrays, training, size, bool(shuffle)), {**kwargs, "validation_data": held}


class TableSource(ArraySource):
    """Arrays of which every member reads rows of its own, in the batches that it would read alone.

    Args:
        arrays: `(x, y, sample_weight)`.
        table: indices of the rows of each member.
        batch_size: rows in a batch.
        shuffled: whether each member's rows are shuffled in every epoch.
    """

    def __init__(self, arrays: Any, table: Any, batch_size: int | None, shuffled: bool):
        super().__init__(arrays, batch_size, shuffle=True)  # rows are gathered in an order, shuffled or not
        self._table, self._shuffled = table, shuffled
        lengths = np.array([len(rows) for rows in table])
        whole, self._tails = np.divmod(lengths, self.batch_size)
        # Whole batches come first, then the last, smaller ones, by size: a step is for the members that have such a
        # batch at that place.
        self._pieces: list[tuple[int, int, int, Any]] = []
        done = 0
        for count in np.unique(whole[whole > 0]):
            self._add(done * self.batch_size, self.batch_size, int(count) - done, whole >= count)
            done = int(count)
        self._ends = {}
        end = done * self.batch_size
        for tail in map(int, np.unique(self._tails[self._tails > 0])):
            self._add(end, tail, 1, self._tails == tail)
            self._ends[tail] = end
            end += tail
        self._length = end
        self.steps = self._available = sum(steps for _, _, steps, _ in self._pieces)
        self._epochs_in_pass = 1

    def _add(self, start: int, size: int, steps: int, members: np.ndarray) -> None:
        self._pieces.append((start, size, steps, None if members.all() else members))

    def pieces(self, rows: int) -> list[tuple[int, int, int, Any]]:
        return self._pieces

    def order(self, epoch: int) -> np.ndarray:
        """Indices of rows, shape `(places, members)`."""
        draw = np.random.default_rng([self.seed, epoch])
        order = np.zeros((self._length, len(self._table)), np.int32)
        for i, rows in enumerate(self._table):
            rows = draw.permutation(rows) if self._shuffled else rows
            tail = self._tails[i]
            whole = len(rows) - tail
            order[:whole, i] = rows[:whole]
            if tail:
                order[self._ends[tail] : self._ends[tail] + tail, i] = rows[whole:]
        return order
