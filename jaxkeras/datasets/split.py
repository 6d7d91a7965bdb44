"""Shuffle and split arrays as Keras does, so that a seed gives the same split."""

from __future__ import annotations

import numpy as np

Split = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def shuffle(x: np.ndarray, y: np.ndarray, seed: int | np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Shuffle both arrays in the same order.

    Args:
        x, y: arrays of the same length.
        seed: a seed, or a generator to draw the order from.

    Returns:
        The shuffled arrays. The order depends on the seed and the length only.
    """
    rng = seed if isinstance(seed, np.random.RandomState) else np.random.RandomState(seed)
    order = np.arange(len(x))
    rng.shuffle(order)
    return x[order], y[order]


def split(x: np.ndarray, y: np.ndarray, test_split: float) -> Split:
    """Split both arrays into training data and, at the end, a fraction `test_split` of test data.

    Returns:
        `(x_train, y_train), (x_test, y_test)`.

    Raises:
        ValueError: if `test_split` is not in [0, 1).
    """
    if not 0 <= test_split < 1:
        raise ValueError(f"test_split={test_split!r} is out of range; expected a fraction with 0 <= test_split < 1.")
    count = int(len(x) * (1 - test_split))
    return (x[:count], y[:count]), (x[count:], y[count:])
