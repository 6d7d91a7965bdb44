"""`Dataset`: elements from files or arrays, and what is done to them before a model sees them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import numpy as np

from jaxkeras.core.seeds import make_default_seed
from jaxkeras.data import chain, checks
from jaxkeras.data.convert import map_leaves, named_leaves
from jaxkeras.data.streams import StreamSource

AUTOTUNE = -1
INFINITE, UNKNOWN = -1, -2


class Dataset:
    """Elements one after another, made when they are asked for.

    What `image_dataset_from_directory` and its like return, and what goes into `fit`, `evaluate`, `predict` and `adapt`
    once its elements are batches. The methods are those of `tf.data.Dataset` that programs in Keras chain: each returns
    a new dataset and leaves the old one as it is. Elements are NumPy arrays (texts are strings, and batches of them
    arrays of objects), nested in tuples and dicts, and functions given to `map` and `filter` are ordinary Python.

    A pass over the data is one epoch. What shuffles does so anew in every pass, and in `fit` the order of an epoch
    follows from the seed and the number of the epoch alone.

    Args:
        link: where elements come from; made by `from_tensor_slices`, `from_generator` and the functions of
            `jaxkeras.utils`.
        class_names: kept by everything derived from it.
        file_paths: of the files, in the order in which they were found or shuffled once.

    Example:

    >>> squares = Dataset.from_tensor_slices(np.arange(5)).map(lambda x: x**2).batch(2)
    >>> [batch.tolist() for batch in squares], len(squares)
    ([[0, 1], [4, 9], [16]], 3)
    """

    def __init__(self, link: chain.Link, class_names: list[str] | None = None, file_paths: list[str] | None = None):
        self._link = link
        self.class_names = class_names
        if file_paths is not None:
            self.file_paths = file_paths

    # -- where it begins ---------------------------------------------------------------------------------------------
    @staticmethod
    def from_tensor_slices(tensors: Any) -> Dataset:
        """The rows of arrays.

        Args:
            tensors: arrays with equally many rows, nested in tuples and dicts; a list counts as one array.
        """
        arrays = chain.as_element(tensors)
        leaves = [(name, leaf) for name, leaf in named_leaves("tensors", arrays) if leaf is not None]
        if not leaves or any(np.ndim(leaf) == 0 for _, leaf in leaves):
            raise ValueError(f"from_tensor_slices takes arrays, whose rows become elements; got {tensors!r}.")
        rows = checks.same_rows(leaves)

        def take(at: Any) -> Any:
            return map_leaves(lambda leaf, _: None if leaf is None else leaf[at], "tensors", arrays)

        return Dataset(chain.Indexed(rows or 0, take, gather=take))

    @staticmethod
    def from_generator(generator: Callable[[], Iterable[Any]]) -> Dataset:
        """What a generator yields.

        Args:
            generator: a function that returns a fresh iterator, called for every pass.
        """
        if not callable(generator):
            raise ValueError(
                f"from_generator takes a function that opens the data anew for every pass; got {generator!r}. "
                "Write from_generator(lambda: ...), or give an iterator to `fit` as it is."
            )
        return Dataset(chain.Called(lambda: map(chain.as_element, generator())))

    def _then(self, link: chain.Link) -> Dataset:
        return Dataset(link, self.class_names)

    # -- what is done to it ------------------------------------------------------------------------------------------
    def map(
        self, map_func: Callable[..., Any], num_parallel_calls: int | None = None, deterministic: bool | None = None
    ) -> Dataset:
        """What a function makes of each element.

        Args:
            map_func: takes the element; the parts of a tuple are several arguments. It may return arrays of any
                framework, in tuples and dicts; a list counts as one array.
            num_parallel_calls: how many threads run it; `AUTOTUNE` (-1) for as many as are useful. The order stays.
            deterministic: accepted for compatibility.
        """
        threads = chain.THREADS if num_parallel_calls == AUTOTUNE else num_parallel_calls or 1
        return self._then(chain.Map(self._link, map_func, _count(threads, "num_parallel_calls")))

    def filter(self, predicate: Callable[..., Any]) -> Dataset:
        """The elements of which a function is true; it gets them as that of `map` does."""
        return self._then(chain.Filter(self._link, predicate))

    def batch(
        self,
        batch_size: int,
        drop_remainder: bool = False,
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
    ) -> Dataset:
        """Every `batch_size` elements as the rows of one.

        Args:
            batch_size: how many.
            drop_remainder: whether to leave out a last, smaller batch.
            num_parallel_calls: accepted for compatibility, as is `deterministic`.
        """
        count = _count(batch_size, "batch_size")
        return self._then(chain.Batch(self._link, count, drop_remainder, chain.stack))

    def padded_batch(self, batch_size: int, drop_remainder: bool = False, padding_value: Any = 0) -> Dataset:
        """`batch` for arrays of different shapes: each is filled up at its end to the longest of the batch.

        Args:
            batch_size: how many elements.
            drop_remainder: whether to leave out a last, smaller batch.
            padding_value: what they are filled up with.
        """
        count = _count(batch_size, "batch_size")

        def stack(rows: list[Any]) -> Any:
            return chain.stack(rows, pad=True, fill=padding_value)

        return self._then(chain.Batch(self._link, count, drop_remainder, stack))

    def unbatch(self) -> Dataset:
        """The rows of batches, one by one."""
        return self._then(chain.Unbatch(self._link))

    def shuffle(
        self, buffer_size: int | None = None, seed: int | None = None, reshuffle_each_iteration: bool = True
    ) -> Dataset:
        """Elements in random order.

        Args:
            buffer_size: how many are held to draw the next one from; as many as there are by default, for an order
                with no trace of the old one.
            seed: by default from the global seed.
            reshuffle_each_iteration: whether every pass has another order.
        """
        size = self._link.size
        if buffer_size is None:
            if size is None or size == math.inf:
                raise ValueError("shuffle() needs `buffer_size` here: how many elements there are is not known.")
            buffer_size = max(1, int(size))
        count = _count(buffer_size, "buffer_size")
        seed = make_default_seed() if seed is None else seed
        return self._then(chain.Shuffle(self._link, count, seed, reshuffle_each_iteration))

    def take(self, count: int) -> Dataset:
        """The first elements; -1 for all."""
        return self if count == -1 else self._then(chain.Take(self._link, count))

    def skip(self, count: int) -> Dataset:
        """All but the first elements."""
        return self._then(chain.Skip(self._link, count))

    def repeat(self, count: int | None = None) -> Dataset:
        """Several passes as one; without `count`, or with -1, endless ones: `fit` then needs `steps_per_epoch`."""
        return self._then(chain.Repeat(self._link, None if count in (None, -1) else _count(count, "count")))

    def concatenate(self, dataset: Dataset) -> Dataset:
        """Its elements, then those of another."""
        return self._then(chain.Concatenate(self._link, dataset._link))

    def cache(self) -> Dataset:
        """Keeps the elements of the first whole pass in memory, so that files are read and functions run only once.

        What comes before it is then the same in all passes: augment and shuffle after it.
        """
        return self._then(chain.Cache(self._link))

    def prefetch(self, buffer_size: int | None = None) -> Dataset:
        """Makes elements in the background before they are asked for.

        `fit`, `evaluate` and `predict` do so themselves; it matters for loops of your own.

        Args:
            buffer_size: how many may wait; 2 by default or with `AUTOTUNE` (-1).
        """
        count = 2 if buffer_size in (None, AUTOTUNE) else _count(buffer_size, "buffer_size")
        return self._then(chain.Ahead(self._link, count))

    # -- what it holds -----------------------------------------------------------------------------------------------
    def __iter__(self) -> Iterator[Any]:
        return self._link.run(None)

    def as_numpy_iterator(self) -> Iterator[Any]:
        """The elements; they are NumPy arrays in any case."""
        return iter(self)

    def cardinality(self) -> int:
        """How many elements a pass has: -1 if it never ends, -2 if that is not known."""
        size = self._link.size
        return UNKNOWN if size is None else INFINITE if size == math.inf else int(size)

    def __len__(self) -> int:
        if (size := self.cardinality()) < 0:
            what = "has no end" if size == INFINITE else "has a length that nobody knows before it was read"
            raise TypeError(f"This Dataset {what}; ask cardinality(), which tells -1 or -2.")
        return size

    # Without it `bool` would ask for the length, which may be unknown.
    def __bool__(self) -> bool:
        return True

    @property
    def batch_size(self) -> int | None:
        """How many rows the batches have that its elements are; None for single elements."""
        return self._link.batch_size

    @property
    def element_spec(self) -> Any:
        """Shapes and types as `KerasTensor`s, nested as the elements are; the first element is made to learn them.

        The rows of batches are None where the last batch may be smaller.
        """
        first = next(self._link.run(0), None)
        if first is None:
            raise ValueError("This Dataset has no elements, so nothing can be said about them.")
        return chain.describe(first, self._link.ragged)

    def __repr__(self) -> str:
        size = {INFINITE: "endlessly many", UNKNOWN: "some"}.get(self.cardinality(), self.cardinality())
        return f"<Dataset of {size} elements>"


def _count(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"`{name}` must be a positive integer; got {value!r}.")
    return int(value)


class DatasetSource(StreamSource):
    """The batches of a `Dataset` whose size is known, or that never ends.

    Args:
        dataset: the dataset.
        **how: arguments of `StreamSource`.
    """

    resumable = True

    def __init__(self, dataset: Dataset, **how: Any):
        super().__init__("Dataset", **how)
        self._link = dataset._link
        size = self._link.size
        self.infinite = size == math.inf
        if self.infinite:
            if self._cap is None:
                raise checks.endless(self.kind)
        elif size == 0:
            raise checks.no_batches(self.kind)
        else:
            checks.enough_steps(self._cap, int(size or 0))
        self._open: tuple[int, int, Generator[Any]] | None = None

    def _size(self) -> int | None:
        return None if self.infinite else int(self._link.size or 0)

    def _draws(self) -> list[Any]:
        links, found = [self._link], []
        while links:
            link = links.pop()
            found += [draws] if (draws := getattr(link, "draws", None)) else []
            links += [other for other in (link.parent, getattr(link, "other", None)) if other is not None]
        return found

    def state(self) -> dict[str, Any]:
        """The seeds: everything else follows from the number of the epoch."""
        return {"seeds": [draws.seed for draws in self._draws()]}

    def restore(self, state: dict[str, Any]) -> None:
        """Draw the orders that the source of this state drew."""
        super().restore(state)
        self._drop()
        for draws, seed in zip(self._draws(), state["seeds"]):
            draws.seed = seed

    def close(self) -> None:
        """Close what was opened."""
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
        # An epoch that goes on where the one before stopped keeps its iterator, and what that has read ahead.
        if self._open is not None and self._open[:2] == (number, at):
            elements = self._open[2]
        else:
            self._drop()
            elements = self._link.run(number, at)
        self._open = None
        yield from itertools.islice(elements, end - at)
        if size is None or end < size:
            self._open = (number, end, elements)
