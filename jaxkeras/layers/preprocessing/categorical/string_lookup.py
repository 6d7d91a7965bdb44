"""Strings to indices and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxkeras import registry
from jaxkeras.layers.preprocessing.categorical.lookup import Lookup
from jaxkeras.layers.preprocessing.host_layer import as_strings


@registry.register("keras.layers")
class StringLookup(Lookup):
    """Maps strings to indices of a vocabulary, or to vectors of counts, or indices back to strings.

    It runs on the host: in front of a model, in a data pipeline, or by itself.

    Args:
        max_tokens: maximum size of the vocabulary, including special tokens.
        num_oov_indices: number of indices that unknown strings are hashed to; with 0 they raise an error.
        mask_token: the token for missing values: index 0 in "int" mode, ignored in counts.
        oov_token: the token for unknown strings, returned for unknown indices with `invert`.
        vocabulary: a list or array of strings, or the path of a file with one per line; without it, call `adapt`.
        idf_weights: inverse document frequencies of the vocabulary, in "tf_idf" mode.
        invert: whether to map indices to strings.
        output_mode: "int", "one_hot" (a vector for each string), "multi_hot" (which strings a row contains), "count"
            (how often) or "tf_idf" (counts times inverse document frequencies).
        pad_to_max_tokens: whether vectors have the size `max_tokens` even if the vocabulary is smaller.
        sparse: accepted for compatibility; must be False.
        encoding: encoding of inputs that are bytes.
        salt: one or two integers, the key of SipHash for unknown strings; FarmHash is used without it.

    Example:

    >>> layer = StringLookup(vocabulary=["a", "b", "c"])
    >>> layer([["a", "c"], ["d", "b"]])
    Array([[1, 3],
           [0, 2]], dtype=int32)
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: Any = None,
        **kwargs: Any,
    ):
        self.encoding = encoding
        super().__init__(
            max_tokens=max_tokens, num_oov_indices=num_oov_indices, mask_token=mask_token, oov_token=oov_token,
            vocabulary=vocabulary, idf_weights=idf_weights, invert=invert, output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens, sparse=sparse, name=name, salt=salt, **kwargs,
        )  # fmt: skip

    def _convert(self, data: Any) -> np.ndarray:
        return as_strings(data, self.encoding)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "oov_method": self.oov_method}
