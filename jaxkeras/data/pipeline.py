"""The stages of a `Dataset`: a source of elements, and transformations that each work on the stage before.

One epoch is one pass over the elements. All randomness of an epoch is derived from a seed and the number of the epoch,
and iteration can start in the middle of an epoch, so that a resumed run sees the same batches.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

import numpy as np

from jaxkeras.core.context import setting
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.data.arrays import epoch_order
from jaxkeras.data.convert import map_leaves, named_leaves
from jaxkeras.data.workers import ordered, prefetch

THREADS = min(16, (os.cpu_count() or 1) + 1)
_AHEAD = 2  # tasks per thread that may be running or waiting to be read
_TOGETHER = 4  # elements per task: handing a task to a thread takes longer than reading a small file
Size = int | float | None


class Stage:
    """Base class of stages.

    Attributes:
        parent: the stage whose elements this one transforms, or None.
        size: number of elements in an epoch: `math.inf` if it is endless, None if unknown.
        rows: total number of rows in its batches, or None if unknown.
        batch_size: number of rows in each element if elements are batches, else None.
        ragged: whether elements are batches and the last one may be smaller.
    """

    parent: Stage | None = None
    size: Size = None
    rows: int | None = None
    batch_size: int | None = None
    ragged = False

    def run(self, epoch: int | None, skip: int = 0) -> Generator[Any]:
        """Iterate over the elements of an epoch.

        Args:
            epoch: number of the epoch, from 0; None for the next one, as counted by each stage that shuffles.
            skip: number of elements to skip at the start.
        """
        raise NotImplementedError


class _Transform(Stage):
    """A stage over another one; it inherits the attributes that it does not change."""

    parent: Stage

    def __init__(self, parent: Stage):
        self.parent = parent
        self.size, self.rows = parent.size, parent.rows
        self.batch_size, self.ragged = parent.batch_size, parent.ragged


class Shuffling:
    """The seed of a stage that shuffles, and a counter of epochs for callers that give no number."""

    def __init__(self, seed: int):
        self.seed = seed
        self._epochs = itertools.count()

    def epoch(self, epoch: int | None) -> int:
        return next(self._epochs) if epoch is None else epoch


# -- sources --------------------------------------------------------------------------------------------------------
class Indexed(Stage):
    """Elements loaded by index.

    Args:
        size: number of elements.
        load: returns the element at an index.
        seed: if given, elements are shuffled anew in each epoch.
        threads: number of threads that load elements.
        gather: makes a batch from an array of indices, if that is faster than stacking elements.
    """

    def __init__(
        self,
        size: int,
        load: Callable[[int], Any],
        seed: int | None = None,
        threads: int = 1,
        gather: Callable[[np.ndarray], Any] | None = None,
    ):
        self.size, self.load, self.threads, self.gather = size, load, threads, gather
        self.shuffling = None if seed is None else Shuffling(seed)

    def order(self, epoch: int | None) -> np.ndarray:
        count = int(self.size or 0)
        if self.shuffling is None:
            return np.arange(count)
        return epoch_order(count, self.shuffling.seed, self.shuffling.epoch(epoch))

    def run(self, epoch: int | None, skip: int = 0) -> Generator[Any]:
        wanted = self.order(epoch)[skip:].tolist()
        if self.threads == 1:
            yield from map(self.load, wanted)
            return
        tasks = (wanted[i : i + _TOGETHER] for i in range(0, len(wanted), _TOGETHER))
        for loaded in ordered([self._load_some] * self.threads, tasks, _AHEAD * self.threads):
            yield from loaded

    def _load_some(self, indices: list[int]) -> list[Any]:
        return [self.load(i) for i in indices]


class FromCallable(Stage):
    """Elements of an iterator that a function returns anew for each epoch."""

    def __init__(self, start: Callable[[], Iterable[Any]], size: int | None = None):
        self.start, self.size = start, size

    def run(self, epoch: int | None, skip: int = 0) -> Generator[Any]:
        yield from itertools.islice(iter(self.start()), skip, None)


# -- selection ------------------------------------------------------------------------------------------------------
class Take(_Transform):
    """The first elements."""

    def __init__(self, parent: Stage, count: int):
        super().__init__(parent)
        self.count, self.rows = count, None
        self.size = None if parent.size is None else min(parent.size, count)

    def run(self, epoch: int | None, skip: int = 0) -> Generator[Any]:
        if skip < self.count:
            with contextlib.closing(self.parent.run(epoch, skip)) as elements:
                yield from itertools.islice(elements, self.count - skip)


class Skip(_Transform):
    """All but the first elements."""

    def __init__(self, parent: Stage, count: int):
        super().__init__(parent)
        self.count, self.rows = count, None
        self.size = None if parent.size is None else max(parent.size - count, 0)

    def run(self, epoch: int | None, skip: int = 0) -> Generator[Any]:
        yield from self.parent.run(epoch, skip + self.count)


class Filter(_Transform):
    """The elements for which a predicate is true."""

    def __init__(self, parent: Stage, function: Callable[..., Any]):
        super().__init__(parent)
        self.function, self.size, self.rows = function, None, None

    def run(self, epoch: int | None, skip: int = 0) -> Generator[Any]:
        with contextlib.closing(self.parent.run(epoch)) as elements:
            kept = (element for element in elements if bool(np.all(call(self.function, element))))
            yield from itertools.islice(kept, skip, None)


class Repeat(_Transform):
    """The elements repeated `count` times, or without end if `count` is None."""

    def __init__(self, parent: Stage, count: int | None):
        super().__init__(parent)
        self.count, self.rows = count, None
        if count is None:
            self.size = 0 if parent.size == 0 else math.inf
        else:
            self.size = None if parent.size is None else parent.size * count

    def run(self, epoch: int | None, skip: int = 0) -> Generator[Any]:
        size = self.parent.size
        jumps = bool(size) and size != math.inf
        done, skip = divmod(skip, int(size)) if size and jumps else (0, skip)
        first = None if epoch is None else epoch * (self.count or 1)
        for i in itertools.count(done) if self.count is None else range(done, self.count):
            empty = True
            for element in self.parent.run(None if first is None else first + i, skip if jumps else 0):
                empty = False
                if jumps or skip == 0:
                    yield element
                else:
                    skip -= 1
            if empty:
                return
            skip = 0 if jumps else skip


class Concatenate(Stage):
    """The elements of one stage, then those of another."""

    parent: Stage

    def __init__(self, parent: Stage, other: Stage):
        self.parent, self.other, self.batch_size = parent, other, parent.batch_size
        self.ragged = parent.ragged or other.ragged
        self.size = None if parent.size is None or other.size is None else parent.size + other.size

    def run(self, epoch: int | None, skip: int = 0) -> Generator[Any]:
        size = self.parent.size
        if size is None:
            for element in self.parent.run(epoch):
                if skip == 0:
                    yield element
                else:
                    skip -= 1
        elif size > skip:
            yield from self.parent.run(epoch, skip)
            skip = 0
        else:
            skip -= int(size)
        yield from self.other.run(epoch, skip)


# -- order ----------------------------------------------------------------------------------------------------------
class Shuffle(_Transform):
    """Elements drawn at random from a buffer, which is refilled after each draw."""

    def __init__(self, parent: Stage, buffer_size: int, seed: int, anew: bool):
        super().__init__(parent)
        self.buffer_size, self.shuffling, self.anew = buffer_size, Shuffling(seed), anew

    def run(self, epoch: int | None, skip: int = 0) -> Generator[Any]:
        order = self.shuffling.epoch(epoch) if self.anew else 0
        rng = np.random.default_rng((self.shuffling.seed, order))
        with contextlib.closing(self.parent.run(epoch)) as elements:
            yield from itertools.islice(self._draw(elements, rng), skip, None)

    def _draw(self, elements: Generator[Any], rng: np.random.Generator) -> Generator[Any]:
        buffer = list(itertools.islice(elements, self.buffer_size))
        while buffer:
            at = int(rng.integers(len(buffer)))
            buffer[at], buffer[-1] = buffer[-1], buffer[at]
            yield buffer.pop()
            buffer.extend(itertools.islice(elements, 1))


# -- transformations ------------------------------------------------------------------------------------------------
def call(function: Callable[..., Any], element: Any) -> Any:
    """Call a function on an element; a tuple is unpacked into several arguments."""
    return function(*element) if isinstance(element, tuple) else function(element)


def as_element(value: Any) -> Any:
    """Convert what a user's function returned to NumPy arrays and strings, nested in tuples and dicts. A list becomes
    one array."""
    if isinstance(value, dict):
        return {key: as_element(part) for key, part in value.items()}
    if isinstance(value, tuple):
        parts = [as_element(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if value is None or isinstance(value, (str, bytes)):
        return value
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    array = np.asarray(value)
    if array.dtype.kind in "US" and not isinstance(value, np.ndarray):
        return array.astype(object)
    if array.dtype.itemsize == 8 and not hasattr(value, "dtype"):  # Python's numbers
        return array.astype({"i": "int32", "f": "float32"}.get(array.dtype.kind, array.dtype))
    return array


class Map(_Transform):
    """A function applied to each element, in one or more threads."""

    def __init__(self, parent: Stage, function: Callable[..., Any], threads: int):
        super().__init__(parent)
        self.function, self.threads = function, threads

    def _apply(self, element: Any) -> Any:
        with setting(host=True):
            return as_element(call(self.function, element))

    def run(self, epoch: int | None, skip: int = 0) -> Generator[Any]:
        elements = self.parent.run(epoch, skip)
        try:
            if self.threads > 1:
                # The first element runs alone: a layer builds itself in its first call, and two threads must not.
                yield from map(self._apply, itertools.islice(elements, 1))
                yield from ordered([self._apply] * self.threads, elements, _AHEAD * self.threads)
            else:
                yield from map(self._apply, elements)
        finally:
            if self.threads == 1:  # otherwise the last thread closes the iterator
                elements.close()


class Batch(_Transform):
    """Consecutive elements stacked into batches."""

    def __init__(self, parent: Stage, count: int, whole: bool, stack: Callable[[list[Any]], Any]):
        super().__init__(parent)
        self.count, self.whole, self.stack = count, whole, stack
        self.batch_size, self.ragged = count, not whole
        size = parent.size
        if size is not None and size != math.inf:
            self.size = int(size) // count if whole else math.ceil(size / count)
            self.rows = self.size * count if whole else int(size)

    def run(self, epoch: int | None, skip: int = 0) -> Generator[Any]:
        parent = self.parent
        if isinstance(parent, Indexed) and parent.gather is not None:
            order = parent.order(epoch)
            end = len(order) - (len(order) % self.count if self.whole else 0)
            for start in range(skip * self.count, end, self.count):
                yield parent.gather(order[start : start + self.count])
            return
        with contextlib.closing(parent.run(epoch, skip * self.count)) as elements:
            while rows := list(itertools.islice(elements, self.count)):
                if self.whole and len(rows) < self.count:
                    return
                yield self.stack(rows)


class Unbatch(_Transform):
    """The rows of batches as elements."""

    def __init__(self, parent: Stage):
        super().__init__(parent)
        self.size, self.rows, self.batch_size, self.ragged = parent.rows, None, None, False

    def run(self, epoch: int | None, skip: int = 0) -> Generator[Any]:
        with contextlib.closing(self.parent.run(epoch)) as batches:
            yield from itertools.islice(itertools.chain.from_iterable(map(rows_of, batches)), skip, None)


class Cache(_Transform):
    """The elements of the first complete epoch, kept in memory for all epochs."""

    def __init__(self, parent: Stage):
        super().__init__(parent)
        self.kept: list[Any] | None = None

    def run(self, epoch: int | None, skip: int = 0) -> Generator[Any]:
        if self.kept is not None:
            yield from itertools.islice(self.kept, skip, None)
            return
        seen = []
        with contextlib.closing(self.parent.run(0)) as elements:  # the same elements whichever epoch is read first
            for i, element in enumerate(elements):
                seen.append(element)
                if i >= skip:
                    yield element
        self.kept, self.size = seen, len(seen)


class Prefetch(_Transform):
    """Elements computed ahead of time in a background thread."""

    def __init__(self, parent: Stage, count: int):
        super().__init__(parent)
        self.count = count

    def run(self, epoch: int | None, skip: int = 0) -> Generator[Any]:
        yield from prefetch(self.parent.run(epoch, skip), self.count)


# -- rows and batches -----------------------------------------------------------------------------------------------
def _objects(values: Sequence[Any]) -> np.ndarray:
    result = np.empty(len(values), object)
    result[:] = values
    return result


def _join(leaves: list[Any], name: str, pad: bool, fill: Any) -> Any:
    first = leaves[0]
    if first is None or isinstance(first, (str, bytes)):
        return None if first is None else _objects(leaves)
    arrays = [np.asarray(leaf) for leaf in leaves]
    shapes = {array.shape for array in arrays}
    if len(shapes) == 1:
        return np.stack(arrays)
    if not pad or len({len(shape) for shape in shapes}) > 1:
        found = ", ".join(map(str, sorted(shapes)[:3]))
        raise ValueError(
            f"Elements of one batch must have the same shape, but {name} has {found}. Make the shapes equal with "
            "`map`" + ("." if pad else ", or use `padded_batch`.")
        )
    full = tuple(map(max, zip(*shapes)))
    result = np.full((len(arrays), *full), fill, arrays[0].dtype)
    for row, array in zip(result, arrays):
        row[tuple(map(slice, array.shape))] = array
    return result


def stack(elements: list[Any], pad: bool = False, fill: Any = 0) -> Any:
    """Stack elements into one batch; strings become an array of objects.

    Args:
        elements: elements with the same nesting.
        pad: whether arrays of different shapes are padded at the end of each axis.
        fill: the padding value.

    Raises:
        ValueError: if the elements differ in nesting or shape.
    """
    columns = [[leaf for _, leaf in named_leaves("element", element)] for element in elements]
    if len({len(column) for column in columns}) > 1:
        raise ValueError("All elements of a batch must have the same nesting of tuples and dicts; these differ.")
    leaves = iter(list(zip(*columns)))
    return map_leaves(lambda _, name: _join(list(next(leaves)), name, pad, fill), "element", elements[0])


def rows_of(batch: Any) -> Iterable[Any]:
    """Iterate over the rows of a batch."""
    leaves = [leaf for _, leaf in named_leaves("element", batch) if leaf is not None]
    if not leaves or any(np.ndim(leaf) == 0 for leaf in leaves):
        raise ValueError("`unbatch` needs batches, but these elements are single rows already; remove it.")
    for i in range(len(leaves[0])):
        yield map_leaves(lambda leaf, _, i=i: None if leaf is None else leaf[i], "element", batch)


def describe(element: Any, ragged: bool) -> Any:
    """Return the shapes and dtypes of an element as KerasTensors. With `ragged`, the number of rows is None."""

    def spec(leaf: Any, _: str) -> Any:
        if leaf is None:
            return None
        array = np.asarray(leaf)
        shape = (None, *array.shape[1:]) if ragged and array.ndim else array.shape
        first = array.flat[0] if array.dtype.kind == "O" and array.size else array
        dtype = getattr(first, "dtype", np.dtype(str))
        return KerasTensor(shape, "string" if dtype.kind in "OUS" else dtype, record_history=False)

    return map_leaves(spec, "element", element)
