"""From sources of data to pieces of work for the compiled programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxkeras.core.signature import signature
from jaxkeras.data import ArraySource, Source, prefetch
from jaxkeras.training.program import Programs

CHUNK_BYTES = 4 * 2**20  # of stacked batches handed to a program at once: enough to hide the call, little to copy
CHUNK_SECONDS = 0.1  # a slow source does not wait for a full chunk


class Piece(NamedTuple):
    """Consecutive steps that run as one execution."""

    steps: int
    batch: Any  # a batch of the shapes it runs on, to learn the names of logs from
    run: Callable[[Programs, Any, Any], tuple[Any, Any]]


Length = Callable[[], int]  # how many steps the next piece should have


def _nbytes(tree: Any) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


def head(tree: Any, rows: int) -> Any:
    """What arrays with another number of rows are on the device."""
    return jax.tree.map(lambda a: _struct(a, rows), tree)


def _struct(array: Any, rows: int | None = None) -> jax.ShapeDtypeStruct:
    """What an array, or one with another number of rows, is on the device."""
    shape = array.shape if rows is None else (rows, *array.shape[1:])
    return jax.ShapeDtypeStruct(shape, jax.dtypes.canonicalize_dtype(array.dtype))


def fits_on_device(arrays: Any) -> bool:
    """Whether arrays may stay on the device beside a model: at most half of what it has left."""
    stats = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" not in stats:
        return True  # host memory, where the arrays are already
    return _nbytes(arrays) <= (stats["bytes_limit"] - stats.get("bytes_in_use", 0)) / 2


def feed_for(source: Source, chunk: int | None = None, reuse: bool = True) -> Any:
    """The best way to bring a source to the device.

    Args:
        source: the data.
        chunk: steps in a chunk of a stream; by default as many as fit into `CHUNK_BYTES`.
        reuse: whether the arrays will be gone through in another order in every epoch.
    """
    if isinstance(source, ArraySource) and not source.host_only:
        if source.shuffle or reuse and source.steps * source.batch_size < source.num_rows:
            if fits_on_device(source.arrays):
                return ResidentFeed(source)
        elif chunk is None or chunk > 1:
            return SliceFeed(source)
    return StreamFeed(source, chunk)


class ResidentFeed:
    """Arrays that go to the device once; each step gathers its rows inside the program."""

    def __init__(self, source: ArraySource):
        self.source = source
        self.data: Any = None
        self._drawn: tuple[Any, Any] | None = None

    def _order(self, epoch: int) -> Any:
        """The order of an epoch on the device; the one that was drawn last is kept."""
        key = self.source.seed, epoch
        if self._drawn is None or self._drawn[0] != key:
            order = self.source.order(epoch)
            self._drawn = key, None if order is None else jax.device_put(order)
        return self._drawn[1]

    def prepare(self, programs: Programs, ts: Any, epoch: int) -> list[Any]:
        """Have the programs of an epoch compiled."""
        source, size = self.source, self.source.batch_size
        order = self._order(epoch)
        data = jax.tree.map(_struct, source.arrays)
        whole, tail = divmod(source.num_rows if order is None else len(order), size)
        futures = []
        if whole:
            futures.append(programs.prepare_loop(ts, programs.extras(ts, head(data, size)), data, order, size))
        if tail:
            futures.append(programs.prepare_tail(ts, programs.extras(ts, head(data, tail)), data, order, tail))
        return futures

    def pieces(self, epoch: int, length: Length, skip: int = 0, more: bool = False) -> Iterator[Piece]:
        """The pieces of an epoch.

        Args:
            epoch: number of the epoch.
            length: tells how many steps the next piece should have.
            skip: how many steps to leave out at the beginning.
            more: whether another epoch follows, to get ready for while the device works on the last piece.
        """
        source, size = self.source, self.source.batch_size
        if self.data is None:
            self.data = jax.device_put(source.arrays)
        order = self._order(epoch)
        rows = source.num_rows if order is None else len(order)
        whole, tail = divmod(rows, size)
        done = skip
        while done < whole:
            count = min(max(1, length()), whole - done)
            yield Piece(count, head(self.data, size), _loop(self.data, order, done, count, size))
            done += count
        if tail and skip <= whole:
            yield Piece(1, head(self.data, tail), _tail(self.data, order, whole * size, tail))
        if more:
            self._order(epoch + 1)

    def close(self) -> None:
        self.data = self._drawn = None


class SliceFeed:
    """Arrays in the order in which they lie, in chunks of a fixed number of batches, so that data of any length run
    through the same program."""

    def __init__(self, source: ArraySource):
        self.source = source
        size = source.batch_size
        row = max(1, _nbytes(source.arrays) // max(1, source.num_rows))
        limit = max(1, CHUNK_BYTES // (row * size))
        whole = min(source.num_rows // size, source.steps)
        chunk = 1
        while chunk < whole and chunk * 2 <= limit:
            chunk *= 2
        self.chunk = chunk
        self._placed: dict[int, Any] = {}

    def prepare(self, programs: Programs, ts: Any, epoch: int) -> list[Any]:
        """Have the programs of an epoch compiled."""
        arrays, size = self.source.arrays, self.source.batch_size
        whole, tail = divmod(min(self.source.num_rows, self.source.steps * size), size)
        futures = []
        if whole:
            extras = programs.extras(ts, head(arrays, size))
            futures.append(programs.prepare_loop(ts, extras, head(arrays, self.chunk * size), None, size))
        if tail:
            batch = head(arrays, tail)
            futures.append(programs.prepare_single(ts, programs.extras(ts, batch), batch))
        return futures

    def _chunk_at(self, start: int, count: int) -> Any:
        if start not in self._placed:
            size = self.source.batch_size
            first, last = start * size, (start + count) * size

            def cut(a: Any) -> Any:
                part = a[first:last]
                if count < self.chunk:
                    full = np.zeros((self.chunk * size, *a.shape[1:]), a.dtype)
                    full[: last - first] = part
                    return full
                return part

            self._placed[start] = jax.device_put(jax.tree.map(cut, self.source.arrays))
        return self._placed[start]

    def pieces(self, epoch: int, length: Length, skip: int = 0, more: bool = False) -> Iterator[Piece]:
        """The pieces of an epoch; see `ResidentFeed.pieces`."""
        source, size = self.source, self.source.batch_size
        rows = min(source.num_rows, source.steps * size)
        whole, tail = divmod(rows, size)
        for start in range(0, whole, self.chunk):
            here = min(self.chunk, whole - start)
            if skip >= start + here:
                continue
            data = self._chunk_at(start, here)
            done = max(0, skip - start)
            while done < here:
                count = min(max(1, length()), here - done)
                yield Piece(count, head(data, size), _loop(data, None, done, count, size))
                done += count
        if tail and skip <= whole:
            first = whole * size
            batch = jax.tree.map(lambda a: a[first : first + tail], source.arrays)
            yield Piece(1, batch, _single(batch))

    def close(self) -> None:
        self._placed.clear()


class StreamFeed:
    """Batches as they come, stacked into chunks and sent ahead by a thread, two chunks deep.

    Args:
        source: a stream, or arrays that do not fit on the device.
        chunk: steps in a chunk; None for as many as fit into `CHUNK_BYTES`.
    """

    def __init__(self, source: Source, chunk: int | None = None):
        self.source, self.chunk = source, chunk
        self._decided: dict[Any, int] = {}

    def prepare(self, programs: Programs, ts: Any, epoch: int) -> list[Any]:
        """Nothing: a stream does not say beforehand what it brings."""
        return []

    def pieces(self, epoch: int, length: Length, skip: int = 0, more: bool = False) -> Iterator[Piece]:
        """The pieces of an epoch; see `ResidentFeed.pieces`."""
        source = self.source
        if skip and not self._decided:
            first = source.peek(epoch)  # what an epoch from its start would have decided by
            self._length(first, signature(first))
        read = source.batches if isinstance(source, ArraySource) else source.epoch  # type: ignore[attr-defined]
        batches = read(epoch, skip)
        ahead = prefetch(self._chunks(iter(batches)), 2)
        try:
            for data, count, size in ahead:
                if count == 0:
                    yield Piece(1, data, _single(data))
                    continue
                done = 0
                while done < count:
                    steps = min(max(1, length()), count - done)
                    yield Piece(steps, head(data, size), _loop(data, None, done, steps, size))
                    done += steps
        finally:
            close = getattr(ahead, "close", None)
            if close is not None:
                close()

    def _chunks(self, batches: Iterator[Any]) -> Iterator[tuple[Any, int, int]]:
        """`(stacked batches, how many, rows in each)`; how many is 0 for a batch that runs alone."""
        waiting: list[Any] = []
        shape: Any = None
        since = time.perf_counter()

        def flush() -> Iterator[tuple[Any, int, int]]:
            if waiting:
                yield self._stack(waiting, shape)
                waiting.clear()

        for batch in batches:
            now = signature(batch)
            if now != shape:
                yield from flush()
                shape = now
            if not waiting:
                since = time.perf_counter()
            waiting.append(batch)
            if len(waiting) >= self._length(batch, shape) or time.perf_counter() - since > CHUNK_SECONDS:
                yield from flush()
        yield from flush()

    def _length(self, batch: Any, shape: Any) -> int:
        if self.chunk is not None:
            return self.chunk
        if shape not in self._decided:
            fits = max(1, min(32, CHUNK_BYTES // max(1, _nbytes(batch))))
            # Only the first shape is stacked: later ones (the last, smaller batch) are rare.
            self._decided[shape] = 1 << (fits.bit_length() - 1) if not self._decided else 1
        return self._decided[shape]

    def _stack(self, batches: list[Any], shape: Any) -> tuple[Any, int, int]:
        length, size = self._length(batches[0], shape), _rows(batches[0])
        if length == 1 or size is None:
            return jax.device_put(batches[0]), 0, 0

        def join(*parts: Any) -> Any:
            full = np.empty((length * size, *parts[0].shape[1:]), parts[0].dtype)
            for i, part in enumerate(parts):
                full[i * size : (i + 1) * size] = part
            full[len(parts) * size :] = 0  # rows that no step reads
            return full

        return jax.device_put(jax.tree.map(join, *batches)), len(batches), size

    def close(self) -> None:
        pass


def _rows(batch: Any) -> int | None:
    """How many rows a batch has, if all its arrays have equally many."""
    sizes = {leaf.shape[0] if leaf.ndim else None for leaf in jax.tree.leaves(batch)}
    return sizes.pop() if len(sizes) == 1 else None


def _loop(data: Any, order: Any, start: int, count: int, size: int) -> Callable[..., Any]:
    return lambda programs, ts, extras: programs.loop(ts, extras, data, order, start, count, size)


def _tail(data: Any, order: Any, start: int, size: int) -> Callable[..., Any]:
    return lambda programs, ts, extras: programs.tail(ts, extras, data, order, start, size)


def _single(batch: Any) -> Callable[..., Any]:
    return lambda programs, ts, extras: programs.single(ts, extras, batch)
