"""IMDB: 50,000 film reviews as sequences of word indices."""

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

    A review is a list of word indices: the frequency rank of each word, from 1, plus `index_from`. The file
    holds the lists as a pickle, which is read without executing anything.

    Args:
        path: name of the file in the cache folder.
        num_words: keep words with indices below this; all others become `oov_char`. By default all are kept except the
            one with the highest index, which becomes `oov_char`, as in Keras.
        skip_top: words with indices below this also become `oov_char`.
        maxlen: drop sequences with `maxlen` or more words.
        seed: seed of the shuffle.
        start_char: index prepended to each sequence; None for none.
        oov_char: index of out-of-vocabulary words; None to drop them.
        index_from: added to the rank of each word, to reserve 0 (padding), 1 (start) and 2 (unknown).
        **kwargs: ignored with a warning, as in Keras.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: object arrays `(25000,)` of lists of integers, and int64 arrays
        `(25000,)` of 1 (positive) or 0.

    Raises:
        ValueError: if `maxlen` leaves no review.
        DatasetNotFoundError: if the file is not cached and cannot be downloaded; the message says where to put it.

    Reference: Maas et al., "Learning Word Vectors for Sentiment Analysis", ACL 2011,
    https://ai.stanford.edu/~amaas/data/sentiment/.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = jk.datasets.imdb.load_data()  # doctest: +SKIP
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
    """The frequency rank of each word, from 1; its index in `load_data` is its rank plus `index_from`.

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
