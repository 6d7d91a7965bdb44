"""Reuters: 11,228 newswires in 46 topics as sequences of word indices."""

from __future__ import annotations

from jaxkeras.core import lazy_imports
from jaxkeras.datasets.catalog import fetch
from jaxkeras.datasets.readers import read_json, read_npz
from jaxkeras.datasets.split import Split, shuffle, split
from jaxkeras.datasets.text import encode

__all__ = ["get_label_names", "get_word_index", "load_data"]
__dir__ = lazy_imports.public_dir(__name__)

_TOPICS = """
    cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship cotton carcass crude
    nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin strategic-metal livestock retail ipi iron-steel
    rubber heat jobs lei bop zinc orange pet-chem dlr gas silver wpi hog lead
"""


def load_data(
    path: str = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> Split:
    """Load the Reuters newswires, each with one of 46 topics.

    A newswire is a list of word indices: the frequency rank of each word, from 1, plus `index_from`. The file
    holds the lists as a pickle, which is read without executing anything.

    Args:
        path: name of the file in the cache folder.
        num_words: keep words with indices below this; all others become `oov_char`. By default all are kept except the
            one with the highest index, which becomes `oov_char`, as in Keras.
        skip_top: words with indices below this also become `oov_char`.
        maxlen: drop sequences with `maxlen` or more words.
        test_split: fraction of the newswires used as test data: the last ones after shuffling and dropping long ones.
        seed: seed of the shuffle.
        start_char: index prepended to each sequence; None for none.
        oov_char: index of out-of-vocabulary words; None to drop them.
        index_from: added to the rank of each word, to reserve 0 (padding), 1 (start) and 2 (unknown).

    Returns:
        `(x_train, y_train), (x_test, y_test)`: object arrays `(8982,)` and `(2246,)` of lists of integers, and int64
        arrays of topics, 0 to 45 (see `get_label_names`).

    Raises:
        ValueError: if `maxlen` leaves no newswire, or `test_split` is not in [0, 1).
        DatasetNotFoundError: if the file is not cached and cannot be downloaded; the message says where to put it.

    Reference: Lewis, Reuters-21578, https://archive.ics.uci.edu/dataset/137.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = jk.datasets.reuters.load_data(num_words=5000)  # doctest: +SKIP
    """
    data = read_npz(*fetch("reuters", name=path))
    x, y = shuffle(data["x"], data["y"], seed)
    x, kept = encode(
        x,
        num_words=num_words,
        skip_top=skip_top,
        maxlen=maxlen,
        start_char=start_char,
        oov_char=oov_char,
        index_from=index_from,
    )
    return split(x, y[kept], test_split)


def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """The frequency rank of each word, from 1; its index in `load_data` is its rank plus `index_from`.

    Args:
        path: name of the file in the cache folder.
    """
    return read_json(*fetch("reuters/word_index", name=path))


def get_label_names() -> tuple[str, ...]:
    """The names of the 46 topics, in the order of the labels.

    Example:

    >>> get_label_names()[3]
    'earn'
    """
    return tuple(_TOPICS.split())
