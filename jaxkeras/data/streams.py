"""Streams of batches: generators, iterables, and datasets of other frameworks."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from jaxkeras.core.abstract_signature import signature
from jaxkeras.data import checks
from jaxkeras.data.arrays import Batch, Source, standardize
from jaxkeras.data.convert import foreign_to_numpy
from jaxkeras.data.utils import unpack_x_y_sample_weight


class StreamSource(Source):
    """A stream of batches, each checked and converted to `(x, y, sample_weight)`.

    Args:
        kind: the name of the data in messages.
        steps: number of batches in an epoch, or None for all.
        class_weight: None, or the result of `checks.class_weight`; applied to each batch.
        for_predict: whether only `x` is used.

    Attributes:
        infinite: whether the data are endless; None if unknown.
        one_shot: whether the data can be read only once, so that each epoch continues where the last one stopped.
    """

    infinite: bool | None = None
    one_shot = False

    def __init__(
        self, kind: str, steps: int | None, class_weight: dict[int, float] | None = None, for_predict: bool = False
    ):
        self.kind = kind
        self._cap = steps
        self._class_weight = class_weight
        self._for_predict = for_predict
        self._limited = False
        self._within_epoch = False
        self._peeked: tuple[int, Batch, Generator[Batch]] | None = None

    @property
    def steps(self) -> int | None:
        """Number of batches in a full epoch, or None while unknown."""
        return self._cap or self._size()

    def limit(self, steps: int) -> None:
        """Limit each epoch to `steps` batches."""
        if self.steps is None or self.steps > steps:
            self._cap, self._limited = steps, True

    def round_up(self, multiple: int) -> None:
        """Extend epochs that were given a number of steps to a multiple of steps."""
        if self._cap is not None:
            cap, size = -(-self._cap // multiple) * multiple, self._size()
            self._cap = cap if size is None else min(cap, size)

    def epoch(self, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """Iterate over the batches of an epoch.

        Args:
            epoch: number of the epoch, from 0.
            skip: number of batches to skip at the start (read and discarded if the data cannot seek).

        Returns:
            Iterator over `(x, y, sample_weight)`; close or delete it to leave an epoch early.
        """
        if self._peeked is not None:
            of_epoch, batch, rest = self._peeked
            self._peeked = None
            if self.one_shot or of_epoch == epoch:
                return _rejoin(batch, rest, skip)
            rest.close()
        return self._batches(epoch, skip)

    def peek(self, epoch: int = 0) -> Batch:
        """Return the first batch of an epoch; `epoch` will give it again without reading it twice."""
        if self._peeked is None:
            self.on_epoch_begin()
            batches = self._batches(epoch, 0)
            self._peeked = epoch, next(batches), batches
        return self._peeked[1]

    def on_epoch_begin(self) -> None:
        """Call the data's hook at the start of an epoch, unless `peek` has called it already."""
        if not self._within_epoch:
            self._within_epoch = True
            self._begin()

    def on_epoch_end(self) -> None:
        """Call the data's hook at the end of an epoch."""
        if self._within_epoch:
            self._within_epoch = False
            self._end()

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where another source of the same data was; discards the batch that `peek` has read."""
        self._forget_peeked()

    def close(self) -> None:
        """Close iterators opened here; the user's own objects, such as a generator, stay open."""
        self._forget_peeked()

    def _forget_peeked(self) -> None:
        if self._peeked is not None:
            self._peeked[2].close()
            self._peeked = None

    def _batches(self, epoch: int, skip: int) -> Generator[Batch]:
        raw = self._raw(epoch, skip)
        ready_kind: Any = None  # signature of batches that need no conversion
        try:
            for number, batch in enumerate(raw, start=skip):
                try:
                    x, y, weight = unpack_x_y_sample_weight(batch)
                    given, kind = _plain((x, None, None) if self._for_predict else (x, y, weight))
                    if kind is not None and kind == ready_kind:
                        yield given
                        continue
                    ready = standardize(*given, self._class_weight)
                except ValueError as e:
                    raise ValueError(f"Batch {number} of the {self.kind}: {e}") from None
                if kind is not None and signature(ready) == kind:
                    ready_kind = kind
                yield ready
        finally:
            raw.close()

    def _raw(self, epoch: int, skip: int) -> Generator[Any]:
        """Iterate over the unconverted batches of an epoch."""
        raise NotImplementedError

    def _size(self) -> int | None:
        """Return the number of batches in the data, or None if unknown."""
        raise NotImplementedError

    def _begin(self) -> None:
        """Called once at the start of each epoch."""

    def _end(self) -> None:
        """Called once at the end of each epoch."""


def _is_sparse(value: Any) -> bool:
    return hasattr(value, "todense")  # of SciPy, or of JAX, whose sparse arrays are pytrees


def _plain(batch: Batch) -> tuple[Batch, Any]:
    """Convert torch tensors and sparse arrays in a batch to dense arrays.

    Returns:
        The batch, and its signature if it holds only arrays of numbers: checks of equal signatures give equal results.
        Otherwise None, since values matter too.
    """
    leaves, structure = jax.tree.flatten(batch, is_leaf=_is_sparse)
    if any(map(_is_sparse, leaves)):
        leaves = [leaf.todense() if _is_sparse(leaf) else leaf for leaf in leaves]
        leaves = [np.asarray(leaf) if isinstance(leaf, np.matrix) else leaf for leaf in leaves]
        batch = structure.unflatten(leaves)
    if any(type(leaf).__module__ == "torch" for leaf in leaves):
        leaves = [foreign_to_numpy(leaf, "") if type(leaf).__module__ == "torch" else leaf for leaf in leaves]
        batch = structure.unflatten(leaves)
    plain = all(type(leaf) is np.ndarray and leaf.dtype.kind in "fiub" for leaf in leaves)
    return batch, signature(batch) if plain else None


def _rejoin(first: Batch, rest: Generator[Batch], skip: int) -> Generator[Batch]:
    try:
        yield from itertools.islice(itertools.chain([first], rest), skip, None)
    finally:
        rest.close()


class IterableSource(StreamSource):
    """The batches of an iterable, read once (a generator) or from the start in each pass.

    Without `steps` an epoch is one pass. With `steps`, an epoch continues where the last one stopped. If the data end
    in the middle of an epoch, the epoch ends there with a warning, and the next one starts from the beginning if the
    data can be read again.

    Args:
        kind: the name of the data in messages.
        start: returns an iterator over a pass; if `one_shot`, always the same iterator.
        size: number of batches in a pass, or None if unknown.
        one_shot: whether there is only one pass.
        infinite: whether a pass is endless; None if unknown.
        repeatable: whether all passes give the same batches.
        **how: arguments of `StreamSource`.
    """

    def __init__(
        self,
        kind: str,
        start: Callable[[], Iterator[Any]],
        *,
        size: int | None = None,
        one_shot: bool = False,
        infinite: bool | None = None,
        repeatable: bool = False,
        **how: Any,
    ):
        super().__init__(kind, **how)
        self.tells_end = True
        if infinite and self._cap is None:
            raise checks.endless(kind)
        if size is not None:
            if size == 0:
                raise checks.no_batches(kind)
            self._cap = checks.enough_steps(self._cap, size)
        self._start = start
        self._known_size = size
        self.one_shot = one_shot
        self.infinite = infinite
        self._current: Any = start() if one_shot else None
        self.resumable = repeatable or _tells_position(self._current)
        self._read = 0  # number of batches read from the current iterator
        self._at_start: dict[str, Any] = {}

    def state(self) -> dict[str, Any]:
        """The position of the iterator at the start of the epoch, if it has one and is kept between epochs."""
        return self._at_start if self._within_epoch else self._position()

    def restore(self, state: dict[str, Any]) -> None:
        """Set the iterator to the position in `state`."""
        if "iterator" not in state:
            if not self.one_shot:
                super().restore(state)
            return
        super().restore(state)
        self._within_epoch = False
        if self._current is None:
            self._current = self._start()
        position = state["iterator"]
        self._current.set_state(position.encode() if state["bytes"] else position)
        self._read = state["read"]

    def _position(self) -> dict[str, Any]:
        if not self._goes_on() or not _tells_position(self._current):
            return {}
        position = self._current.get_state()
        as_bytes = isinstance(position, bytes)
        return {"iterator": position.decode() if as_bytes else position, "bytes": as_bytes, "read": self._read}

    def _begin(self) -> None:
        self._at_start = self._position()

    def _goes_on(self) -> bool:
        return self.one_shot or self._cap is not None

    def _open(self) -> Iterator[Any]:
        self._current, self._read = self._start(), 0
        return self._current

    def _raw(self, epoch: int, skip: int) -> Generator[Any]:
        current = self._current if self._goes_on() else None
        if current is None:
            current = self._open()
        given = 0
        while given != self._cap:
            try:
                batch = next(current)
            except StopIteration:
                if given == 0 and self._read and not self.one_shot:
                    current = self._open()  # the last epoch ended exactly at the end of the data
                    continue
                self._ended(given, epoch)
                return
            given += 1
            self._read += 1
            if given > skip:
                yield batch

    def _ended(self, given: int, epoch: int) -> None:
        if not self.one_shot:
            self._current = None
        if given == 0 and not (self.one_shot and self._read):
            raise checks.no_batches(self.kind)
        self.used_up = self.one_shot
        if self._cap is not None and given and not self._limited:
            warnings.warn(checks.ran_out(self.kind, given, self._cap), UserWarning, stacklevel=2)
        elif not self.one_shot:
            self._known_size = given

    def _size(self) -> int | None:
        return self._known_size


# The length of a repeated grain dataset is the largest integer, divided by the batch size.
_NEVER_READ = 2**48


def _tells_position(iterator: Any) -> bool:
    return hasattr(iterator, "get_state") and hasattr(iterator, "set_state")


def _named(x: Any, names: tuple[str, ...], package: str) -> bool:
    """Whether a value is an instance of a class of another framework; does not import the framework."""
    return any(c.__name__ in names and c.__module__.split(".")[0] == package for c in type(x).__mro__)


def foreign_source(x: Any, **how: Any) -> IterableSource | None:
    """Return a source for an iterable of batches, or None if `x` is not one.

    Accepts a `tf.data.Dataset`, a torch `DataLoader`, a grain dataset or loader, any iterator (read once), and any
    other iterable (read again in each pass; its size is its `len`, if it has one). Lists, tuples and dicts are never
    streams: they are structures of arrays.

    Args:
        x: the user's data.
        **how: arguments of `StreamSource`.
    """
    if _named(x, ("DatasetV2",), "tensorflow"):
        size = int(x.cardinality())
        return IterableSource(
            "tf.data.Dataset", x.as_numpy_iterator, size=size if size >= 0 else None, infinite=size == -1, **how
        )
    if _named(x, ("DataLoader",), "torch"):
        return IterableSource("torch DataLoader", x.__iter__, size=_length(x), **how)
    if _named(x, ("MapDataset", "IterDataset", "DataLoader"), "grain"):
        size = _length(x)
        endless = size is not None and size > _NEVER_READ
        size = None if endless else size
        return IterableSource(
            "grain dataset", x.__iter__, size=size, infinite=endless or None, repeatable=True, **how
        )
    if hasattr(x, "__next__"):
        kind = "generator" if isinstance(x, Generator) else "iterator"
        return IterableSource(kind, lambda: x, one_shot=True, **how)
    if hasattr(x, "__iter__") and not isinstance(x, (str, bytes, list, tuple, set, frozenset, Mapping)):
        return IterableSource(type(x).__name__, x.__iter__, size=_length(x), **how)
    return None


def _length(x: Any) -> int | None:
    try:
        return len(x)
    except TypeError:
        return None
