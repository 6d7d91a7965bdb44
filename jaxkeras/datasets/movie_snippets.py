"""Movie snippets: 10,605 rated sentences from film reviews. Part of the package; no download."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from jaxkeras.core import lazy_imports
from jaxkeras.datasets.split import Split, shuffle, split

__all__ = ["load_data"]
__dir__ = lazy_imports.public_dir(__name__)

_FILE = Path(__file__).parent / "embedded" / "movie_snippets.tsv.gz"


def load_data(label_mode: str = "binary", test_split: float = 0.2, seed: int = 113) -> Split:
    """Load sentences from film reviews, each rated by twenty people from negative to positive.

    Args:
        label_mode: `"rating"` for the mean rating, from -4 (most negative) to 4; `"binary"` for 1 where that is above
            0, else 0.
        test_split: fraction of the sentences used as test data: the last ones after shuffling.
        seed: seed of the shuffle. The same seed gives the same split on every machine.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of strings `(8484,)` and `(2121,)`, and float32 ratings or int32
        labels of the same shapes. 5,242 of all sentences are positive, 37 are rated exactly 0.

    Raises:
        ValueError: for another `label_mode`, or a `test_split` not in [0, 1).

    Reference: Hutto and Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text",
    ICWSM 2014. License: MIT.

    Example:

    >>> (x_train, y_train), _ = load_data(label_mode="rating")
    >>> print(y_train[1], str(x_train[1])[:33])
    3.0 So beautifully acted and directed
    """
    if label_mode not in ("binary", "rating"):
        raise ValueError(f"Unknown label_mode={label_mode!r}; expected 'binary' or 'rating'.")
    with gzip.open(_FILE, "rt", encoding="utf-8", newline="\n") as lines:
        ratings, sentences = zip(*(line.rstrip("\n").split("\t") for line in lines))
    y = np.array(ratings, np.float32)
    if label_mode == "binary":
        y = (y > 0).astype(np.int32)
    return split(*shuffle(np.array(sentences), y, seed), test_split)
