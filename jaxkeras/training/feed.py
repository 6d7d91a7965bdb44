"""From sources of data to batches on the device: a feed yields `(BatchRef, steps)` for each call of a compiled step."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxkeras.core.abstract_signature import signature
from jaxkeras.data import ArraySource, Rows, Source, prefetch
from jaxkeras.training.agreement import agree
from jaxkeras.training.placement import ONE_DEVICE, OneDevice, Placement, fits_on_device, nbytes
from jaxkeras.training.program import BatchRef, CompiledStep, batch_spec

CHUNK_BYTES = 4 * 2**20  # of batches passed to one call: enough to hide the call, little to copy
CHUNK_SECONDS = 0.1  # a slow source does not wait for a full chunk

StepsPerCall = Callable[[], int]


class Span(NamedTuple):
    """Consecutive batches of one size, brought to the device together.

    Attributes:
        ref: where they are, without the data.
        steps: how many.
        place: returns the data, on the device.
        rows: number of rows of the data.
    """

    ref: BatchRef
    steps: int
    place: Callable[[], Any]
    rows: int


class Feed:
    """Batches of a source for a compiled step."""

    source: Any
    seeks = False  # whether `spans` leaves out the batches to skip

    def spans(self, epoch: int, skip: int) -> Iterator[Span]:
        """The batches of an epoch; without the first `skip` if the feed seeks."""
        raise NotImplementedError

    def known_spans(self, epoch: int) -> list[Span]:
        """The spans of an epoch, as far as they are known without reading data."""
        return list(self.spans(epoch, 0))

    def refs(
        self, epoch: int, steps_per_call: StepsPerCall, skip: int = 0, more: bool = False
    ) -> Iterator[tuple[BatchRef, int]]:
        """The calls of an epoch.

        Args:
            epoch: number of the epoch.
            steps_per_call: returns how many steps the next call should run.
            skip: steps to leave out at the beginning.
            more: whether another epoch follows, to get ready for while the device is busy.

        Yields:
            The batches of a call, and their number.
        """
        spans = self.spans(epoch, skip)
        skip = 0 if self.seeks else skip
        try:
            for span in spans:
                first, skip = min(skip, span.steps), max(0, skip - span.steps)
                if first == span.steps:
                    continue
                ref = span.ref._replace(data=span.place())
                while first < span.steps:
                    steps = min(max(1, steps_per_call()), span.steps - first)
                    yield ref.at(first), steps
                    first += steps
        finally:
            getattr(spans, "close", lambda: None)()

    def key(self) -> Any:
        """What decides which programs `prepare` compiles, besides the step and the state."""
        return None

    def prepare(self, step: CompiledStep, ts: Any, epoch: int) -> list[Any]:
        """Compile the programs of an epoch in the background; returns a future for each."""
        programs = {
            (span.ref.size, span.ref.form, span.steps if step.stack else 0): span for span in self.known_spans(epoch)
        }
        return [step.prepare(ts, span.ref._replace(data=self.spec(span)), span.steps) for span in programs.values()]

    def spec(self, span: Span) -> Any:
        """The data of a span as `jax.ShapeDtypeStruct`s."""
        return batch_spec(self.source.arrays, span.rows)

    def close(self) -> None:
        """Release the data."""


def feed_for(
    source: Source, chunk: int | None = None, *, moving: bool = False, keep: bool = False, stack: bool = False,
    eager: bool = False, where: OneDevice | Placement = ONE_DEVICE, room: Callable[[int], int] = int,
) -> Feed:  # fmt: skip
    """The fastest way to bring a source to the device.

    Args:
        source: the data.
        chunk: steps of a chunk of a stream; by default as many as fit into `CHUNK_BYTES`.
        moving: whether epochs with fewer steps than the data hold continue where the last one stopped.
        keep: whether the source is read again, so that data that fit may stay on the device.
        stack: whether outputs are collected, so that no call may run on padded batches.
        eager: whether steps run op by op, each on a batch of its own.
        where: how batches come to the devices.
        room: for how many rows to make room on the device, so that data of other lengths share a program.
    """
    if moving and isinstance(source, ArraySource):
        where.check_batch(source.batch_size, source.num_rows)
    if isinstance(source, ArraySource) and not source.host_only and where.processes == 1:
        if source.shuffle or moving and source.steps * source.batch_size < source.num_rows:
            if where.fits(source.arrays):
                rows = room(source.num_rows)
                fits = rows == source.num_rows or fits_on_device(source.arrays, rows / source.num_rows)
                return ResidentFeed(source, where, rows if fits else source.num_rows)
        elif chunk is None or chunk > 1 or not (stack or eager):
            return SliceFeed(source, keep and where.fits(source.arrays), stack, where)
    return StreamFeed(source, 1 if stack else chunk, where)  # it pads longer chunks


class ResidentFeed(Feed):
    """Arrays that go to the device once; every step gathers its rows inside the program.

    Args:
        source: the arrays.
        where: how they come to the devices.
        room: the number of rows there, which the program depends on; by default that of the arrays. No step reads the
            others.
    """

    def __init__(self, source: ArraySource, where: OneDevice | Placement = ONE_DEVICE, room: int = 0):
        self.source, self._where = source, where
        self._missing = max(0, room - source.num_rows)
        self._arrays = jax.tree.map(self._filled, source.arrays) if self._missing else source.arrays
        self._data: Any = None
        self._drawn: tuple[Any, int, Any] | None = None

    def _filled(self, array: Any) -> np.ndarray:
        return np.concatenate([array, np.zeros((self._missing, *array.shape[1:]), array.dtype)])

    def key(self) -> Any:
        source = self.source
        return "resident", source.batch_size, source.steps, bool(source.shuffle), signature(self._arrays)

    def _order(self, epoch: int) -> tuple[int, Any]:
        """The number of rows of an epoch, and their order on the device; the last one drawn is kept."""
        key = self.source.seed, epoch
        if self._drawn is None or self._drawn[0] != key:
            order = self.source.order(epoch)
            rows = self.source.num_rows if order is None else len(order)
            if order is not None:
                order = self._where.whole(self._filled(order) if self._missing else order)
            self._drawn = key, rows, order
        return self._drawn[1:]

    def _place(self) -> Any:
        if self._data is None:
            self._data = self._where.resident(self._arrays)
        return self._data

    def spec(self, span: Span) -> Any:
        return self._where.resident_spec(self._arrays)

    def spans(self, epoch: int, skip: int) -> Iterator[Span]:
        source, (rows, order) = self.source, self._order(epoch)
        for start, size, steps, models in source.pieces(rows):
            form = "loop" if size == source.batch_size else "slice"
            yield Span(BatchRef(None, size, start, order, form, models), steps, self._place, source.num_rows)

    def refs(
        self, epoch: int, steps_per_call: StepsPerCall, skip: int = 0, more: bool = False
    ) -> Iterator[tuple[BatchRef, int]]:
        yield from super().refs(epoch, steps_per_call, skip)
        if more:
            self._order(epoch + 1)

    def close(self) -> None:
        self._data = self._drawn = None


class SliceFeed(Feed):
    """Arrays in stored order, in chunks of a fixed number of batches, so that one program serves data of any length.

    Args:
        source: the arrays.
        keep: whether chunks stay on the device for the next epoch.
        stack: whether the last chunks are cut into powers of two; otherwise the last one is padded with rows that no
            step reads.
        where: how batches come to the devices.
    """

    def __init__(
        self, source: ArraySource, keep: bool = False, stack: bool = False, where: OneDevice | Placement = ONE_DEVICE
    ):
        self.source, self.keep, self.stack, self._where = source, keep, stack, where
        self._rows = min(source.num_rows, source.steps * source.batch_size)
        batch_bytes = max(1, nbytes(source.arrays) * source.batch_size // max(1, source.num_rows))
        # All batches in one chunk if they fit: 1 << bits(n - 1) is the smallest power of two that is at least n.
        whole = 1 << max(0, self._rows // source.batch_size - 1).bit_length()
        self._chunk = min(whole, _power_of_two(max(1, CHUNK_BYTES // batch_bytes)))
        self._placed: dict[int, Any] = {}

    def key(self) -> Any:
        source = self.source
        return "slices", source.batch_size, source.steps, self.stack, signature(source.arrays)

    def spans(self, epoch: int, skip: int) -> Iterator[Span]:
        size = self.source.batch_size
        whole, tail = divmod(self._rows, size)
        start = 0
        while start < whole:
            steps = min(self._chunk, whole - start)
            if self.stack:
                steps = _power_of_two(steps)
            yield self._span(start * size, steps, steps if self.stack else self._chunk)
            start += steps
        if tail:
            first = whole * size
            yield Span(BatchRef(None, tail, form="whole"), 1, lambda: self._cut(first, first + tail, tail), tail)

    def _span(self, first: int, steps: int, padded: int) -> Span:
        size = self.source.batch_size
        last, rows = first + steps * size, padded * size
        ref = BatchRef(None, size, form=self._where.chunk_form)
        return Span(ref, steps, lambda: self._cut(first, last, rows), rows)

    def spec(self, span: Span) -> Any:
        rows = batch_spec(self.source.arrays, span.rows)
        return self._where.batch_spec(rows) if span.ref.form == "whole" else self._where.chunk_spec(rows, span.ref.size)

    def _cut(self, first: int, last: int, rows: int) -> Any:
        if first in self._placed:
            return self._placed[first]

        def cut(a: Any) -> Any:
            part = a[first:last]
            if len(part) == rows:
                return part
            full = np.zeros((rows, *a.shape[1:]), a.dtype)
            full[: len(part)] = part
            return full

        data = jax.tree.map(cut, self.source.arrays)
        size = self.source.batch_size if rows % self.source.batch_size == 0 else None  # None for the last, smaller one
        if self.stack:
            return self._where.used_once(data, size)
        data = self._where.batch(data) if size is None else self._where.chunk(data, size)
        if self.keep:
            self._placed[first] = data
        return data

    def close(self) -> None:
        self._placed.clear()


def _power_of_two(n: int) -> int:
    """The largest power of two that is at most `n`."""
    return 1 << (n.bit_length() - 1)


class StreamFeed(Feed):
    """Batches in the order they come, stacked into chunks and sent to the device by a thread, two chunks ahead.

    Args:
        source: a stream, or arrays that do not fit on the device.
        chunk: steps of a chunk; None for as many as fit into `CHUNK_BYTES`.
        where: how batches come to the devices.
    """

    seeks = True

    def __init__(self, source: Source, chunk: int | None = None, where: OneDevice | Placement = ONE_DEVICE):
        self.source, self.chunk, self._where = source, chunk, where
        self._lengths: dict[Any, int] = {}

    def known_spans(self, epoch: int) -> list[Span]:
        return []

    def spans(self, epoch: int, skip: int) -> Iterator[Span]:
        source = self.source
        if skip and not self._lengths:
            first = source.peek(epoch)  # decides the length of chunks, as the start of the epoch would have
            self._length(first, signature(first))
        read = source.batches if isinstance(source, ArraySource) else source.epoch  # type: ignore[attr-defined]
        if isinstance(source, ArraySource) and self._where.processes > 1 and not self._where.own_data:
            read = functools.partial(source.batches, lazily=True)
        chunks = prefetch(self._chunks(iter(read(epoch, skip))), 2)
        return chunks if isinstance(source, ArraySource) or self._where.processes == 1 else self._agreed(chunks)

    def _agreed(self, chunks: Generator[Span]) -> Generator[Span]:
        """Compare the batches of a stream with those of the other processes, which may end earlier."""
        with contextlib.closing(chunks):
            for span in chunks:
                shapes = [f"{a.dtype}{list(a.shape)}" for a in jax.tree.leaves(span.ref.data)]
                agree(f"batches of a {self.source.kind}", steps=span.steps, shapes=shapes)
                yield span
        agree(f"batches of a {self.source.kind}", steps="the end of the data")

    def _chunks(self, batches: Iterator[Any]) -> Iterator[Span]:
        waiting: list[Any] = []
        shape: Any = None
        since = time.perf_counter()

        def flush() -> Iterator[Span]:
            if waiting:
                ref, steps = self._stack(waiting, shape)
                yield Span(ref, steps, lambda: ref.data, 0)
                waiting.clear()

        for batch in batches:
            now = signature(batch)
            if now != shape:
                yield from flush()
                shape = now
            if not waiting:
                since = time.perf_counter()
            waiting.append(batch)
            # Several processes must run the same calls, whatever their clocks say.
            slow = self._where.processes == 1 and time.perf_counter() - since > CHUNK_SECONDS
            if slow or len(waiting) >= self._length(batch, shape):
                yield from flush()
        yield from flush()

    def _length(self, batch: Any, shape: Any) -> int:
        if self.chunk is not None:
            return self.chunk
        if shape not in self._lengths:
            fits = max(1, min(32, CHUNK_BYTES // max(1, nbytes(batch))))
            # Only the first shape is stacked: later ones (the last, smaller batch) are rare.
            self._lengths[shape] = _power_of_two(fits) if not self._lengths else 1
        return self._lengths[shape]

    def _stack(self, batches: list[Any], shape: Any) -> tuple[BatchRef, int]:
        length, size = self._length(batches[0], shape), _rows_of(batches[0])
        if length == 1 or size is None:
            source = self.source
            is_last = isinstance(source, ArraySource) and (size or 0) < source.batch_size
            return BatchRef(self._where.batch(batches[0]), (size or 0) if is_last else 0, form="whole"), 1

        def join(*parts: Any) -> Any:
            if isinstance(parts[0], Rows):
                return Rows.joined(parts, length)
            full = np.empty((length * size, *parts[0].shape[1:]), parts[0].dtype)
            for i, part in enumerate(parts):
                full[i * size : (i + 1) * size] = part
            full[len(parts) * size :] = 0  # rows that no step reads
            return full

        data = self._where.chunk(jax.tree.map(join, *batches), size)
        return BatchRef(data, size, form=self._where.chunk_form), len(batches)


def _rows_of(batch: Any) -> int | None:
    """The number of rows of a batch, if all its arrays have as many."""
    sizes = {leaf.shape[0] if leaf.ndim else None for leaf in jax.tree.leaves(batch)}
    return sizes.pop() if len(sizes) == 1 else None
