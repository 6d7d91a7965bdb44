"""Process sequences of word indices: add start tokens, filter by length, limit the vocabulary."""

from __future__ import annotations

from itertools import chain

import numpy as np


def _lists(flat: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    numbers = flat.tolist()
    ends = np.cumsum(lengths).tolist()
    rows = np.empty(len(ends), object)
    start = 0
    for index, end in enumerate(ends):
        rows[index] = numbers[start:end]
        start = end
    return rows


def encode(
    sequences: np.ndarray,
    *,
    num_words: int | None,
    skip_top: int,
    maxlen: int | None,
    start_char: int | None,
    oov_char: int | None,
    index_from: int | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Apply the options of `imdb.load_data` and `reuters.load_data`.

    All sequences are processed as one flat array, which takes half the time of a loop over words.

    Args:
        sequences: object array of shape `(n,)` of sequences of word ranks.
        num_words, skip_top, maxlen, start_char, oov_char, index_from: see `imdb.load_data`.

    Returns:
        Object array of shape `(m,)` of lists of integers, and a boolean mask of shape `(n,)` of the kept sequences.

    Raises:
        ValueError: if no sequence is shorter than `maxlen`.
    """
    lengths = np.fromiter(map(len, sequences), np.int64, len(sequences))
    flat = np.fromiter(chain.from_iterable(sequences), np.int64, lengths.sum()) + (index_from or 0)
    if start_char is not None:
        flat = np.insert(flat, np.cumsum(lengths) - lengths, start_char)
        lengths = lengths + 1

    kept = np.ones(len(lengths), bool)
    if maxlen:
        kept = lengths < maxlen
        if not kept.any():
            raise ValueError(
                f"No sequence has fewer than maxlen={maxlen} words; the shortest has {lengths.min()}. Increase maxlen."
            )
        flat, lengths = flat[np.repeat(kept, lengths)], lengths[kept]

    # As in Keras, without num_words the highest index is out of the vocabulary.
    limit = num_words or flat.max(initial=0)
    known = (skip_top <= flat) & (flat < limit)
    if oov_char is not None:
        flat = np.where(known, flat, oov_char)
    else:
        owner = np.repeat(np.arange(len(lengths)), lengths)
        flat, lengths = flat[known], np.bincount(owner[known], minlength=len(lengths))
    return _lists(flat, lengths), kept
