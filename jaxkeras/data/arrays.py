"""Arrays in memory as a source: rows, their order in every epoch, and batches of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from jaxkeras.core.seeds import make_default_seed
from jaxkeras.data import checks
from jaxkeras.data.convert import is_sparse, is_text, map_leaves, named_leaves, to_array
from jaxkeras.data.weights import output_weights

_LABELS = ("x", "y", "sample_weight")
Batch = tuple[Any, Any, Any]


class Source:
    """What a compiled engine reads: batches `(x, y, sample_weight)`, epoch by epoch.

    Attributes:
        steps: batches in a full epoch, or None if that is not known (yet).
        resumable: whether an epoch can be entered in the middle with the same batches as before.
    """

    steps: int | None
    resumable: bool

    def peek(self, epoch: int = 0) -> Batch:
        """A batch like those of an epoch (the one that will run first), without taking it away."""
        raise NotImplementedError

    def limit(self, steps: int) -> None:
        """Let an epoch have at most so many batches."""
        raise NotImplementedError

    def on_epoch_begin(self) -> None:
        """Tell the data that an epoch starts."""

    def on_epoch_end(self) -> None:
        """Tell the data that an epoch ended."""

    def state(self) -> dict[str, Any]:
        """What a later process must `restore` to see the same batches: at the start of the epoch under way, or between
        epochs of the next one. It can be written as JSON."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Go to where another source of the same data was when its `state` was taken."""

    def close(self) -> None:
        """Give back what the source holds: threads, processes, open iterators."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def named_batch(batch: Batch) -> list[tuple[str, Any]]:
    """Every leaf of `(x, y, sample_weight)` with its name."""
    return [pair for label, part in zip(_LABELS, batch) for pair in named_leaves(label, part)]


def standardize(x: Any, y: Any, sample_weight: Any, class_weight: dict[int, float] | None) -> Batch:
    """Check and convert a set of arrays, and work out the weights of the outputs.

    Args:
        x: inputs, a structure of arrays.
        y: targets, a structure of arrays or None.
        sample_weight: weights, None or as `output_weights` takes them.
        class_weight: None, or what `checks.class_weight` returned.

    Returns:
        `(x, y, sample_weight)` of arrays as `to_array` makes them, with equally many rows.

    Raises:
        ValueError: for everything that `checks` looks for.
    """
    # Tokenizers return mappings of their own, which are no pytrees.
    given = [dict(part) if isinstance(part, Mapping) else part for part in (x, y, sample_weight)]
    for label, part in zip(_LABELS, given):
        checks.no_plain_lists(label, part)
    x, y, sample_weight = (map_leaves(to_array, label, part) for label, part in zip(_LABELS, given))
    checks.numbers_only(named_leaves("y", y) + named_leaves("sample_weight", sample_weight), "losses and metrics need")
    checks.same_rows(named_batch((x, y, sample_weight)))
    return x, y, output_weights(y, sample_weight, class_weight)


def epoch_order(count: int, seed: int, epoch: int, batch_size: int | None = None) -> np.ndarray:
    """A permutation of `count` things that depends on nothing but the seed and the epoch.

    Args:
        count: how many.
        seed: non-negative integer.
        epoch: which permutation.
        batch_size: if given, batches stay in place and only the rows within each are permuted.

    Returns:
        int32 of shape (count,).

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


class ArraySource(Source):
    """Arrays as they are, with the order of their rows.

    With fewer `steps` than the data hold, an epoch goes on where the one before stopped, and the last epoch of a pass
    may be shorter, as in Keras.

    Args:
        arrays: `(x, y, sample_weight)`, structures of arrays with equally many rows; None for what is missing.
        batch_size: rows in a batch; by default 32, or what makes `steps` batches of all rows.
        steps: batches in an epoch; by default all.
        shuffle: False, True, or "batch" for rows permuted within their batches only.
        seed: what the orders are drawn from; by default from the global seed.

    Attributes:
        num_rows: size of the first axis.
        has_strings: whether some array holds text, which stays on the host.
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
        # A batch size that comes from the number of steps may give fewer of them: 10 rows in 6 steps are 5 of 2.
        if batch_size is not None:
            checks.enough_steps(steps, available, self.batch_size)
        self._available = self.steps = available
        self.limit(steps or available)

    def limit(self, steps: int) -> None:
        """Let an epoch have at most so many batches."""
        self.steps = min(steps, self.steps)
        self._epochs_in_pass = math.ceil(self._available / self.steps)

    def state(self) -> dict[str, Any]:
        """The seed: everything else follows from the number of the epoch."""
        return {"seed": self.seed}

    def restore(self, state: dict[str, Any]) -> None:
        """Draw the orders that the source of this state drew."""
        self.seed = state["seed"]

    def order(self, epoch: int) -> np.ndarray | None:
        """The rows of an epoch in the order in which they are seen.

        Args:
            epoch: number of the epoch, from 0.

        Returns:
            int32 of shape (rows of this epoch,), or None if these are all rows as they lie.
        """
        number, start, stop = self._window(epoch)
        if not self.shuffle:
            return None if stop - start == self.num_rows else np.arange(start, stop, dtype=np.int32)
        within = self.batch_size if self.shuffle == "batch" else None
        return epoch_order(self.num_rows, self.seed, number, within)[start:stop]

    def batches(self, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """The batches of an epoch as NumPy arrays.

        Args:
            epoch: number of the epoch, from 0.
            skip: how many batches to leave out at the beginning.

        Yields:
            `(x, y, sample_weight)`, views of the data where these are not shuffled; sparse matrices made dense.
        """
        arrays = _on_host(self.arrays)
        order = self.order(epoch) if self.shuffle else None
        _, first, stop = self._window(epoch)
        for start in range(first + skip * self.batch_size, stop, self.batch_size):
            end = min(start + self.batch_size, stop)
            yield _take(arrays, slice(start, end) if order is None else order[start - first : end - first])

    def peek(self, epoch: int = 0) -> Batch:
        """A batch of the first rows as they lie, whatever the epoch: what a model needs to be built."""
        return _take(_on_host(self.arrays), slice(0, self.batch_size))

    def _window(self, epoch: int) -> tuple[int, int, int]:
        """Which pass over the data an epoch belongs to, and its first and last row there."""
        number, part = divmod(epoch, self._epochs_in_pass)
        start = part * self.steps * self.batch_size
        return number, start, min(start + self.steps * self.batch_size, self.num_rows)


def _on_host(arrays: Batch) -> Batch:
    return map_leaves(lambda leaf, _: leaf if leaf is None or is_sparse(leaf) else np.asarray(leaf), "", arrays)


def _take(arrays: Batch, rows: Any) -> Batch:
    def rows_of(leaf: Any, _: str) -> Any:
        if leaf is None:
            return None
        return leaf[rows].toarray() if is_sparse(leaf) else leaf[rows]

    return map_leaves(rows_of, "", arrays)
