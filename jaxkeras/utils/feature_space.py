"""Encode the columns of a table as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import layers, registry
from jaxkeras.core.context import setting
from jaxkeras.core.names import auto_name
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.data import PyDataset
from jaxkeras.display.progress import Progbar
from jaxkeras.layers import Layer
from jaxkeras.layers.preprocessing.categorical.lookup import Lookup
from jaxkeras.layers.preprocessing.host_layer import as_array, as_strings

_PRIVATE = "keras.src.layers.preprocessing.feature_space"  # the module of the small classes in Keras's files


@registry.register(_PRIVATE)
class Cross:
    """A combination of features that is hashed; created by `FeatureSpace.cross`.

    Args:
        feature_names: names of the features.
        crossing_dim: number of buckets.
        output_mode: "one_hot" or "int".
    """

    def __init__(self, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot"):
        if output_mode not in ("int", "one_hot"):
            raise registry.unknown("output_mode of a cross", output_mode, ("int", "one_hot"))
        self.feature_names = tuple(feature_names)
        self.crossing_dim, self.output_mode = crossing_dim, output_mode

    @property
    def name(self) -> str:
        """The names of the features, joined."""
        return "_X_".join(self.feature_names)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            "feature_names": self.feature_names, "crossing_dim": self.crossing_dim, "output_mode": self.output_mode,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Cross:
        """Create an instance from what `get_config` returned."""
        return cls(**config)


@registry.register(_PRIVATE)
class Feature:
    """The encoding of a column; created by the class methods of `FeatureSpace`.

    Args:
        dtype: dtype of the column, such as "string".
        preprocessor: the layer that encodes it.
        output_mode: "one_hot" to one-hot encode the integers that the layer returns; "int" or "float" to use its output
            directly.
    """

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str):
        if output_mode not in ("int", "one_hot", "float"):
            raise registry.unknown("output_mode of a feature", output_mode, ("int", "one_hot", "float"))
        self.dtype, self.output_mode = dtype, output_mode
        self.preprocessor = registry.deserialize(preprocessor) if isinstance(preprocessor, dict) else preprocessor

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        preprocessor = registry.serialize(self.preprocessor)
        return {"dtype": self.dtype, "preprocessor": preprocessor, "output_mode": self.output_mode}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Feature:
        """Create an instance from what `get_config` returned."""
        return cls(**config)


@registry.register(_PRIVATE)
class TFDIdentity(Layer):
    """The identity, with its class name in Keras's files."""

    _convert_input_args = False

    def call(self, x: Any) -> Any:
        return x


@registry.register(_PRIVATE)
class TFDConcat(Layer):
    """Concatenation along an axis, with its class name in Keras's files."""

    def __init__(self, axis: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, xs: Any) -> jax.Array:
        return jnp.concatenate(xs, axis=self.axis)


@registry.register("keras.utils")
class FeatureSpace(Layer):
    """Encode the columns of a table: normalize or bin numbers, vectorize categories, cross features.

    After `adapt`, call it on a dict of columns of shape `(batch,)` or `(batch, 1)`, or of single values; map a
    `Dataset` of dicts with it; or build a model from `get_inputs()` and `get_encoded_features()`, which then takes the
    raw columns, strings included.

    Args:
        features: `{name: kind}`. A kind is "float", "float_normalized", "float_rescaled", "float_discretized",
            "integer_categorical", "string_categorical", "integer_hashed" or "string_hashed"; the result of the class
            method of that name; or `FeatureSpace.feature(...)` with a layer of your own.
        output_mode: "concat" for one vector of all features in alphabetical order, crosses last; "dict" for a dict of
            arrays.
        crosses: tuples of names, or `FeatureSpace.cross(...)`: combinations to hash.
        crossing_dim: number of buckets of a cross given as a tuple.
        hashing_dim: number of buckets of hashed features.
        num_discretization_bins: number of bins of "float_discretized" features.
        name: name of the layer.

    Attributes:
        preprocessors: `{feature: layer}`.
        crossers: `{cross: layer}`.

    Raises:
        ValueError: for no features, an unknown kind, or a cross of unknown features.

    Example:

    >>> table = {"age": [20.0, 30.0, 40.0], "city": ["Bonn", "Rome", "Rome"]}
    >>> space = FeatureSpace({"age": "float_rescaled", "city": "string_categorical"})
    >>> space.adapt(table, verbose=0)
    >>> space(table)
    Array([[20.,  0.,  0.,  1.],
           [30.,  0.,  1.,  0.],
           [40.,  0.,  1.,  0.]], dtype=float32)
    """

    _untracked = Layer._untracked | {"inputs", "encoded_features"}

    # -- kinds of features -------------------------------------------------------------------------------------------
    @classmethod
    def cross(cls, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot") -> Cross:
        """A combination of features hashed into `crossing_dim` buckets, with output "one_hot" or "int"."""
        return Cross(feature_names, crossing_dim, output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: Layer, output_mode: str) -> Feature:
        """A column of a type that a layer encodes; `output_mode` says what the layer returns: "int" or "float", or
        integers to make "one_hot"."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Unchanged numbers."""
        return Feature("float32", TFDIdentity(dtype="float32", name=_named(name, "float")), "float")

    @classmethod
    def float_rescaled(cls, scale: Any = 1.0, offset: Any = 0.0, name: str | None = None) -> Feature:
        """Numbers times `scale` plus `offset`."""
        return Feature("float32", layers.Rescaling(scale, offset, name=_named(name, "float_rescaled")), "float")

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """Numbers normalized to mean 0 and variance 1."""
        return Feature("float32", layers.Normalization(axis=-1, name=_named(name, "float_normalized")), "float")

    @classmethod
    def float_discretized(
        cls, num_bins: int, bin_boundaries: Any = None, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Numbers assigned to one of `num_bins` bins."""
        layer = layers.Discretization(bin_boundaries, num_bins, name=_named(name, "float_discretized"))
        return Feature("float32", layer, output_mode)

    @classmethod
    def integer_categorical(
        cls, max_tokens: int | None = None, num_oov_indices: int = 1, output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:  # fmt: skip
        """Integers as indices into a vocabulary."""
        layer = layers.IntegerLookup(max_tokens, num_oov_indices, name=_named(name, "integer_categorical"))
        return Feature("int32", layer, output_mode)

    @classmethod
    def string_categorical(
        cls, max_tokens: int | None = None, num_oov_indices: int = 1, output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:  # fmt: skip
        """Strings as indices into a vocabulary."""
        layer = layers.StringLookup(max_tokens, num_oov_indices, name=_named(name, "string_categorical"))
        return Feature("string", layer, output_mode)

    @classmethod
    def string_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Strings hashed into `num_bins` buckets."""
        return Feature("string", layers.Hashing(num_bins, name=_named(name, "string_hashed")), output_mode)

    @classmethod
    def integer_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Integers hashed into `num_bins` buckets."""
        return Feature("int32", layers.Hashing(num_bins, name=_named(name, "integer_hashed")), output_mode)

    # -- construction --------------------------------------------------------------------------------------------------
    def __init__(
        self,
        features: Mapping[str, Any],
        output_mode: str = "concat",
        crosses: Sequence[Any] | None = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ):
        super().__init__(name=name)
        if not features:
            raise ValueError("FeatureSpace needs `features`, a dict {name of a column: kind}; it is empty.")
        if output_mode not in ("concat", "dict"):
            raise registry.unknown("output_mode", output_mode, ("concat", "dict"))
        self.output_mode, self.crossing_dim, self.hashing_dim = output_mode, crossing_dim, hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.features = {key: self._feature(key, value) for key, value in features.items()}
        self.crosses = [self._cross(cross) for cross in crosses or ()]
        self.inputs = {
            key: layers.Input(shape=(1,), dtype=feature.dtype, name=key) for key, feature in self.features.items()
        }
        self.preprocessors = {key: feature.preprocessor for key, feature in self.features.items()}
        self.crossers = {c.name: layers.HashedCrossing(c.crossing_dim, name=c.name) for c in self.crosses}
        for key in {key for cross in self.crosses for key in cross.feature_names}:
            # In a model, crossed strings are hashed on the host, so all inputs of a cross are computed there.
            self.preprocessors[key].host_only = True
        self.one_hot_encoders: dict[str, Layer] = {}
        self.concat: TFDConcat | None = None
        self.encoded_features: Any = None
        self._is_adapted = False
        self.built = False

    def _feature(self, name: str, value: Any) -> Feature:
        if isinstance(value, Feature):
            return value
        if isinstance(value, dict):
            return registry.deserialize(value)
        sizes = {
            "float_discretized": self.num_discretization_bins, "integer_hashed": self.hashing_dim,
            "string_hashed": self.hashing_dim,
        }  # fmt: skip
        kinds = (
            "float", "float_normalized", "float_rescaled", "float_discretized", "integer_categorical",
            "string_categorical", "integer_hashed", "string_hashed",
        )  # fmt: skip
        if value not in kinds:
            raise registry.unknown(f"kind of feature '{name}'", value, kinds)
        return getattr(self, value)(*([sizes[value]] if value in sizes else []), name=name)

    def _cross(self, value: Any) -> Cross:
        cross = registry.deserialize(value) if isinstance(value, dict) else value
        if not isinstance(cross, Cross):
            if not self.crossing_dim:
                raise ValueError("`crosses` need `crossing_dim`, the number of buckets they are hashed into.")
            cross = Cross(cross, self.crossing_dim)
        if missing := [key for key in cross.feature_names if key not in self.features]:
            raise ValueError(f"The cross {cross.feature_names} uses {missing}, which are not features.")
        return cross

    # -- learning from data ------------------------------------------------------------------------------------------
    def _adaptable(self) -> list[str]:
        return [key for key, layer in self.preprocessors.items() if hasattr(layer, "adapt") and not _given(layer)]

    def adapt(self, dataset: Any, verbose: int = 1) -> None:
        """Compute statistics, bins and vocabularies from data.

        Args:
            dataset: a dict of columns; or an iterable of dicts of single values or batches: a `Dataset`, a
                `PyDataset`, a `tf.data.Dataset` or a generator. Of pairs (x, y), x is used.
            verbose: 0 for silent, 1 for a progress bar.

        Raises:
            ValueError: for other data, no data, or a missing column.
        """
        wanted = self._adaptable()
        parts: dict[str, list[np.ndarray]] = {key: [] for key in wanted}
        progress = Progbar(1 if isinstance(dataset, Mapping) else None, verbose=verbose)
        step = 0
        for step, batch in enumerate([dataset] if isinstance(dataset, Mapping) else _elements(dataset), 1):
            row = batch[0] if isinstance(batch, tuple) else batch
            if not isinstance(row, Mapping):
                raise ValueError(f"FeatureSpace adapts to dicts of columns; the data contain {type(row).__name__}.")
            self._check_columns(row, wanted)
            for key in wanted:
                parts[key].append(_column(row[key], self.features[key].dtype))
            progress.update(step, finalize=False)
        if step:
            progress.update(step, finalize=True)
        for key, columns in parts.items():
            if not columns:
                raise ValueError("There are no data to adapt to; a generator can be iterated over only once.")
            self.preprocessors[key].adapt(np.concatenate(columns))
        self._is_adapted = True
        self.get_encoded_features()

    def _check_columns(self, data: Mapping[str, Any], wanted: Any) -> None:
        if missing := [key for key in wanted if key not in data]:
            raise ValueError(f"The data lack the columns {missing}; they have {sorted(data)}.")

    def _ready(self) -> None:
        if not self._is_adapted and (wanted := self._adaptable()):
            raise ValueError(
                f"FeatureSpace '{self.name}' is not adapted yet: call `adapt` first, for {', '.join(wanted)}."
            )
        self._is_adapted = True

    # -- encoding ----------------------------------------------------------------------------------------------------
    def get_inputs(self) -> dict[str, Any]:
        """An `Input` of shape (None, 1) for every feature."""
        self._ready()
        return self.inputs

    def get_encoded_features(self) -> Any:
        """The encoded inputs as KerasTensors; with `get_inputs`, the first part of a functional model."""
        self._ready()
        if self.encoded_features is None:
            self.encoded_features = self._encode(self.inputs)
            self.built = True
        return self.encoded_features

    def __call__(self, data: Any) -> Any:
        """Encode a dict of columns, or of single values."""
        self._ready()
        if not isinstance(data, Mapping):
            raise ValueError(f"A FeatureSpace is called on a dict of columns; got {type(data).__name__}.")
        self._check_columns(data, self.features)
        if any(isinstance(data[key], KerasTensor) for key in self.features):
            return self._encode({key: data[key] for key in self.features})
        single = any(np.ndim(data[key]) == 0 for key in self.features)
        encoded = self._encode({key: _column(data[key], f.dtype) for key, f in self.features.items()})
        encoded = jax.tree.map(jnp.asarray, encoded)
        return jax.tree.map(lambda x: x[0] if len(x) == 1 else x, encoded) if single else encoded

    def _encode(self, data: Mapping[str, Any]) -> Any:
        with setting(host=True):
            whole = {key: self.preprocessors[key](value) for key, value in data.items()}
            crossed = {c.name: self.crossers[c.name]([whole[key] for key in c.feature_names]) for c in self.crosses}
        specs = {**self.features, **{cross.name: cross for cross in self.crosses}}
        encoded = {
            key: self._as_vectors(key, value, specs[key].output_mode)
            for part in (whole, crossed) for key, value in sorted(part.items())
        }  # fmt: skip
        if self.output_mode == "dict":
            return encoded
        for key, value in encoded.items():
            if not np.issubdtype(getattr(value, "dtype", None) or "O", np.floating):
                raise ValueError(
                    f"Feature '{key}' is encoded as {value.dtype}, not as floats, so it cannot be concatenated with "
                    "the others. Give it output_mode='one_hot', or the FeatureSpace output_mode='dict'."
                )
        if self.concat is None:
            self.concat = TFDConcat(axis=-1)
        return self.concat(list(encoded.values()))

    def _as_vectors(self, key: str, value: Any, mode: str) -> Any:
        if mode != "one_hot":
            return value
        if key not in self.one_hot_encoders:
            if "int" not in str(value.dtype):
                raise ValueError(
                    f"Feature '{key}' has output_mode='one_hot', for which its preprocessor must return integers; it "
                    f"returns {value.dtype}."
                )
            depth = self._depth(key, self.preprocessors.get(key) or self.crossers[key])
            self.one_hot_encoders[key] = layers.CategoryEncoding(num_tokens=depth, output_mode="multi_hot")
        return self.one_hot_encoders[key](value)

    def _depth(self, key: str, layer: Any) -> int:
        if isinstance(layer, Lookup):
            return layer.vocabulary_size()
        if isinstance(layer, layers.CategoryEncoding):
            return layer.num_tokens
        if isinstance(layer, layers.Discretization):
            return layer.num_bins or len(layer.bin_boundaries or ()) + 1
        if isinstance(layer, (layers.Hashing, layers.HashedCrossing)):
            return layer.num_bins
        raise ValueError(
            f"Feature '{key}' has output_mode='one_hot', but the number of values that its {type(layer).__name__} can "
            "return is not known. Give it output_mode='int'."
        )

    # -- files -------------------------------------------------------------------------------------------------------
    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, as plain data."""
        return {
            "features": registry.serialize(self.features),
            "output_mode": self.output_mode,
            "crosses": registry.serialize(self.crosses),
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FeatureSpace:
        """Create an instance from what `get_config` returned."""
        return cls(**config)

    def get_build_config(self) -> dict[str, Any]:
        """The build configs of the preprocessors."""
        return {key: layer.get_build_config() for key, layer in self.preprocessors.items()}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build the preprocessors; their statistics and vocabularies are read from the file afterwards."""
        for key, own in config.items():
            if own and not self.preprocessors[key].built:
                self.preprocessors[key].build_from_config(own)
        self._is_adapted = True

    def save(self, filepath: Any) -> None:
        """Save it to a `.keras` file, which `load_model` reads."""
        from jaxkeras.saving import save_model

        save_model(self, filepath)

    def save_own_variables(self, store: Any) -> None:
        """Do nothing: all variables belong to the preprocessors."""

    def load_own_variables(self, store: Any) -> None:
        """Do nothing: all variables belong to the preprocessors."""


def _named(name: str | None, kind: str) -> str:
    return f"{name or auto_name(kind)}_preprocessor"


def _given(layer: Any) -> bool:
    """Whether the constructor got what `adapt` would compute."""
    if isinstance(layer, layers.Normalization):
        return layer.input_mean is not None
    if isinstance(layer, layers.Discretization):
        return layer.num_bins is None
    lookup = getattr(layer, "_lookup_layer", layer)
    return bool(getattr(lookup, "_fixed", False))


def _column(value: Any, dtype: str) -> np.ndarray:
    """Convert a column to shape `(batch, 1)`, unless it has more axes, and a single value to `(1, 1)`."""
    array = as_strings(value) if dtype == "string" else as_array(value)
    if array.dtype.kind == "f":
        array = array.astype(np.float32)
    return array.reshape(-1, 1) if array.ndim < 2 else array


def _elements(dataset: Any) -> Any:
    if hasattr(dataset, "as_numpy_iterator"):
        return dataset.as_numpy_iterator()
    if isinstance(dataset, PyDataset) or hasattr(dataset, "__iter__"):
        return iter(dataset)
    raise ValueError(
        f"FeatureSpace adapts to a dict of columns, or to a Dataset of dicts; got {type(dataset).__name__}."
    )
