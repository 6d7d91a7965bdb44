"""The links of a `Dataset`: where elements come from, and what is done to them, one link after the other.

A link gives its elements pass by pass. Everything random in pass number n follows from a seed and from n, and a pass
can be entered in the middle, so that training that is taken up again sees the batches it would have seen.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

import numpy as np

from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.data.arrays import epoch_order
from jaxkeras.data.convert import map_leaves, named_leaves
from jaxkeras.data.workers import ordered, prefetch

THREADS = min(16, (os.cpu_count() or 1) + 1)
_AHEAD = 2  # tasks for each thread that may be under way or wait to be read
_TOGETHER = 4  # small files are read more quickly than threads take turns
Size = int | float | None


class Link:
    """Base class.

    Attributes:
        parent: the link whose elements this one works on, or None.
        size: how many elements a pass has: `math.inf` if it never ends, None if that is not known.
        rows: how many rows its batches hold together, if known.
        batch_size: if elements are batches, how many rows they have.
        ragged: whether elements are batches of which one may be smaller.
    """

    parent: Link | None = None
    size: Size = None
    rows: int | None = None
    batch_size: int | None = None
    ragged = False

    def run(self, number: int | None, skip: int = 0) -> Generator[Any]:
        """The elements of a pass.

        Args:
            number: which pass; None for the one that comes next, counted by what draws the orders.
            skip: how many elements to leave out at the beginning.
        """
        raise NotImplementedError


class _Link(Link):
    """A link that keeps what it does not change."""

    parent: Link

    def __init__(self, parent: Link):
        self.parent = parent
        self.size, self.rows = parent.size, parent.rows
        self.batch_size, self.ragged = parent.batch_size, parent.ragged


class _Draws:
    """A seed, and passes counted for those who do not say which they want."""

    def __init__(self, seed: int):
        self.seed = seed
        self._passes = itertools.count()

    def number(self, number: int | None) -> int:
        return next(self._passes) if number is None else number


# -- where elements come from ---------------------------------------------------------------------------------------
class Indexed(Link):
    """Elements by their number, loaded when they are asked for.

    Args:
        size: how many there are.
        load: the element of a number.
        draws: if given, what the order of every pass is drawn from.
        threads: how many load at the same time.
        gather: makes a whole batch from an array of numbers, if that is quicker than one by one.
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
        self.draws = None if seed is None else _Draws(seed)

    def order(self, number: int | None) -> np.ndarray:
        count = int(self.size or 0)
        if self.draws is None:
            return np.arange(count)
        return epoch_order(count, self.draws.seed, self.draws.number(number))

    def run(self, number: int | None, skip: int = 0) -> Generator[Any]:
        wanted = self.order(number)[skip:].tolist()
        if self.threads == 1:
            yield from map(self.load, wanted)
            return
        tasks = (wanted[i : i + _TOGETHER] for i in range(0, len(wanted), _TOGETHER))
        for loaded in ordered([self._load_some] * self.threads, tasks, _AHEAD * self.threads):
            yield from loaded

    def _load_some(self, numbers: list[int]) -> list[Any]:
        return [self.load(i) for i in numbers]


class Called(Link):
    """Elements of an iterator that a function opens for every pass."""

    def __init__(self, start: Callable[[], Iterable[Any]], size: int | None = None):
        self.start, self.size = start, size

    def run(self, number: int | None, skip: int = 0) -> Generator[Any]:
        yield from itertools.islice(iter(self.start()), skip, None)


# -- which of them --------------------------------------------------------------------------------------------------
class Take(_Link):
    """The first elements."""

    def __init__(self, parent: Link, count: int):
        super().__init__(parent)
        self.count, self.rows = count, None
        self.size = None if parent.size is None else min(parent.size, count)

    def run(self, number: int | None, skip: int = 0) -> Generator[Any]:
        if skip < self.count:
            with contextlib.closing(self.parent.run(number, skip)) as elements:
                yield from itertools.islice(elements, self.count - skip)


class Skip(_Link):
    """All but the first elements."""

    def __init__(self, parent: Link, count: int):
        super().__init__(parent)
        self.count, self.rows = count, None
        self.size = None if parent.size is None else max(parent.size - count, 0)

    def run(self, number: int | None, skip: int = 0) -> Generator[Any]:
        yield from self.parent.run(number, skip + self.count)


class Filter(_Link):
    """The elements of which a function says so."""

    def __init__(self, parent: Link, function: Callable[..., Any]):
        super().__init__(parent)
        self.function, self.size, self.rows = function, None, None

    def run(self, number: int | None, skip: int = 0) -> Generator[Any]:
        with contextlib.closing(self.parent.run(number)) as elements:
            kept = (element for element in elements if bool(np.all(call(self.function, element))))
            yield from itertools.islice(kept, skip, None)


class Repeat(_Link):
    """Several passes as one, or passes without end (`count` None)."""

    def __init__(self, parent: Link, count: int | None):
        super().__init__(parent)
        self.count, self.rows = count, None
        if count is None:
            self.size = 0 if parent.size == 0 else math.inf
        else:
            self.size = None if parent.size is None else parent.size * count

    def run(self, number: int | None, skip: int = 0) -> Generator[Any]:
        size = self.parent.size
        jumps = bool(size) and size != math.inf
        done, skip = divmod(skip, int(size)) if size and jumps else (0, skip)
        first = None if number is None else number * (self.count or 1)
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


class Concatenate(Link):
    """The elements of one, then those of another."""

    parent: Link

    def __init__(self, parent: Link, other: Link):
        self.parent, self.other, self.batch_size = parent, other, parent.batch_size
        self.ragged = parent.ragged or other.ragged
        self.size = None if parent.size is None or other.size is None else parent.size + other.size

    def run(self, number: int | None, skip: int = 0) -> Generator[Any]:
        size = self.parent.size
        if size is None:
            for element in self.parent.run(number):
                if skip == 0:
                    yield element
                else:
                    skip -= 1
        elif size > skip:
            yield from self.parent.run(number, skip)
            skip = 0
        else:
            skip -= int(size)
        yield from self.other.run(number, skip)


# -- in which order -------------------------------------------------------------------------------------------------
class Shuffle(_Link):
    """Elements in the order in which they are drawn from a buffer that is filled up again after every draw."""

    def __init__(self, parent: Link, buffer_size: int, seed: int, anew: bool):
        super().__init__(parent)
        self.buffer_size, self.draws, self.anew = buffer_size, _Draws(seed), anew

    def run(self, number: int | None, skip: int = 0) -> Generator[Any]:
        drawn = self.draws.number(number) if self.anew else 0
        random = np.random.default_rng((self.draws.seed, drawn))
        with contextlib.closing(self.parent.run(number)) as elements:
            yield from itertools.islice(self._drawn(elements, random), skip, None)

    def _drawn(self, elements: Generator[Any], random: np.random.Generator) -> Generator[Any]:
        buffer = list(itertools.islice(elements, self.buffer_size))
        while buffer:
            at = int(random.integers(len(buffer)))
            buffer[at], buffer[-1] = buffer[-1], buffer[at]
            yield buffer.pop()
            buffer.extend(itertools.islice(elements, 1))


# -- what becomes of them -------------------------------------------------------------------------------------------
def call(function: Callable[..., Any], element: Any) -> Any:
    """A function of an element; a tuple is several arguments."""
    return function(*element) if isinstance(element, tuple) else function(element)


def as_element(value: Any) -> Any:
    """What a user's function returned, with NumPy arrays (and strings) for leaves; a list counts as one array."""
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


class Map(_Link):
    """What a function makes of each element, in a number of threads."""

    def __init__(self, parent: Link, function: Callable[..., Any], threads: int):
        super().__init__(parent)
        self.function, self.threads = function, threads

    def _apply(self, element: Any) -> Any:
        return as_element(call(self.function, element))

    def run(self, number: int | None, skip: int = 0) -> Generator[Any]:
        elements = self.parent.run(number, skip)
        try:
            if self.threads > 1:
                # The first one alone: layers build themselves when they are first called, which is no work for two.
                yield from map(self._apply, itertools.islice(elements, 1))
                yield from ordered([self._apply] * self.threads, elements, _AHEAD * self.threads)
            else:
                yield from map(self._apply, elements)
        finally:
            if self.threads == 1:  # else the last thread closes them
                elements.close()


class Batch(_Link):
    """Rows of elements."""

    def __init__(self, parent: Link, count: int, whole: bool, stack: Callable[[list[Any]], Any]):
        super().__init__(parent)
        self.count, self.whole, self.stack = count, whole, stack
        self.batch_size, self.ragged = count, not whole
        size = parent.size
        if size is not None and size != math.inf:
            self.size = int(size) // count if whole else math.ceil(size / count)
            self.rows = self.size * count if whole else int(size)

    def run(self, number: int | None, skip: int = 0) -> Generator[Any]:
        parent = self.parent
        if isinstance(parent, Indexed) and parent.gather is not None:
            order = parent.order(number)
            end = len(order) - (len(order) % self.count if self.whole else 0)
            for start in range(skip * self.count, end, self.count):
                yield parent.gather(order[start : start + self.count])
            return
        with contextlib.closing(parent.run(number, skip * self.count)) as elements:
            while rows := list(itertools.islice(elements, self.count)):
                if self.whole and len(rows) < self.count:
                    return
                yield self.stack(rows)


class Unbatch(_Link):
    """The rows of batches."""

    def __init__(self, parent: Link):
        super().__init__(parent)
        self.size, self.rows, self.batch_size, self.ragged = parent.rows, None, None, False

    def run(self, number: int | None, skip: int = 0) -> Generator[Any]:
        with contextlib.closing(self.parent.run(number)) as batches:
            yield from itertools.islice(itertools.chain.from_iterable(map(rows_of, batches)), skip, None)


class Cache(_Link):
    """Keeps the elements of its first whole pass in memory, for all passes."""

    def __init__(self, parent: Link):
        super().__init__(parent)
        self.kept: list[Any] | None = None

    def run(self, number: int | None, skip: int = 0) -> Generator[Any]:
        if self.kept is not None:
            yield from itertools.islice(self.kept, skip, None)
            return
        seen = []
        with contextlib.closing(self.parent.run(0)) as elements:  # the same ones whoever comes first
            for i, element in enumerate(elements):
                seen.append(element)
                if i >= skip:
                    yield element
        self.kept, self.size = seen, len(seen)


class Ahead(_Link):
    """Makes elements in the background before they are asked for."""

    def __init__(self, parent: Link, count: int):
        super().__init__(parent)
        self.count = count

    def run(self, number: int | None, skip: int = 0) -> Generator[Any]:
        yield from prefetch(self.parent.run(number, skip), self.count)


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
            f"Elements of one batch must have the same shape, but {name} has {found}. Bring them to one shape with "
            "`map`" + ("." if pad else ", or use `padded_batch`.")
        )
    full = tuple(map(max, zip(*shapes)))
    result = np.full((len(arrays), *full), fill, arrays[0].dtype)
    for row, array in zip(result, arrays):
        row[tuple(map(slice, array.shape))] = array
    return result


def stack(elements: list[Any], pad: bool = False, fill: Any = 0) -> Any:
    """Elements as the rows of one batch; strings as an array of objects.

    Args:
        elements: structures of the same form.
        pad: whether arrays of different shapes are filled up at the end of every axis.
        fill: with what.

    Raises:
        ValueError: for elements that do not fit together.
    """
    columns = [[leaf for _, leaf in named_leaves("element", element)] for element in elements]
    if len({len(column) for column in columns}) > 1:
        raise ValueError("The elements of one batch must all be nested alike; these are not.")
    leaves = iter(list(zip(*columns)))
    return map_leaves(lambda _, name: _join(list(next(leaves)), name, pad, fill), "element", elements[0])


def rows_of(batch: Any) -> Iterable[Any]:
    """The rows of a batch, one by one."""
    leaves = [leaf for _, leaf in named_leaves("element", batch) if leaf is not None]
    if not leaves or any(np.ndim(leaf) == 0 for leaf in leaves):
        raise ValueError("`unbatch` takes batches, but these elements are single ones already; leave it out.")
    for i in range(len(leaves[0])):
        yield map_leaves(lambda leaf, _, i=i: None if leaf is None else leaf[i], "element", batch)


def describe(element: Any, ragged: bool) -> Any:
    """Shapes and types of an element, as KerasTensors; the rows of batches of which one may be smaller are unknown."""

    def spec(leaf: Any, _: str) -> Any:
        if leaf is None:
            return None
        array = np.asarray(leaf)
        shape = (None, *array.shape[1:]) if ragged and array.ndim else array.shape
        first = array.flat[0] if array.dtype.kind == "O" and array.size else array
        dtype = getattr(first, "dtype", np.dtype(str))
        return KerasTensor(shape, "string" if dtype.kind in "OUS" else dtype, record_history=False)

    return map_leaves(spec, "element", element)
