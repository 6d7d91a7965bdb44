"""The base class of vocabulary lookups."""

from __future__ import annotations

import collections
import math
import os
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from jaxkeras import registry
from jaxkeras.layers.preprocessing.categorical.hash_functions import bucket
from jaxkeras.layers.preprocessing.categorical.hashing import salt_pair
from jaxkeras.layers.preprocessing.categorical.output_modes import check_output_mode, count_rows, reject_sparse
from jaxkeras.layers.preprocessing.host_layer import HostLayer, as_array, batches, is_whole

Size = TypeVar("Size", int, int | None)


class Lookup(HostLayer):
    """The base of `StringLookup` and `IntegerLookup`.

    Attributes:
        vocabulary: the vocabulary given to the constructor, for the config; for the current one use `get_vocabulary()`.
    """

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any,
        idf_weights: Any,
        invert: bool,
        output_mode: str,
        pad_to_max_tokens: bool,
        sparse: bool,
        salt: Any,
        oov_method: str = "floormod",
        vocabulary_size: int | None = None,
        has_input_vocabulary: bool | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if max_tokens is not None and max_tokens <= 1:
            raise ValueError(f"`max_tokens` of layer '{self.name}' must be greater than 1; got {max_tokens}.")
        if pad_to_max_tokens and max_tokens is None:
            raise ValueError(f"Layer '{self.name}' with pad_to_max_tokens=True needs `max_tokens`.")
        if num_oov_indices < 0:
            raise ValueError(f"`num_oov_indices` of layer '{self.name}' must not be negative; got {num_oov_indices}.")
        reject_sparse(self, sparse)
        self.output_mode = check_output_mode(output_mode)
        if invert and self.output_mode != "int":
            raise ValueError(f"Layer '{self.name}' with invert=True needs output_mode='int'; got {output_mode!r}.")
        if idf_weights is not None and self.output_mode != "tf_idf":
            raise ValueError(f"`idf_weights` of layer '{self.name}' need output_mode='tf_idf'; got {output_mode!r}.")
        if oov_method not in ("floormod", "farmhash"):
            raise registry.unknown("oov_method", oov_method, ("floormod", "farmhash"))
        self.max_tokens, self.num_oov_indices = max_tokens, num_oov_indices
        self.mask_token, self.oov_token = mask_token, oov_token
        self.invert, self.pad_to_max_tokens, self.sparse = invert, pad_to_max_tokens, sparse
        self.oov_method = oov_method
        self.salt = salt_pair(self, salt)
        # A path is not stored: the vocabulary is saved as an asset of the model.
        self.vocabulary = None if vocabulary is None or isinstance(vocabulary, str) else _plain(vocabulary)
        self.idf_weights = None if idf_weights is None else _plain(idf_weights)
        self._fixed = vocabulary is not None if has_input_vocabulary is None else has_input_vocabulary
        self._declared_size = vocabulary_size
        self._set_tokens([])
        self._idf: np.ndarray | None = None
        self.reset_state()
        if vocabulary is not None:
            if self.output_mode == "tf_idf" and idf_weights is None:
                raise ValueError(f"Layer '{self.name}' with a vocabulary and 'tf_idf' also needs `idf_weights`.")
            self.set_vocabulary(vocabulary, idf_weights)

    # -- the vocabulary ------------------------------------------------------------------------------------------
    @property
    def _oov_start(self) -> int:
        return int(self.mask_token is not None and self.output_mode == "int")

    @property
    def _token_start(self) -> int:
        return self._oov_start + self.num_oov_indices

    def _set_tokens(self, tokens: list[Any]) -> None:
        self._tokens = tokens
        self._index = {token: i for i, token in enumerate(tokens, self._token_start)}
        if self.mask_token is not None:
            self._index[self.mask_token] = 0 if self.output_mode == "int" else -1

    def _convert(self, data: Any) -> np.ndarray:
        """Data as an array of tokens."""
        raise NotImplementedError

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens in the order of their indices.

        Args:
            include_special_tokens: whether the mask token (in "int" mode) and the out-of-vocabulary tokens come first.
        """
        special = [self.mask_token] * self._oov_start + [self.oov_token] * self.num_oov_indices
        return [*special, *self._tokens] if include_special_tokens else list(self._tokens)

    def vocabulary_size(self) -> int:
        """The number of tokens, special ones included."""
        return len(self._tokens) + self._token_start

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Set the tokens.

        Args:
            vocabulary: a list or array of tokens, with or without the special tokens in front; or the path
                of a file with one per line.
            idf_weights: inverse document frequencies of the same length, in "tf_idf" mode.

        Raises:
            ValueError: for repeated tokens, misplaced special tokens, too many tokens, or weights of another length.
        """
        if (self.output_mode == "tf_idf") != (idf_weights is not None):
            raise ValueError(f"`idf_weights` go with output_mode='tf_idf' and only with it, not {self.output_mode!r}.")
        if isinstance(vocabulary, str):
            if not os.path.exists(vocabulary):
                raise ValueError(f"The vocabulary file {vocabulary!r} does not exist.")
            with open(vocabulary, encoding="utf-8") as file:
                vocabulary = file.read().removesuffix("\n").split("\n")
        tokens = self._convert(vocabulary).ravel().tolist()
        if not tokens:
            raise ValueError(f"The vocabulary of layer '{self.name}' is empty.")
        special = self.get_vocabulary()[: self._token_start]
        with_special = tokens[: len(special)] == special
        tokens = tokens[len(special) :] if with_special else tokens
        self._check_tokens(tokens, special)
        self._set_tokens(tokens)
        if idf_weights is not None:
            self._set_idf(as_array(idf_weights), padded=with_special)

    def _check_tokens(self, tokens: list[Any], special: list[Any]) -> None:
        repeated = [token for token, count in collections.Counter(tokens).items() if count > 1]
        if repeated:
            raise ValueError(f"The vocabulary of layer '{self.name}' must not repeat tokens: {repeated[:10]!r}.")
        for token in (self.mask_token, self.oov_token if self.invert else None):
            if token is not None and token in tokens:
                raise ValueError(
                    f"The vocabulary of layer '{self.name}' has the special token {token!r} at {tokens.index(token)}. "
                    f"Leave special tokens out, or put all of them in front, as {special!r}."
                )
        size = len(tokens) + self._token_start
        if self.max_tokens is not None and size > self.max_tokens:
            raise ValueError(
                f"The vocabulary of layer '{self.name}' has {size} tokens with the special ones, more than "
                f"max_tokens={self.max_tokens}."
            )

    def _set_idf(self, weights: np.ndarray, padded: bool) -> None:
        expected = len(self._tokens) + (self._token_start if padded else 0)
        if weights.ndim != 1 or len(weights) not in (expected, self._depth()):
            raise ValueError(
                f"`idf_weights` of layer '{self.name}' must be as long as the vocabulary, {expected}; got shape "
                f"{weights.shape}."
            )
        if not padded and len(weights) == len(self._tokens):
            # The frequency of unknown tokens is unknown; use the mean weight.
            weights = np.concatenate([np.full(self._token_start, weights.mean()), weights])
        self._idf = np.pad(weights, (0, self._depth() - len(weights))).astype(np.float32)

    # -- learning it ---------------------------------------------------------------------------------------------
    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn the vocabulary: tokens by decreasing frequency, ties from the largest token to the smallest.

        Args:
            data: an array or list, with a document per item of the first axis, or a stream of batches.
            steps: number of batches of a stream to read; defaults to all.

        Raises:
            ValueError: if the vocabulary was given to the constructor.
        """
        self.reset_state()
        if is_whole(data):
            tokens = self._convert(data)
            self.update_state(tokens[:, None] if tokens.ndim == 1 else tokens)
        else:
            for batch in batches(data, steps):
                self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the tokens of one batch."""
        tokens = self._convert(data)
        self.count(tokens.reshape(1, -1).tolist() if tokens.ndim < 2 else tokens.reshape(len(tokens), -1).tolist())

    def count(self, documents: Iterable[Sequence[Any]]) -> None:
        """Count the tokens of documents, which are sequences of tokens."""
        if self._fixed:
            raise ValueError(
                f"Layer '{self.name}' was given its vocabulary when it was made, so it cannot adapt. Leave out "
                "`vocabulary`."
            )
        for document in documents:
            self._counts.update(document)
            if self.output_mode == "tf_idf":
                self._document_counts.update(set(document))
                self._documents += 1

    def finalize_state(self) -> None:
        """Make the vocabulary from the counts."""
        if not self._counts:
            return
        for token in (self.mask_token, self.oov_token):
            self._counts.pop(token, None)
        tokens = sorted(self._counts, key=lambda token: (self._counts[token], token), reverse=True)
        self._set_tokens(tokens[: self.max_tokens - self._token_start] if self.max_tokens else tokens)
        if self.output_mode == "tf_idf":
            seen = np.array([self._document_counts[token] for token in self._tokens], np.float64)
            self._set_idf(np.log(1 + self._documents / (1 + seen)), padded=False)
        self.reset_state()

    def reset_state(self) -> None:
        """Reset the counts, but not the vocabulary."""
        self._counts: collections.Counter[Any] = collections.Counter()
        self._document_counts: collections.Counter[Any] = collections.Counter()
        self._documents = 0

    # -- looking up ----------------------------------------------------------------------------------------------
    def _depth(self) -> int:
        if self.pad_to_max_tokens:
            return self.max_tokens  # type: ignore[return-value]
        if self._tokens:
            return self.vocabulary_size()
        if self._declared_size is None:
            raise RuntimeError(
                f"Layer '{self.name}' with output_mode={self.output_mode!r} must know its vocabulary before it is "
                "used: call `adapt` or `set_vocabulary`, or give it max_tokens and pad_to_max_tokens=True."
            )
        return self._declared_size

    def indices(self, tokens: list[Any]) -> np.ndarray:
        """The index of each token, int64; -1 for mask tokens in modes other than "int"."""
        default = self._oov_start if self.num_oov_indices == 1 else -2
        index = self._index
        found = np.array([index.get(token, default) for token in tokens], np.int64)
        unknown = np.flatnonzero(found == -2)
        if len(unknown) and self.num_oov_indices == 0:
            examples = sorted({tokens[i] for i in unknown[:100]})[:10]
            raise ValueError(
                f"Layer '{self.name}' has num_oov_indices=0, so every token must be in its vocabulary; these are not: "
                f"{examples!r}. Set num_oov_indices=1 to give them an index."
            )
        for i in unknown:
            found[i] = self._oov_start + self._oov_bucket(tokens[i])
        return found

    def _oov_bucket(self, token: Any) -> int:
        if isinstance(token, int) and self.oov_method == "floormod":
            return token % self.num_oov_indices
        return bucket(str(token), self.num_oov_indices, self.salt)

    def encode(self, indices: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
        """Encode the indices of `count` rows as one vector per row, in modes other than "int"."""
        if self.output_mode == "tf_idf" and self._idf is None:
            raise RuntimeError(f"Layer '{self.name}' has no idf weights yet: call `adapt` or `set_vocabulary` first.")
        result = count_rows(indices, rows, (count, self._depth()), binary=self.output_mode in ("multi_hot", "one_hot"))
        return result * self._idf if self.output_mode == "tf_idf" else result

    def call(self, inputs: Any) -> np.ndarray:
        if self.invert:
            return self._tokens_of(as_array(inputs))
        tokens = self._convert(inputs)
        indices = self.indices(tokens.ravel().tolist())
        if self.output_mode == "int":
            return indices.astype(np.int32).reshape(tokens.shape)
        lead = self._lead(tokens.shape)
        count = math.prod(lead)
        rows = np.repeat(np.arange(count), len(indices) // max(count, 1))
        return self.encode(indices, rows, count).reshape(*lead, self._depth())

    def _tokens_of(self, indices: np.ndarray) -> np.ndarray:
        vocabulary = dict(enumerate(self.get_vocabulary()))
        tokens = [vocabulary.get(i, self.oov_token) for i in indices.ravel().tolist()]
        return np.array(tokens, dtype=None if tokens else object).reshape(indices.shape)

    def output_shape_of(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape if self.output_mode == "int" else (*self._lead(shape), self._depth())

    def _lead(self, shape: tuple[Size, ...]) -> tuple[Size, ...]:
        """The leading axes of the output, before the axis of the vectors."""
        each = self.output_mode == "one_hot" and not (len(shape) > 1 and shape[-1] == 1)
        return shape if each else shape[:-1]

    @property
    def output_dtype(self) -> str:  # type: ignore[override]
        if self.invert:
            return "string" if isinstance(self.oov_token, str) else "int32"
        return "int32" if self.output_mode == "int" else "float32"

    # -- configs and files ---------------------------------------------------------------------------------------
    def get_config(self) -> dict[str, Any]:
        size = self.vocabulary_size() if self._tokens else self._declared_size
        return {**super().get_config(), "vocabulary_size": size}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        refuse_path(config)
        return super().from_config(config)

    def get_build_config(self) -> dict[str, Any]:
        return {}

    def save_own_variables(self, store: Any) -> None:
        if self.output_mode == "tf_idf":
            store["idf_weights"] = self._idf

    def load_own_variables(self, store: Any) -> None:
        if self.output_mode == "tf_idf":
            self._idf = np.asarray(store["idf_weights"])

    def save_assets(self, dir_path: str) -> None:
        """Write `vocabulary.txt`, unless the vocabulary is in the config."""
        if self.vocabulary is None:
            with open(os.path.join(dir_path, "vocabulary.txt"), "w", encoding="utf-8") as file:
                file.write("\n".join(map(str, self.get_vocabulary())))

    def load_assets(self, dir_path: str) -> None:
        """Read the file that `save_assets` wrote."""
        if self.vocabulary is not None:
            return
        with open(os.path.join(dir_path, "vocabulary.txt"), encoding="utf-8") as file:
            tokens = file.read().split("\n")
        while tokens and tokens[-1] == "":
            tokens.pop()
        if tokens:
            self.set_vocabulary(tokens, self._idf)


def _plain(values: Any) -> list[Any]:
    return values if isinstance(values, list) else as_array(values).tolist()


def refuse_path(config: dict[str, Any]) -> None:
    """Raise for a config that names a vocabulary file: an untrusted model must not choose files to read."""
    if isinstance(config.get("vocabulary"), str):
        raise ValueError(
            f"The config of layer {config.get('name')!r} names a vocabulary file, {config['vocabulary']!r}, which is "
            "not read while loading. Make the layer in Python with vocabulary=<path> instead."
        )
