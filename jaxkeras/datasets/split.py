"""Shuffle and split, by Keras's numbers."""

from __future__ import annotations

import numpy as np

Split = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def shuffle(x: np.ndarray, y: np.ndarray, seed: int | np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Return both arrays in one random order, which depends on the seed and their length only.

    A generator instead of a seed is used and advanced.
    """
    rng = seed if isinstance(seed, np.random.RandomState) else np.random.RandomState(seed)
    order = np.arange(len(x))
    rng.shuffle(order)
    return x[order], y[order]


def split(x: np.ndarray, y: np.ndarray, test_split: float) -> Split:
    """Return the first `1 - test_split` of both arrays, and the rest: `(x_train, y_train), (x_test, y_test)`.

    Raises:
        ValueError: if `test_split` is not in [0, 1).
    """
    if not 0 <= test_split < 1:
        raise ValueError(f"test_split={test_split!r} is out of range; expected a fraction with 0 <= test_split < 1.")
    count = int(len(x) * (1 - test_split))
    return (x[:count], y[:count]), (x[count:], y[count:])
