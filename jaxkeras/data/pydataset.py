"""`PyDataset`: batches by number, loaded in the main process, by threads or by processes."""

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
    """Base class of datasets that load batch number `i` when asked for it.

    Implement `__getitem__`, which returns a whole batch, and `__len__`, the number of batches (or the property
    `num_batches`, None for a dataset without end). `on_epoch_begin` and `on_epoch_end` may change the dataset between
    epochs.

    Args:
        workers: how many threads or processes load batches; one, without `use_multiprocessing`, loads in place.
        use_multiprocessing: whether the workers are processes. These are spawned and get a pickled copy of the dataset,
            renewed when it changed between epochs, so the class must stand in a module, and a script must start its
            work under `if __name__ == "__main__":`. NumPy's and Python's global generators are seeded there for every
            batch, so the numbers do not depend on which worker loads it.
        max_queue_size: how many batches may be loaded ahead.

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
        """The batch at a position: `(x,)`, `(x, y)`, `(x, y, sample_weight)` or inputs alone."""
        raise NotImplementedError(f"{type(self).__name__} must define `__getitem__(self, index)` to return a batch.")

    def __iter__(self) -> Iterator[Any]:
        size = self.num_batches
        for index in itertools.count() if size is None else range(size):
            yield self[index]

    @property
    def num_batches(self) -> int | None:
        """How many batches there are, or None if they never end."""
        length = getattr(type(self), "__len__", None)
        if length is not None:
            return length(self)
        raise NotImplementedError(
            f"{type(self).__name__} must define `__len__(self)`, the number of batches; for a dataset without end "
            "define the property `num_batches` that returns None."
        )

    def on_epoch_begin(self) -> None:
        """Called before every epoch."""

    def on_epoch_end(self) -> None:
        """Called after every epoch."""


Sequence = PyDataset


class PyDatasetSource(StreamSource):
    """The batches of a `PyDataset`, in their order or shuffled anew for every pass.

    Args:
        dataset: the dataset.
        shuffle: whether batches (not the rows within them) come in another order each pass.
        seed: what the orders are drawn from; by default from the global seed.
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
                raise checks.endless(self.kind)
        elif size == 0:
            raise checks.no_batches(self.kind)
        else:
            checks.enough_steps(self._cap, size)
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
        """The seed: everything else follows from the number of the epoch."""
        return {"seed": self.seed}

    def restore(self, state: dict[str, Any]) -> None:
        """Draw the orders that the source of this state drew."""
        super().restore(state)
        self.seed = state["seed"]

    def close(self) -> None:
        """End the worker processes; the next epoch would start new ones."""
        super().close()
        stop_all(self._processes)

    def _size(self) -> int | None:
        return self._dataset.num_batches

    def _begin(self) -> None:
        self._dataset.on_epoch_begin()

    def _end(self) -> None:
        self._dataset.on_epoch_end()

    def _indices(self, epoch: int, skip: int) -> tuple[int, Iterable[int]]:
        """Which pass over the data an epoch belongs to, and the batches it consists of."""
        size = self._dataset.num_batches
        steps = self._cap or size or 0
        if size is None:
            return 0, range(epoch * steps + skip, (epoch + 1) * steps)
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
            # Equal bytes keep their identity, by which a process knows whether its copy is still the right one.
            self._payload = payload = self._payload if payload == self._payload else payload
            self._start_processes(workers)
            functions = [process.fetch for process in self._processes]
            # No `self` in here: the threads hold it, and must not keep an abandoned source alive.
            tasks = map(_task, itertools.repeat(payload), indices, itertools.repeat((self.seed, number)))
        batches = ordered(functions, tasks, window)
        try:
            yield from batches
        except BaseException as e:
            batches.close()
            if not isinstance(e, GeneratorExit):
                stop_all(self._processes)  # one may be dead, or hold half a message
            raise

    def _start_processes(self, workers: int) -> None:
        if len(self._processes) != workers:
            stop_all(self._processes)
            name = f"jaxkeras-{type(self._dataset).__name__}"
            self._processes.extend(Process(f"{name}-{i}") for i in range(workers))


def _task(payload: bytes, index: int, seeds: tuple[int, int]) -> tuple[bytes, int, int]:
    """What a process is to do, with a seed for this very batch of this very pass."""
    return payload, index, int(np.random.SeedSequence((*seeds, index)).generate_state(1)[0])
