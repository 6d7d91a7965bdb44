"""Converts text to token indices or vectors, on the host."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxkeras import registry
from jaxkeras.layers.preprocessing.categorical.lookup import refuse_path
from jaxkeras.layers.preprocessing.categorical.output_modes import check_output_mode
from jaxkeras.layers.preprocessing.categorical.string_lookup import StringLookup
from jaxkeras.layers.preprocessing.host_layer import HostLayer, as_strings, batches, is_whole, pieces

# ASCII only, as in Keras, so that vocabularies learned by either can be used by the other.
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_STANDARDIZE = {
    "lower_and_strip_punctuation": _LOWER | _NO_PUNCTUATION,
    "lower": _LOWER,
    "strip_punctuation": _NO_PUNCTUATION,
}
_NO_SPACE = re.compile(r"[^ \t\n\r\x0b\x0c]+")


def _words(text: str) -> list[str]:
    # str.split also splits at non-ASCII whitespace, Keras does not.
    return text.split() if text.isascii() else _NO_SPACE.findall(text)


_SPLIT: dict[str, Callable[[str], list[str]]] = {"whitespace": _words, "character": list}


@registry.register("keras.layers")
class TextVectorization(HostLayer):
    """Turns texts into rows of token indices, or into vectors of token counts.

    A text is standardized and split into tokens, which are joined to n-grams and looked up in a vocabulary. The layer
    runs on the host: in front of a model, in a data pipeline, or by itself.

    Args:
        max_tokens: maximum size of the vocabulary, including special tokens.
        standardize: "lower_and_strip_punctuation", "lower", "strip_punctuation" (ASCII letters and punctuation), None,
            or a function from an array of strings to one of the same shape.
        split: "whitespace", "character", None (inputs are tokens already), or a function from an array of strings
            `(batch,)` to a list of lists of strings.
        ngrams: an integer n for n-grams of 1 to n tokens, a tuple for n-grams of these lengths, or None.
        output_mode: "int" for indices, "multi_hot" (which tokens a text contains), "count" (how often) or "tf_idf"
            (counts times inverse document frequencies).
        output_sequence_length: in "int" mode, rows are truncated or padded with 0 to this length; defaults to that of
            the longest text of the batch.
        pad_to_max_tokens: whether vectors have the size `max_tokens` even if the vocabulary is smaller.
        vocabulary: a list or array of tokens, or the path of a file with one per line; without it, call `adapt`.
        idf_weights: inverse document frequencies of the vocabulary, in "tf_idf" mode.
        sparse, ragged: accepted for compatibility; must be False.
        encoding: encoding of inputs that are bytes.

    Input: strings in a list or array of shape `(batch,)` or `(batch, 1)`, or one string. Output: int32
    `(batch, length)` with 0 for padding and 1 for unknown tokens, or `(batch, vocabulary size)`, float32 for "tf_idf".

    Example:

    >>> layer = TextVectorization(output_sequence_length=4)
    >>> layer.adapt(["foo bar", "bar baz", "baz bada boom"])
    >>> layer(["foo qux bar", "qux baz"])
    Array([[4, 1, 3, 0],
           [1, 2, 0, 0]], dtype=int32)
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: Any = "lower_and_strip_punctuation",
        split: Any = "whitespace",
        ngrams: int | Sequence[int] | None = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        **kwargs: Any,
    ):
        lookup = {key: kwargs.pop(key) for key in ("vocabulary_size", "has_input_vocabulary") if key in kwargs}
        super().__init__(name=name, **kwargs)
        for what, value, choices in (("standardize", standardize, _STANDARDIZE), ("split", split, _SPLIT)):
            if not (value is None or callable(value) or value in choices):
                raise registry.unknown(f"{what} of layer '{self.name}'", value, choices)
        self.output_mode = check_output_mode(output_mode, ("int", "multi_hot", "count", "tf_idf"))
        if output_sequence_length is not None and self.output_mode != "int":
            raise ValueError(f"`output_sequence_length` of layer '{self.name}' needs output_mode='int'.")
        if ragged:
            raise ValueError(f"Layer '{self.name}' cannot return ragged arrays; rows are padded with 0.")
        widths = range(1, ngrams + 1) if isinstance(ngrams, int) else ngrams or ()
        if any(not isinstance(width, int) or width < 1 for width in widths):
            raise ValueError(f"`ngrams` of layer '{self.name}' must be an integer or a tuple of them; got {ngrams!r}.")
        self.standardize = standardize
        self.split: str | Callable[..., Any] | None = split
        self.ngrams = ngrams if ngrams is None or isinstance(ngrams, int) else tuple(ngrams)
        self._widths = tuple(widths)
        self.output_sequence_length = output_sequence_length
        self.ragged, self.encoding = ragged, encoding
        self._lookup_layer = StringLookup(
            max_tokens=max_tokens, vocabulary=vocabulary, idf_weights=idf_weights, mask_token="",
            pad_to_max_tokens=pad_to_max_tokens, output_mode=output_mode, sparse=sparse, encoding=encoding, **lookup,
        )  # fmt: skip

    # -- the vocabulary ------------------------------------------------------------------------------------------
    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary: tokens by decreasing frequency, ties in reverse alphabetical order.

        Args:
            data: a list or array of texts, or a stream of batches of them.
            batch_size: accepted for compatibility.
            steps: number of batches of a stream to read; defaults to all.

        Raises:
            ValueError: if the vocabulary was given to the constructor.
        """
        self.reset_state()
        for batch in pieces(data) if is_whole(data) else batches(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the tokens of one batch of texts."""
        self._lookup_layer.count(self.tokenize(data))

    def finalize_state(self) -> None:
        """Make the vocabulary from the counts."""
        self._lookup_layer.finalize_state()

    def reset_state(self) -> None:
        """Reset the counts, but not the vocabulary."""
        self._lookup_layer.reset_state()

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The tokens in the order of their indices.

        Args:
            include_special_tokens: whether `""` (for padding, in "int" mode) and `"[UNK]"` come first.
        """
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """The number of tokens, special ones included."""
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Set the tokens; see `StringLookup.set_vocabulary`."""
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights)

    # -- texts to tokens -----------------------------------------------------------------------------------------
    def tokenize(self, data: Any) -> list[list[str]]:
        """Split texts into tokens, before the lookup.

        Args:
            data: strings `(batch,)` or `(batch, 1)`, or one string; without `split`, tokens `(batch, length)`.

        Returns:
            A list of tokens for each text.

        Raises:
            ValueError: for texts of another shape.
        """
        texts = np.atleast_1d(as_strings(data, self.encoding))
        if callable(self.standardize):
            texts = as_strings(self.standardize(texts.astype(str)))
        if self.split is None:
            rows: list[Any] = [row.tolist() for row in (texts[:, None] if texts.ndim == 1 else texts)]
        else:
            if texts.ndim > 1 and (texts.ndim > 2 or texts.shape[1] != 1):
                raise ValueError(
                    f"Layer '{self.name}' splits texts, so its input must have the shape (batch,) or (batch, 1); got "
                    f"{texts.shape}. For text that is already split into tokens, set split=None."
                )
            rows = texts.ravel().tolist()
        if isinstance(self.standardize, str):
            table = _STANDARDIZE[self.standardize]
            whole = self.split is not None

            def translated(row: Any) -> Any:
                return row.translate(table) if whole else [token.translate(table) for token in row]

            rows = list(map(translated, rows))
        if callable(self.split):
            rows = [as_strings(row, self.encoding).tolist() for row in self.split(np.array(rows, str))]
        elif self.split is not None:
            rows = list(map(_SPLIT[self.split], rows))
        return list(map(self._join, rows)) if self._widths else rows

    def _join(self, tokens: list[str]) -> list[str]:
        return [" ".join(tokens[i : i + n]) for n in self._widths for i in range(len(tokens) - n + 1)]

    def call(self, inputs: Any) -> np.ndarray:
        rows = self.tokenize(inputs)
        lengths = np.array([len(row) for row in rows], np.int64)
        indices = self._lookup_layer.indices([token for row in rows for token in row])
        owners = np.repeat(np.arange(len(rows)), lengths)
        if self.output_mode == "int":
            width = self.output_sequence_length or int(lengths.max(initial=0))
            positions = np.arange(len(indices)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            kept = positions < width
            result = np.zeros((len(rows), width), np.int32)
            result[owners[kept], positions[kept]] = indices[kept]
        else:
            result = self._lookup_layer.encode(indices, owners, len(rows))
        return result if isinstance(inputs, (list, tuple)) or np.ndim(inputs) else result[0]

    def output_shape_of(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        if self.output_mode == "int":
            return (shape[0], self.output_sequence_length)
        return self._lookup_layer.output_shape_of((shape[0], None))

    @property
    def output_dtype(self) -> str:  # type: ignore[override]
        return self._lookup_layer.output_dtype

    # -- configs and files ---------------------------------------------------------------------------------------
    def get_config(self) -> dict[str, Any]:
        lookup = self._lookup_layer.get_config()
        shared = ("max_tokens", "pad_to_max_tokens", "vocabulary", "idf_weights", "sparse")
        return {**super().get_config(), **{k: lookup[k] for k in shared}, "vocabulary_size": self.vocabulary_size()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        refuse_path(config)
        return super().from_config(config)

    def save_own_variables(self, store: Any) -> None:
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        self._lookup_layer.load_own_variables(store)

    def save_assets(self, dir_path: str) -> None:
        """Write `vocabulary.txt`, unless the vocabulary is in the config."""
        self._lookup_layer.save_assets(dir_path)

    def load_assets(self, dir_path: str) -> None:
        """Read the files that `save_assets` wrote."""
        self._lookup_layer.load_assets(dir_path)
