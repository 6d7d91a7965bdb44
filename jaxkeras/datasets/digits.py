"""Digits: 1,797 handwritten digits of 8 x 8 pixels. Part of the package; no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jaxkeras.core import lazy_imports
from jaxkeras.datasets.readers import read_npz
from jaxkeras.datasets.split import Split, shuffle, split

__all__ = ["load_data"]
__dir__ = lazy_imports.public_dir(__name__)

_FILE = Path(__file__).parent / "embedded" / "digits.npz"


def load_data(test_split: float = 0.2, seed: int = 113) -> Split:
    """Load small images of the ten digits, written by 13 people.

    Args:
        test_split: fraction of the images used as test data: the last ones after shuffling.
        seed: seed of the shuffle. The same seed gives the same split on every machine.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images uint8 `(1437, 8, 8)` and `(360, 8, 8)` with values 0 to 16,
        labels int32 `(1437,)` and `(360,)`.

    Raises:
        ValueError: for a `test_split` not in [0, 1).

    Reference: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits" (its test set), UCI Machine Learning
    Repository, 1998, https://doi.org/10.24432/C50P49. License: CC BY 4.0.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = load_data()
    >>> x_train.shape, x_test.shape
    ((1437, 8, 8), (360, 8, 8))
    """
    data = read_npz(_FILE)
    return split(*shuffle(data["x"], data["y"].astype(np.int32), seed), test_split)
