"""Datasets of windows of a time series."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxkeras import registry
from jaxkeras.data.dataset import Dataset
from jaxkeras.data.pipeline import Batch, Indexed, stack


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Dataset:
    """Create a dataset of sliding windows over a time series.

    Args:
        data: shape `(steps, ...)`.
        targets: `targets[i]` is the target of the window that starts at step i; None for windows only.
        sequence_length: number of steps in a window.
        sequence_stride: number of steps between the starts of successive windows.
        sampling_rate: number of steps between successive elements of a window.
        batch_size: number of windows in a batch; None for single windows.
        shuffle: whether to shuffle the windows, in a new order in each pass.
        seed: seed of the shuffle.
        start_index: first step to use.
        end_index: the step after the last one to use.
        format: "tf" or "grain", for compatibility; the result is a `jaxkeras.data.Dataset`, which needs neither.

    Returns:
        A `Dataset` of windows of shape `(batch, sequence_length, ...)`, or of pairs of them with the targets.

    Raises:
        ValueError: for numbers out of range, or if no window fits (Keras returns an empty dataset).

    Example:

    >>> pairs = timeseries_dataset_from_array(np.arange(6), np.arange(6) * 10, sequence_length=3, batch_size=2)
    >>> [(x.tolist(), y.tolist()) for x, y in pairs]
    [([[0, 1, 2], [1, 2, 3]], [0, 10]), ([[2, 3, 4], [3, 4, 5]], [20, 30])]
    """
    if format not in ("tf", "grain"):
        raise registry.unknown("format", format, ("tf", "grain"))
    data = np.asarray(data)
    steps = len(data)
    first, end = start_index or 0, end_index or steps
    if not 0 <= first < steps or (end_index and not 0 < end < steps) or end <= first:
        raise ValueError(
            f"`start_index` and `end_index` must be increasing and in [0, {steps}), the steps of the data; got "
            f"{start_index} and {end_index}."
        )
    for name, value in (("sampling_rate", sampling_rate), ("sequence_stride", sequence_stride)):
        if not 0 < value < steps:
            raise ValueError(f"`{name}` must be between 1 and {steps - 1}, for {steps} steps; got {value}.")
    data = data[first:end]
    count = len(data) - (sequence_length - 1) * sampling_rate
    if targets is not None:
        targets = np.asarray(targets)[first:end]
        count = min(count, len(targets))
    starts = np.arange(0, count, sequence_stride)
    if not len(starts):
        raise ValueError(
            f"No window of {sequence_length} steps at sampling_rate={sampling_rate} fits into {len(data)} steps"
            + (f" with {len(targets)} targets." if targets is not None else ".")
        )
    if shuffle:
        seed = int(np.random.randint(int(1e6))) if seed is None else seed
        np.random.RandomState(seed).shuffle(starts)
    offsets = np.arange(sequence_length) * sampling_rate

    def windows(at: Any) -> Any:
        begin = starts[at]
        x = data[begin[..., None] + offsets]
        return x if targets is None else (x, targets[begin])

    link: Any = Indexed(len(starts), windows, seed if shuffle else None, gather=windows)
    return Dataset(link if batch_size is None else Batch(link, batch_size, False, stack))
