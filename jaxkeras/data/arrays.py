"""Batches of arrays in memory, and the order of their rows in each epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from jaxkeras.core.seeds import make_default_seed
from jaxkeras.data import checks
from jaxkeras.data.convert import is_sparse, is_text, map_leaves, named_leaves, to_array
from jaxkeras.data.weights import output_weights

_LABELS = ("x", "y", "sample_weight")
Batch = tuple[Any, Any, Any]


class Source:
    """Base class of the data that training reads: batches `(x, y, sample_weight)` for each epoch.

    Attributes:
        steps: number of batches in a full epoch, or None while unknown.
        resumable: whether iteration can start in the middle of an epoch, with the same batches as before.
        used_up: whether the data can be read only once, and were.
        kind: the name of the data in messages.
        tells_end: whether it warns itself when an epoch ends early.
    """

    steps: int | None
    resumable: bool
    used_up = False
    kind = "data"
    tells_end = False

    def peek(self, epoch: int = 0) -> Batch:
        """Return a batch like the first one of an epoch, without consuming it."""
        raise NotImplementedError

    def limit(self, steps: int) -> None:
        """Limit each epoch to `steps` batches."""
        raise NotImplementedError

    def round_up(self, multiple: int) -> None:
        """Extend epochs that were given a number of steps to a multiple of steps, as far as the data go."""
        raise NotImplementedError

    def on_epoch_begin(self) -> None:
        """Called at the start of an epoch."""

    def on_epoch_end(self) -> None:
        """Called at the end of an epoch."""

    def state(self) -> dict[str, Any]:
        """Return the state from which `restore` continues with the same batches, at the start of the current epoch
        (between epochs, of the next one). It can be serialized as JSON."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where another source of the same data was when it returned `state`."""

    def close(self) -> None:
        """Release threads, processes and open iterators."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def named_batch(batch: Batch) -> list[tuple[str, Any]]:
    """Return the leaves of `(x, y, sample_weight)` with their names, such as `x['image']`."""
    return [pair for label, part in zip(_LABELS, batch) for pair in named_leaves(label, part)]


def standardize(
    x: Any, y: Any, sample_weight: Any, class_weight: dict[int, float] | None, uneven: bool = False
) -> Batch:
    """Check and convert arrays, and compute the weights of the outputs.

    Args:
        x: inputs, a structure of arrays.
        y: targets, a structure of arrays or None.
        sample_weight: weights, None or in a form that `output_weights` takes.
        class_weight: None, or the result of `checks.class_weight`.
        uneven: whether inputs may differ in their numbers of rows, as the nodes and edges of graphs do.

    Returns:
        `(x, y, sample_weight)`, arrays converted by `to_array`, with the same number of rows.

    Raises:
        ValueError: if the data fail a check of `data.checks`.
    """
    # Tokenizers return their own mapping types, which are not pytrees.
    given = [
        dict(part) if isinstance(part, Mapping) and not is_sparse(part) else part for part in (x, y, sample_weight)
    ]
    for label, part in zip(_LABELS, given):
        checks.no_plain_lists(label, part)
    x, y, sample_weight = (map_leaves(to_array, label, part) for label, part in zip(_LABELS, given))
    checks.numbers_only(named_leaves("y", y) + named_leaves("sample_weight", sample_weight), "losses and metrics need")
    if not (uneven and len({leaf.shape[0] for _, leaf in named_leaves("x", x) if leaf is not None}) > 1):
        checks.same_rows(named_batch((x, y, sample_weight)))
    return x, y, output_weights(y, sample_weight, class_weight)


def epoch_order(count: int, seed: int, epoch: int, batch_size: int | None = None) -> np.ndarray:
    """Return a permutation that depends only on the seed and the epoch.

    Args:
        count: length of the permutation.
        seed: non-negative integer.
        epoch: number of the epoch.
        batch_size: if given, only rows within the same batch are permuted.

    Returns:
        int32 array of shape `(count,)`.

    Example:

    >>> sorted(epoch_order(4, seed=0, epoch=1).tolist())
    [0, 1, 2, 3]
    """
    draw = np.random.default_rng((seed, epoch))
    order = np.arange(count, dtype=np.int32)
    if batch_size is None:
        draw.shuffle(order)
        return order
    whole = count // batch_size * batch_size
    rows = draw.permuted(order[:whole].reshape(-1, batch_size), axis=1).reshape(-1)
    return np.concatenate([rows, draw.permutation(order[whole:])])


class Rows:
    """Rows of an array that are read when they are asked for: a process takes only those of its own devices.

    Args:
        array: the array.
        index: numbers of rows; the axes of this array take the place of the first axis.
    """

    def __init__(self, array: np.ndarray, index: np.ndarray):
        self.array, self.index = array, index
        self.shape, self.dtype = (*index.shape, *array.shape[1:]), array.dtype
        self.ndim, self.nbytes = len(self.shape), math.prod(self.shape) * array.dtype.itemsize

    def __getitem__(self, where: Any) -> np.ndarray:
        where = where if isinstance(where, tuple) else (where,)
        axes = self.index.ndim
        rows = self.array[self.index[where[:axes]]]
        return rows[(*[slice(None)] * axes, *where[axes:])] if len(where) > axes else rows

    def reshape(self, shape: tuple[int, ...]) -> Rows:
        """The rows in another arrangement."""
        return Rows(self.array, self.index.reshape(shape[: len(shape) - self.array.ndim + 1]))

    @staticmethod
    def joined(parts: Sequence[Rows], length: int) -> Rows:
        """Batches one after the other, filled up to `length` of them with rows that nobody reads."""
        index = np.concatenate([part.index for part in parts])
        missing = (length - len(parts)) * len(parts[0].index)
        return Rows(parts[0].array, np.concatenate([index, np.zeros(missing, index.dtype)]))


class ArraySource(Source):
    """Batches of arrays in memory.

    If `steps` is less than the number of batches, an epoch continues where the last one stopped, and the last epoch of
    a pass over the data may be shorter, as in Keras.

    Args:
        arrays: `(x, y, sample_weight)`, structures of arrays with the same number of rows; None where absent.
        batch_size: number of rows in a batch. By default 32, or such that all rows make `steps` batches.
        steps: number of batches in an epoch; by default all.
        shuffle: False, True, or "batch" to permute only rows within the same batch.
        seed: seed of the orders; by default drawn from the global seed.

    Attributes:
        num_rows: size of the first axis.
        has_strings: whether an array holds text, which stays on the host.
        host_only: whether batches must be made on the host by `batches` (text, or a sparse matrix).
    """

    steps: int
    resumable = True

    def __init__(
        self,
        arrays: Batch,
        batch_size: int | None = None,
        steps: int | None = None,
        shuffle: bool | str = False,
        seed: int | None = None,
    ):
        leaves = named_batch(arrays)
        rows = checks.same_rows(leaves)
        if rows is None:
            raise checks.not_an_array("x", arrays[0])
        self.arrays = arrays
        self.num_rows = rows
        self.shuffle = shuffle
        self.seed = make_default_seed() if seed is None else seed
        self.has_strings = any(is_text(leaf) for _, leaf in leaves)
        self.host_only = self.has_strings or any(is_sparse(leaf) for _, leaf in leaves)
        self.batch_size = batch_size or (32 if steps is None else math.ceil(rows / steps))
        available = math.ceil(rows / self.batch_size)
        # A batch size computed from `steps` may give fewer steps: 10 rows in 6 steps make 5 batches of 2.
        if batch_size is not None:
            steps = checks.enough_steps(steps, available, self.batch_size)
        self._available = self.steps = available
        self.limit(steps or available)

    def limit(self, steps: int) -> None:
        """Limit each epoch to `steps` batches."""
        self.steps = min(steps, self.steps)
        self._epochs_in_pass = math.ceil(self._available / self.steps)

    def round_up(self, multiple: int) -> None:
        """Extend epochs to a multiple of steps, or to all of them."""
        self.steps = min(-(-self.steps // multiple) * multiple, self._available)
        self._epochs_in_pass = math.ceil(self._available / self.steps)

    def state(self) -> dict[str, Any]:
        """The seed; the rest follows from the number of the epoch."""
        return {"seed": self.seed}

    def restore(self, state: dict[str, Any]) -> None:
        """Use the same orders as the source that returned `state`."""
        self.seed = state["seed"]

    def order(self, epoch: int) -> np.ndarray | None:
        """Return the indices of the rows of an epoch, in order.

        Args:
            epoch: number of the epoch, from 0.

        Returns:
            int32 array of shape `(rows of the epoch,)`, or None for all rows in stored order.
        """
        number, start, stop = self._window(epoch)
        if not self.shuffle:
            return None if stop - start == self.num_rows else np.arange(start, stop, dtype=np.int32)
        within = self.batch_size if self.shuffle == "batch" else None
        return epoch_order(self.num_rows, self.seed, number, within)[start:stop]

    def pieces(self, rows: int) -> list[tuple[int, int, int, Any]]:
        """An epoch as runs of batches of one size: place of the first row in the order, batch size, number of batches,
        and which of several models take part, None for all.

        Args:
            rows: number of rows in the epoch.
        """
        whole, tail = divmod(rows, self.batch_size)
        pieces = [(0, self.batch_size, whole, None), (whole * self.batch_size, tail, 1, None)]
        return [piece for piece in pieces if piece[1] and piece[2]]

    def batches(self, epoch: int, skip: int = 0, lazily: bool = False) -> Iterator[Batch]:
        """Iterate over the batches of an epoch as NumPy arrays.

        Args:
            epoch: number of the epoch, from 0.
            skip: number of batches to skip at the start.
            lazily: whether to yield `Rows`, which read a row when it is asked for.

        Yields:
            `(x, y, sample_weight)`: views of the data if it is not shuffled. Sparse matrices become dense.
        """
        arrays = _on_host(self.arrays)
        order = self.order(epoch) if self.shuffle else None
        _, first, stop = self._window(epoch)
        for start in range(first + skip * self.batch_size, stop, self.batch_size):
            end = min(start + self.batch_size, stop)
            rows = slice(start, end) if order is None else order[start - first : end - first]
            if lazily:
                numbers = np.arange(start, end, dtype=np.int32) if order is None else order[start - first : end - first]
                yield map_leaves(lambda leaf, _: None if leaf is None else Rows(leaf, numbers), "", arrays)  # noqa: B023
            else:
                yield _take(arrays, rows)

    def peek(self, epoch: int = 0) -> Batch:
        """Return the first rows in stored order, for any epoch: a batch to build a model from."""
        return _take(_on_host(self.arrays), slice(0, self.batch_size))

    def _window(self, epoch: int) -> tuple[int, int, int]:
        """Return the pass over the data that an epoch belongs to, and its range of rows in that pass."""
        number, part = divmod(epoch, self._epochs_in_pass)
        start = part * self.steps * self.batch_size
        return number, start, min(start + self.steps * self.batch_size, self.num_rows)


class BatchSource(Source):
    """A single batch of arrays, whose inputs may differ in their numbers of rows.

    Args:
        x, y, sample_weight: as given to `train_on_batch`.
    """

    steps: int = 1
    resumable = False

    def __init__(self, x: Any, y: Any = None, sample_weight: Any = None):
        batch = standardize(x, y, sample_weight, None, uneven=True)
        if not any(leaf is not None for _, leaf in named_batch(batch)):
            raise checks.not_an_array("x", x)
        self._batch = _take(_on_host(batch), slice(None))

    def peek(self, epoch: int = 0) -> Batch:
        """Return the batch."""
        return self._batch


def _on_host(arrays: Batch) -> Batch:
    return map_leaves(lambda leaf, _: leaf if leaf is None or is_sparse(leaf) else np.asarray(leaf), "", arrays)


def _take(arrays: Batch, rows: Any) -> Batch:
    def rows_of(leaf: Any, _: str) -> Any:
        if leaf is None:
            return None
        return leaf[rows].toarray() if is_sparse(leaf) else leaf[rows]

    return map_leaves(rows_of, "", arrays)
