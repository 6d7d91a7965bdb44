"""`PyDataset`: batches loaded by index, in the main thread, in threads or in processes."""

from __future__ import annotations

import itertools
import warnings
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import numpy as np

from jaxkeras.core.seeds import make_default_seed
from jaxkeras.data import checks
from jaxkeras.data.arrays import epoch_order
from jaxkeras.data.streams import StreamSource
from jaxkeras.data.workers import Process, ordered, pickled, stop_all


class PyDataset:
    """Base class of datasets that load batches by index.

    Implement `__getitem__`, which returns a whole batch, and `__len__`, the number of batches (or the property
    `num_batches`); a dataset without either is endless. `on_epoch_begin` and `on_epoch_end` may change the dataset
    between epochs.

    Args:
        workers: number of threads or processes that load batches. A single thread loads them in the main thread.
        use_multiprocessing: whether the workers are processes. They are spawned and receive a pickled copy of the
            dataset, again after each change between epochs. So the class must be importable from a module, and a script
            must start its work under `if __name__ == "__main__":`. NumPy's and Python's global generators are seeded
            for each batch, so the values do not depend on which worker loads it.
        max_queue_size: number of batches that may be loaded ahead.

    Example:

    >>> class Squares(PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...
    ...     def __getitem__(self, index):
    ...         x = np.arange(4.0) + index
    ...         return x, x**2
    >>> [float(y[0]) for _, y in Squares()]
    [0.0, 1.0, 4.0]
    """

    workers: int = 1
    use_multiprocessing: bool = False
    max_queue_size: int = 10

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10):
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        """Return a batch: `(x,)`, `(x, y)`, `(x, y, sample_weight)` or only the inputs."""
        raise NotImplementedError(f"{type(self).__name__} must define `__getitem__(self, index)` to return a batch.")

    def __iter__(self) -> Iterator[Any]:
        size = self.num_batches
        for index in itertools.count() if size is None else range(size):
            yield self[index]

    @property
    def num_batches(self) -> int | None:
        """Number of batches, or None for a dataset without end, which defines no `__len__`."""
        length = getattr(type(self), "__len__", None)
        return None if length is None else length(self)

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

    def on_epoch_end(self) -> None:
        """Called after each epoch."""


Sequence = PyDataset


class PyDatasetSource(StreamSource):
    """The batches of a `PyDataset`, in order or shuffled anew in each pass over the data.

    Args:
        dataset: the dataset.
        shuffle: whether to shuffle the batches (not the rows within them).
        seed: seed of the orders; by default drawn from the global seed.
        **how: arguments of `StreamSource`.
    """

    def __init__(self, dataset: PyDataset, shuffle: bool | str = False, seed: int | None = None, **how: Any):
        super().__init__(f"PyDataset {type(dataset).__name__}", **how)
        if "workers" not in vars(dataset):
            warnings.warn(
                f"{type(dataset).__name__}.__init__ does not call super().__init__(**kwargs), so it loads with "
                "workers=1, use_multiprocessing=False, max_queue_size=10.",
                UserWarning,
                stacklevel=2,
            )
        size = dataset.num_batches
        if size is None:
            if self._cap is None:
                warnings.warn(f"{checks.endless(self.kind)} Only a callback can end it now.", stacklevel=2)
        elif size == 0:
            raise checks.no_batches(self.kind)
        else:
            self._cap = checks.enough_steps(self._cap, size)
        self.infinite = size is None
        self.seed = make_default_seed() if seed is None else seed
        self._dataset = dataset
        self._shuffle = bool(shuffle) and size is not None
        hooks = (type(dataset).on_epoch_begin, type(dataset).on_epoch_end)
        self.resumable = hooks == (PyDataset.on_epoch_begin, PyDataset.on_epoch_end)
        self._processes: list[Process] = []
        self._payload = b""
        self._finalizer = weakref.finalize(self, stop_all, self._processes)

    def state(self) -> dict[str, Any]:
        """The seed; the rest follows from the number of the epoch."""
        return {"seed": self.seed}

    def restore(self, state: dict[str, Any]) -> None:
        """Use the same orders as the source that returned `state`."""
        super().restore(state)
        self.seed = state["seed"]

    def close(self) -> None:
        """Stop the worker processes; another epoch would start new ones."""
        super().close()
        stop_all(self._processes)

    def _size(self) -> int | None:
        return self._dataset.num_batches

    def _begin(self) -> None:
        self._dataset.on_epoch_begin()

    def _end(self) -> None:
        self._dataset.on_epoch_end()

    def _indices(self, epoch: int, skip: int) -> tuple[int, Iterable[int]]:
        """Return the pass over the data that an epoch belongs to, and the indices of its batches."""
        size = self._dataset.num_batches
        if size is None:
            first = epoch * (self._cap or 0)
            return 0, itertools.count(skip) if self._cap is None else range(first + skip, first + self._cap)
        steps = self._cap or size
        steps = min(steps, size)
        number, part = divmod(epoch, -(-size // steps))
        order = epoch_order(size, self.seed, number) if self._shuffle else np.arange(size)
        return number, order[part * steps + skip : (part + 1) * steps].tolist()

    def _raw(self, epoch: int, skip: int) -> Generator[Any]:
        number, indices = self._indices(epoch, skip)
        workers, apart = self._dataset.workers, self._dataset.use_multiprocessing
        if workers < 1 or (workers == 1 and not apart):
            yield from map(self._dataset.__getitem__, indices)
            return
        window = checks.queue_size(self._dataset.max_queue_size)
        functions: list[Callable[[Any], Any]] = [self._dataset.__getitem__] * workers
        tasks: Iterable[Any] = indices
        if apart:
            payload = pickled(self._dataset)
            # Keep the old object if the bytes are equal: a process compares by identity whether its copy is current.
            self._payload = payload = self._payload if payload == self._payload else payload
            self._start_processes(workers)
            functions = [process.fetch for process in self._processes]
            # The tasks must not refer to `self`: threads hold them, and would keep an abandoned source alive.
            tasks = map(_task, itertools.repeat(payload), indices, itertools.repeat((self.seed, number)))
        batches = ordered(functions, tasks, window)
        try:
            yield from batches
        except BaseException as e:
            batches.close()
            if not isinstance(e, GeneratorExit):
                stop_all(self._processes)  # one may be dead, or in the middle of a message
            raise

    def _start_processes(self, workers: int) -> None:
        if len(self._processes) != workers:
            stop_all(self._processes)
            name = f"jaxkeras-{type(self._dataset).__name__}"
            self._processes.extend(Process(f"{name}-{i}") for i in range(workers))


def _task(payload: bytes, index: int, seeds: tuple[int, int]) -> tuple[bytes, int, int]:
    """The task of a process: the dataset, the index of a batch, and a seed for this batch in this pass."""
    return payload, index, int(np.random.SeedSequence((*seeds, index)).generate_state(1)[0])
