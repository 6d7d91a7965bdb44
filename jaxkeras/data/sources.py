"""Make a source of batches from the arguments of `fit`, `evaluate` and `predict`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxkeras.core import config
from jaxkeras.data import checks
from jaxkeras.data.arrays import ArraySource, Source, standardize
from jaxkeras.data.convert import is_array_like, is_structure
from jaxkeras.data.dataset import UNKNOWN, Dataset, DatasetSource
from jaxkeras.data.pydataset import PyDataset, PyDatasetSource
from jaxkeras.data.streams import IterableSource, StreamSource, foreign_source
from jaxkeras.data.utils import train_validation_split


def adapt(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int | None = None,
    steps: int | None = None,
    shuffle: bool | str = False,
    class_weight: dict[int, float] | None = None,
    seed: int | None = None,
    for_predict: bool = False,
) -> Source:
    """Make a source of batches from the user's data, after all checks that need no model.

    Args:
        x: arrays (nested in dicts, lists and tuples for several inputs), a `Dataset`, a `PyDataset`, a generator or
            another iterable of batches, a dataset of TensorFlow, torch or grain, or a `Source`, which is returned
            unchanged.
        y: targets, for arrays only.
        sample_weight: weights, for arrays only.
        batch_size: number of rows in a batch, for arrays only; 32 by default.
        steps: number of batches in an epoch; by default all.
        shuffle: False, True, or "batch"; ignored by streams other than a `PyDataset`.
        class_weight: weight of each class; it must name every class in `y`.
        seed: seed of the order of rows or batches; by default drawn from the global seed.
        for_predict: whether only the inputs of the batches are used.

    Returns:
        An `ArraySource` or a `StreamSource`.

    Raises:
        ValueError: if the data or the arguments are wrong; the message says what to write instead.

    Example:

    >>> import numpy as np
    >>> source = adapt(np.zeros((5, 2)), np.arange(5), batch_size=2)
    >>> source.num_rows, source.steps, source.order(0) is None
    (5, 3, True)
    """
    if isinstance(x, Source):
        return x
    source = _source(x, y, sample_weight, batch_size, steps, shuffle, class_weight, seed, for_predict)
    limit = config.max_steps_per_epoch()
    if limit is not None:
        source.limit(limit)
    return source


def _source(
    x: Any,
    y: Any,
    sample_weight: Any,
    batch_size: int | None,
    steps: int | None,
    shuffle: bool | str,
    class_weight: dict[int, float] | None,
    seed: int | None,
    for_predict: bool,
) -> Source:
    batch_size, steps, shuffle = checks.batch_size(batch_size), checks.steps(steps), checks.shuffle(shuffle)
    weights = checks.class_weight(class_weight)
    if x is None:
        raise checks.unknown_data(x)
    if is_in_memory(x):
        return ArraySource(standardize(x, y, sample_weight, weights), batch_size, steps, shuffle, seed)
    how = {"steps": steps, "class_weight": weights, "for_predict": for_predict}
    source: StreamSource | None
    if isinstance(x, PyDataset):
        source = PyDatasetSource(x, shuffle=shuffle, seed=seed, **how)
    elif isinstance(x, Dataset):
        known = x.cardinality() != UNKNOWN
        source = DatasetSource(x, **how) if known else IterableSource("Dataset", x.__iter__, **how)
    else:
        source = foreign_source(x, **how)
    if source is None:
        raise checks.unknown_data(x)
    checks.stream_arguments(source.kind, y, sample_weight, batch_size)
    return source


def is_in_memory(x: Any) -> bool:
    """Whether data are arrays, or a structure of them, rather than a stream of batches."""
    return is_structure(x) or isinstance(x, Mapping) or is_array_like(x)


def split_validation(arrays: tuple[Any, Any, Any], validation_split: float) -> tuple[Any, Any]:
    """Split off the last rows, before any shuffling, for validation.

    Args:
        arrays: `(x, y, sample_weight)` as given to `fit`.
        validation_split: fraction of the rows to split off, in (0, 1).

    Returns:
        Two tuples `(x, y, sample_weight)`: one for training and one for validation.

    Raises:
        ValueError: if the data are not arrays, the fraction is out of range, or there are too few rows.

    Example:

    >>> import numpy as np
    >>> train, held_back = split_validation((np.arange(10), None, None), 0.2)
    >>> len(train[0]), held_back[0]
    (8, array([8, 9], dtype=int32))
    """
    checks.validation_split(validation_split)
    if not is_in_memory(x := arrays[0]):
        raise checks.split_of_stream(type(x).__name__)
    return train_validation_split(standardize(*arrays, None), validation_split)
