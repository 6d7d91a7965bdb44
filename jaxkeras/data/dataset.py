"""`Dataset`: a pipeline of elements from files or arrays, with transformations."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import numpy as np

from jaxkeras.core.seeds import make_default_seed
from jaxkeras.data import checks, pipeline
from jaxkeras.data.convert import map_leaves, named_leaves
from jaxkeras.data.streams import StreamSource

AUTOTUNE = -1
INFINITE, UNKNOWN = -1, -2


class Dataset:
    """A sequence of elements that are computed on demand.

    `image_dataset_from_directory` and similar functions return one, and `fit`, `evaluate`, `predict` and `adapt` accept
    one whose elements are batches. The methods are those of `tf.data.Dataset` that Keras programs commonly chain; each
    returns a new dataset and does not change the old one. Elements are NumPy arrays nested in tuples and dicts. Text
    elements are strings, and a batch of them is an array of objects. Functions given to `map` and `filter` are plain
    Python.

    One pass over the data is one epoch. A dataset that shuffles draws a new order in each epoch; in `fit`, that order
    depends only on the seed and the number of the epoch.

    Args:
        stage: the last stage of the pipeline. `from_tensor_slices`, `from_generator` and the functions in
            `jaxkeras.utils` create it.
        class_names: names of the classes; derived datasets keep them.
        file_paths: paths of the files, in the order found, or as shuffled once.

    Example:

    >>> squares = Dataset.from_tensor_slices(np.arange(5)).map(lambda x: x**2).batch(2)
    >>> [batch.tolist() for batch in squares], len(squares)
    ([[0, 1], [4, 9], [16]], 3)
    """

    def __init__(
        self, stage: pipeline.Stage, class_names: list[str] | None = None, file_paths: list[str] | None = None
    ):
        self._stage = stage
        self.class_names = class_names
        if file_paths is not None:
            self.file_paths = file_paths

    # -- sources -----------------------------------------------------------------------------------------------------
    @staticmethod
    def from_tensor_slices(tensors: Any) -> Dataset:
        """Create a dataset whose elements are the rows of arrays.

        Args:
            tensors: arrays with the same number of rows, nested in tuples and dicts; a list counts as one array.

        Returns:
            A `Dataset`.

        Raises:
            ValueError: if there is no array, or one has no rows.
        """
        arrays = pipeline.as_element(tensors)
        leaves = [(name, leaf) for name, leaf in named_leaves("tensors", arrays) if leaf is not None]
        if not leaves or any(np.ndim(leaf) == 0 for _, leaf in leaves):
            raise ValueError(f"from_tensor_slices takes arrays, whose rows become elements; got {tensors!r}.")
        rows = checks.same_rows(leaves)

        def take(at: Any) -> Any:
            return map_leaves(lambda leaf, _: None if leaf is None else leaf[at], "tensors", arrays)

        return Dataset(pipeline.Indexed(rows or 0, take, gather=take))

    @staticmethod
    def from_generator(generator: Callable[[], Iterable[Any]]) -> Dataset:
        """Create a dataset of the items that a generator yields.

        Args:
            generator: a function that returns a new iterator; it is called once per epoch.

        Returns:
            A `Dataset` of unknown length.

        Raises:
            ValueError: if `generator` is not callable.
        """
        if not callable(generator):
            raise ValueError(
                f"from_generator takes a function that returns a new iterator for each epoch; got {generator!r}. "
                "Write from_generator(lambda: ...), or pass the iterator itself to `fit`."
            )
        return Dataset(pipeline.FromCallable(lambda: map(pipeline.as_element, generator())))

    def _then(self, stage: pipeline.Stage) -> Dataset:
        return Dataset(stage, self.class_names)

    # -- transformations ---------------------------------------------------------------------------------------------
    def map(
        self, map_func: Callable[..., Any], num_parallel_calls: int | None = None, deterministic: bool | None = None
    ) -> Dataset:
        """Apply a function to each element.

        Args:
            map_func: called with the element; a tuple is unpacked into several arguments. It may return arrays of any
                framework, nested in tuples and dicts; a list counts as one array.
            num_parallel_calls: number of threads; `AUTOTUNE` (-1) chooses it. The order of elements is kept.
            deterministic: accepted for compatibility.
        """
        threads = pipeline.THREADS if num_parallel_calls == AUTOTUNE else num_parallel_calls or 1
        return self._then(pipeline.Map(self._stage, map_func, _count(threads, "num_parallel_calls")))

    def filter(self, predicate: Callable[..., Any]) -> Dataset:
        """Keep the elements for which `predicate` is true; it is called like the function of `map`."""
        return self._then(pipeline.Filter(self._stage, predicate))

    def batch(
        self,
        batch_size: int,
        drop_remainder: bool = False,
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
    ) -> Dataset:
        """Stack consecutive elements into batches.

        Args:
            batch_size: number of elements in a batch.
            drop_remainder: whether to drop a last, smaller batch.
            num_parallel_calls, deterministic: accepted for compatibility.
        """
        count = _count(batch_size, "batch_size")
        return self._then(pipeline.Batch(self._stage, count, drop_remainder, pipeline.stack))

    def padded_batch(self, batch_size: int, drop_remainder: bool = False, padding_value: Any = 0) -> Dataset:
        """Stack consecutive elements into batches, padding arrays at the end to the largest shape in the batch.

        Args:
            batch_size: number of elements in a batch.
            drop_remainder: whether to drop a last, smaller batch.
            padding_value: the padding value.
        """
        count = _count(batch_size, "batch_size")

        def stack(rows: list[Any]) -> Any:
            return pipeline.stack(rows, pad=True, fill=padding_value)

        return self._then(pipeline.Batch(self._stage, count, drop_remainder, stack))

    def unbatch(self) -> Dataset:
        """Split batches into their rows."""
        return self._then(pipeline.Unbatch(self._stage))

    def shuffle(
        self, buffer_size: int | None = None, seed: int | None = None, reshuffle_each_iteration: bool = True
    ) -> Dataset:
        """Shuffle the elements.

        Args:
            buffer_size: number of elements from which the next one is drawn. By default all of them, for a uniform
                shuffle.
            seed: seed of the order; by default drawn from the global seed.
            reshuffle_each_iteration: whether each epoch has a new order.

        Raises:
            ValueError: if `buffer_size` is None and the number of elements is unknown or infinite.
        """
        size = self._stage.size
        if buffer_size is None:
            if size is None or size == math.inf:
                raise ValueError("shuffle() needs `buffer_size` here, since the number of elements is not known.")
            buffer_size = max(1, int(size))
        count = _count(buffer_size, "buffer_size")
        seed = make_default_seed() if seed is None else seed
        return self._then(pipeline.Shuffle(self._stage, count, seed, reshuffle_each_iteration))

    def take(self, count: int) -> Dataset:
        """Keep the first `count` elements; -1 keeps all."""
        return self if count == -1 else self._then(pipeline.Take(self._stage, count))

    def skip(self, count: int) -> Dataset:
        """Drop the first `count` elements."""
        return self._then(pipeline.Skip(self._stage, count))

    def repeat(self, count: int | None = None) -> Dataset:
        """Repeat the elements `count` times; with None or -1, without end, and `fit` then needs `steps_per_epoch`."""
        return self._then(pipeline.Repeat(self._stage, None if count in (None, -1) else _count(count, "count")))

    def concatenate(self, dataset: Dataset) -> Dataset:
        """Append the elements of another dataset."""
        return self._then(pipeline.Concatenate(self._stage, dataset._stage))

    def cache(self) -> Dataset:
        """Keep the elements of the first complete epoch in memory, so that files are read and functions run only once.

        The stages before it then give the same elements in every epoch, so shuffle and augment after it.
        """
        return self._then(pipeline.Cache(self._stage))

    def prefetch(self, buffer_size: int | None = None) -> Dataset:
        """Compute elements ahead of time in a background thread.

        `fit`, `evaluate` and `predict` prefetch by themselves; use it in your own loops.

        Args:
            buffer_size: number of elements that may wait; 2 by default or with `AUTOTUNE` (-1).
        """
        count = 2 if buffer_size in (None, AUTOTUNE) else _count(buffer_size, "buffer_size")
        return self._then(pipeline.Prefetch(self._stage, count))

    # -- contents ----------------------------------------------------------------------------------------------------
    def __iter__(self) -> Iterator[Any]:
        return self._stage.run(None)

    def as_numpy_iterator(self) -> Iterator[Any]:
        """Iterate over the elements, which are NumPy arrays already."""
        return iter(self)

    def cardinality(self) -> int:
        """Return the number of elements in an epoch: -1 if infinite, -2 if unknown."""
        size = self._stage.size
        return UNKNOWN if size is None else INFINITE if size == math.inf else int(size)

    def __len__(self) -> int:
        if (size := self.cardinality()) < 0:
            what = "is endless" if size == INFINITE else "has an unknown length until it was read"
            raise TypeError(f"This Dataset {what}; use cardinality(), which returns -1 or -2.")
        return size

    # Otherwise `bool` would call `__len__`, and the length may be unknown.
    def __bool__(self) -> bool:
        return True

    @property
    def batch_size(self) -> int | None:
        """Number of rows in each element if the elements are batches, else None."""
        return self._stage.batch_size

    @property
    def element_spec(self) -> Any:
        """Shapes and dtypes as `KerasTensor`s, nested like the elements. Computes the first element.

        The number of rows is None if the last batch may be smaller.
        """
        first = next(self._stage.run(0), None)
        if first is None:
            raise ValueError("This Dataset has no elements, so their shapes and dtypes are unknown.")
        return pipeline.describe(first, self._stage.ragged)

    def __repr__(self) -> str:
        size = self.cardinality()
        text = {INFINITE: "infinitely many", UNKNOWN: "an unknown number of"}.get(size, str(size))
        return f"<Dataset of {text} elements>"


def _count(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"`{name}` must be a positive integer; got {value!r}.")
    return int(value)


class DatasetSource(StreamSource):
    """The batches of a `Dataset` that is endless or has a known size.

    Args:
        dataset: the dataset.
        **how: arguments of `StreamSource`.
    """

    resumable = True

    def __init__(self, dataset: Dataset, **how: Any):
        super().__init__("Dataset", **how)
        self._stage = dataset._stage
        size = self._stage.size
        self.infinite = size == math.inf
        if self.infinite:
            if self._cap is None:
                raise checks.endless(self.kind)
        elif size == 0:
            raise checks.no_batches(self.kind)
        else:
            self._cap = checks.enough_steps(self._cap, int(size or 0))
        self._open: tuple[int, int, Generator[Any]] | None = None

    def _size(self) -> int | None:
        return None if self.infinite else int(self._stage.size or 0)

    def _shufflings(self) -> list[pipeline.Shuffling]:
        stages, found = [self._stage], []
        while stages:
            stage = stages.pop()
            found += [shuffling] if (shuffling := getattr(stage, "shuffling", None)) else []
            stages += [other for other in (stage.parent, getattr(stage, "other", None)) if other is not None]
        return found

    def state(self) -> dict[str, Any]:
        """The seeds; the rest follows from the number of the epoch."""
        return {"seeds": [shuffling.seed for shuffling in self._shufflings()]}

    def restore(self, state: dict[str, Any]) -> None:
        """Use the same orders as the source that returned `state`."""
        super().restore(state)
        self._drop()
        for shuffling, seed in zip(self._shufflings(), state["seeds"]):
            shuffling.seed = seed

    def close(self) -> None:
        """Close the open iterator."""
        super().close()
        self._drop()

    def _drop(self) -> None:
        if self._open is not None:
            self._open[2].close()
            self._open = None

    def _raw(self, epoch: int, skip: int) -> Generator[Any]:
        size = self._size()
        steps = self._cap or size or 0
        if size is None:
            number, at, end = 0, epoch * steps, (epoch + 1) * steps
        else:
            number, part = divmod(epoch, -(-size // steps))
            at, end = part * steps, min((part + 1) * steps, size)
        at += skip
        # An epoch that starts where the last one stopped reuses its iterator, with the elements prefetched there.
        if self._open is not None and self._open[:2] == (number, at):
            elements = self._open[2]
        else:
            self._drop()
            elements = self._stage.run(number, at)
        self._open = None
        yield from itertools.islice(elements, end - at)
        if size is None or end < size:
            self._open = (number, end, elements)
