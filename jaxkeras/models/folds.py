"""Cross-validation by index tables: every member of a population has rows of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxkeras.data import ArraySource, adapt, checks


class Folds:
    """Rows split into folds of equal size; where they cannot be divided evenly, neighbours overlap by a row.

    Args:
        count: the number of folds.
        members: the number of members; member `i` holds out fold `i % count`.
        rows: the number of rows.
        seed: seed of the order in which rows are dealt to the folds.

    Raises:
        ValueError: for fewer than two folds, or more than rows.
    """

    def __init__(self, count: Any, members: int, rows: int, seed: int):
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or not 2 <= count <= rows:
            raise ValueError(f"`folds` must be a whole number from 2 to the number of rows, {rows}; got {count!r}.")
        order = np.random.default_rng(seed).permutation(rows).astype(np.int32)
        size = -(-rows // count)
        starts = np.linspace(0, rows - size, count).round().astype(int)
        held = [np.sort(order[start : start + size]) for start in starts]
        self.held_out = np.stack([held[i % count] for i in range(members)])
        everything = np.arange(rows, dtype=np.int32)
        self.training = np.stack([np.setdiff1d(everything, own) for own in self.held_out])

    @staticmethod
    def sources(
        count: Any, members: int, x: Any, y: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """The sources of training and validation, and the arguments of `fit` that are left."""
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
        folds = Folds(count, members, whole.num_rows, whole.seed)
        validation_size = kwargs.pop("validation_batch_size", None) or size
        training = TableSource(whole.arrays, folds.training, size, bool(shuffle))
        held_out = TableSource(whole.arrays, folds.held_out, validation_size, False)
        return training, {**kwargs, "validation_data": held_out}


class TableSource(ArraySource):
    """Arrays of which every member reads rows of its own.

    Args:
        arrays: `(x, y, sample_weight)`.
        table: indices of rows, shape `(members, rows of a member)`.
        batch_size: rows in a batch.
        shuffled: whether each member's rows are shuffled in every epoch.
    """

    def __init__(self, arrays: Any, table: np.ndarray, batch_size: int | None, shuffled: bool):
        super().__init__(arrays, batch_size, shuffle=True)  # rows are gathered in an order, shuffled or not
        self._table, self._shuffled = table, shuffled
        self.steps = self._available = -(-table.shape[1] // self.batch_size)
        self._epochs_in_pass = 1

    def order(self, epoch: int) -> np.ndarray:
        """Indices of rows, shape `(rows of a member, members)`."""
        if not self._shuffled:
            return np.ascontiguousarray(self._table.T)
        draw = np.random.default_rng([self.seed, epoch])
        return np.ascontiguousarray(draw.permuted(self._table, axis=1).T)
