"""Integers to indices and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxkeras import registry
from jaxkeras.layers.preprocessing.categorical.lookup import Lookup
from jaxkeras.layers.preprocessing.host_layer import as_array


@registry.register("keras.layers")
class IntegerLookup(Lookup):
    """Maps integers to indices of a vocabulary, or to vectors of counts, or indices back to integers.

    Args:
        vocabulary_dtype: accepted for compatibility; must be "int64".
        oov_method: how unknown integers are distributed over `num_oov_indices` indices: "floormod" by remainder,
            "farmhash" by a hash of their digits.
        max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode, sparse,
            pad_to_max_tokens, salt: as in `StringLookup`.

    Example:

    >>> layer = IntegerLookup(vocabulary=[12, 36, 1138, 42])
    >>> layer([[12, 1138, 42], [42, 1000, 36]])
    Array([[1, 3, 4],
           [4, 0, 2]], dtype=int32)
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        if vocabulary_dtype != "int64":
            raise ValueError(f"`vocabulary_dtype` of IntegerLookup must be 'int64'; got {vocabulary_dtype!r}.")
        if salt is not None and oov_method != "farmhash":
            raise ValueError("`salt` of IntegerLookup needs oov_method='farmhash'.")
        self.vocabulary_dtype = vocabulary_dtype
        super().__init__(
            max_tokens=max_tokens, num_oov_indices=num_oov_indices, mask_token=mask_token, oov_token=oov_token,
            vocabulary=vocabulary, idf_weights=idf_weights, invert=invert, output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens, sparse=sparse, oov_method=oov_method, salt=salt, name=name, **kwargs,
        )  # fmt: skip

    def _convert(self, data: Any) -> np.ndarray:
        return as_array(data).astype(np.int64)
