"""IMDB: 50,000 film reviews as sequences of word numbers."""

from __future__ import annotations

import warnings

import numpy as np

from jaxkeras.core import lazy_imports
from jaxkeras.datasets.catalog import fetch
from jaxkeras.datasets.readers import read_json, read_npz
from jaxkeras.datasets.split import Split, shuffle
from jaxkeras.datasets.text import encode

__all__ = ["get_word_index", "load_data"]
__dir__ = lazy_imports.public_dir(__name__)


def load_data(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
    **kwargs,
) -> Split:
    """Load the IMDB film reviews, half positive and half negative.

    A review is a list of word numbers; 1 stands for the most frequent word, before `index_from` is added. The lists
    come as a pickle inside the file, which is read without running anything that it names.

    Args:
        path: name of the file in the cache folder.
        num_words: keep the words with numbers below this; all others become `oov_char`. By default all, except that
            the highest number itself becomes `oov_char`, as in Keras.
        skip_top: words with numbers below this become `oov_char` too.
        maxlen: leave out sequences that do not have fewer words than this.
        seed: of the shuffling.
        start_char: number put before each sequence, or `None` for none.
        oov_char: number for words out of the vocabulary, or `None` to drop them.
        index_from: added to the rank of each word, to make room for 0 (padding), 1 (start) and 2 (unknown).
        **kwargs: ignored with a warning, as Keras ignores them.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: object arrays `(25000,)` of lists of integers, and int64 arrays
        `(25000,)` of 1 (positive) or 0.

    Raises:
        ValueError: if `maxlen` leaves no review.
        DatasetNotFoundError: if the file is neither on this machine nor can be downloaded; says where to put it.

    Source: Maas et al., "Learning Word Vectors for Sentiment Analysis", ACL 2011,
    https://ai.stanford.edu/~amaas/data/sentiment/.
    """
    if kwargs:
        warnings.warn(f"imdb.load_data ignores {', '.join(kwargs)}: it has no such arguments.", stacklevel=2)
    data = read_npz(*fetch("imdb", name=path))
    rng = np.random.RandomState(seed)
    x_train, y_train = shuffle(data["x_train"], data["y_train"], rng)
    x_test, y_test = shuffle(data["x_test"], data["y_test"], rng)
    x, kept = encode(
        np.concatenate([x_train, x_test]),
        num_words=num_words,
        skip_top=skip_top,
        maxlen=maxlen,
        start_char=start_char,
        oov_char=oov_char,
        index_from=index_from,
    )
    y = np.concatenate([y_train, y_test])[kept]
    count = np.count_nonzero(kept[: len(x_train)])
    if count in (0, len(x)):
        raise ValueError(f"No {'test' if count else 'training'} review has fewer than maxlen={maxlen} words.")
    return (x[:count], y[:count]), (x[count:], y[count:])


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """Return the rank of each word, from 1; in `load_data` a word's number is its rank plus `index_from`.

    Args:
        path: name of the file in the cache folder.

    Example:

    ```python
    words = {rank + 3: word for word, rank in imdb.get_word_index().items()} | {1: "[START]", 2: "[OOV]"}
    (x_train, _), _ = imdb.load_data()
    print(" ".join(words[number] for number in x_train[0]))
    ```
    """
    return read_json(*fetch("imdb/word_index", name=path))
