"""Split data into two datasets."""

from __future__ import annotations

import numbers
import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from jaxkeras.core.seeds import make_default_seed
from jaxkeras.data import Dataset, PyDataset, checks
from jaxkeras.data.convert import is_array_like, is_structure, map_leaves, named_leaves
from jaxkeras.data.dataset import INFINITE
from jaxkeras.data.pipeline import Indexed, as_element, rows_of


def split_dataset(
    dataset: Any,
    left_size: int | float | None = None,
    right_size: int | float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Dataset, Dataset]:
    """Split data into two datasets, such as one for training and one for testing.

    Data other than arrays are read once and kept in memory, so that a dataset that shuffles in each pass cannot mix the
    two parts later.

    Args:
        dataset: an array; a list, tuple or dict of arrays with the same number of rows; a `Dataset` or `PyDataset`; a
            dataset of TensorFlow or torch; or an iterator of elements.
        left_size: number (int) or fraction (float) of the elements in the first part; by default all that are not in
            the second.
        right_size: number or fraction of the elements in the second part, which are the last ones; by default all that
            are not in the first.
        shuffle: whether to shuffle the elements first; the same seed gives the same parts as Keras on TensorFlow.
        seed: seed of the shuffle; by default derived from the global seed.
        preferred_backend: accepted for compatibility with Keras.

    Returns:
        Two `Dataset`s of single elements: rows of an array, or tuples of rows for a list or tuple. If the data are
        batches, their rows are split and batched again.

    Raises:
        ValueError: for inconsistent sizes, or data without elements.
        TypeError: for unsupported data, or sizes that are not numbers.

    Example:

    >>> left, right = split_dataset(np.arange(10), left_size=0.8)
    >>> len(left), [int(x) for x in right]
    (8, [8, 9])
    """
    for name, size in (("left_size", left_size), ("right_size", right_size)):
        if size is not None and (isinstance(size, bool) or not isinstance(size, numbers.Real)):
            raise TypeError(f"`{name}` must be an int (a number), a float (a fraction) or None; got {size!r}.")
    elements, count, batch_size = _read(dataset)
    left, right = _sizes(left_size, right_size, count)
    order = np.arange(count)
    if shuffle:
        shuffled = order.tolist()
        random.Random(make_default_seed() if seed is None else seed).shuffle(shuffled)
        order = np.array(shuffled)

    def part(rows: np.ndarray) -> Dataset:
        if isinstance(elements, list):
            own = [elements[i] for i in rows]
            cut = Dataset(Indexed(len(own), own.__getitem__))
        else:
            cut = Dataset.from_tensor_slices(map_leaves(lambda leaf, _: leaf[rows], "dataset", elements))
        return cut if batch_size is None else cut.batch(batch_size)

    return part(order[:left]), part(order[count - right :])


def _read(dataset: Any) -> tuple[Any, int, int | None]:
    """The data as arrays or as a list of elements, the number of elements, and the batch size or None."""
    if is_structure(dataset) or isinstance(dataset, Mapping) or is_array_like(dataset):
        arrays = tuple(dataset) if isinstance(dataset, list) else dataset
        leaves = named_leaves("dataset", arrays)
        if not leaves or not all(is_array_like(leaf) and leaf is not None for _, leaf in leaves):
            raise ValueError(
                "split_dataset takes an array, or a list, tuple or dict of arrays with the same number of rows; got "
                f"{', '.join(checks.describe(leaf) for _, leaf in leaves) or dataset!r}."
            )
        arrays = map_leaves(lambda leaf, _: np.asarray(leaf), "dataset", arrays)
        return arrays, checks.same_rows(named_leaves("dataset", arrays)) or 0, None
    items, batch_size = _items(dataset)
    elements = [as_element(item) for item in items]
    if batch_size is not None:
        elements = [row for batch in elements for row in rows_of(batch)]
    return elements, len(elements), batch_size


def _items(dataset: Any) -> tuple[Iterator[Any], int | None]:
    if isinstance(dataset, Dataset):
        if dataset.cardinality() == INFINITE:
            raise ValueError("This Dataset is infinite, so it cannot be split; call take(...) first.")
        return iter(dataset), dataset.batch_size
    if isinstance(dataset, PyDataset):
        first = next(iter(dataset), None)
        leaves = [leaf for _, leaf in named_leaves("", first) if leaf is not None]
        return iter(dataset), len(leaves[0]) if leaves else None
    if hasattr(dataset, "as_numpy_iterator"):  # of TensorFlow
        return dataset.as_numpy_iterator(), getattr(dataset, "_batch_size", None)
    text = isinstance(dataset, (str, bytes))
    if hasattr(dataset, "__iter__") and not text:
        return iter(dataset), getattr(dataset, "batch_size", None)  # a DataLoader has one
    if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__") and not text:  # of torch
        return map(dataset.__getitem__, range(len(dataset))), None
    raise TypeError(
        f"split_dataset takes arrays, a Dataset, a PyDataset, a dataset of TensorFlow or torch, or an iterator; got "
        f"{checks.describe(dataset)}."
    )


def _sizes(left: Any, right: Any, count: int) -> tuple[int, int]:
    """The numbers of elements in the two parts."""
    if count == 0:
        raise ValueError("There is nothing to split: the dataset has no elements.")
    if left is None and right is None:
        raise ValueError("Pass `left_size`, `right_size` or both, as numbers or fractions of the elements.")
    for name, size in (("left_size", left), ("right_size", right)):
        whole = isinstance(size, numbers.Integral)
        if size is not None and not 0 < size < (count if whole else 1):
            raise ValueError(
                f"`{name}` must be an integer between 1 and {count - 1} (there are {count} elements), or a fraction "
                f"between 0 and 1, both excluded; got {size!r}."
            )
    parts = [
        None if s is None else int(s) if isinstance(s, numbers.Integral) else round(s * count) for s in (left, right)
    ]
    first, second = parts
    first = count - second if first is None and second is not None else first
    second = count - first if second is None and first is not None else second
    assert first is not None and second is not None
    if first + second > count:
        raise ValueError(f"left_size={left} and right_size={right} add up to {first + second} of {count} elements.")
    if not first or not second:
        raise ValueError(f"left_size={left} and right_size={right} of {count} elements leave one of the parts empty.")
    return first, second
