"""Tables with columns of many kinds, encoded as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import layers, registry
from jaxkeras.core.names import auto_name
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.data import PyDataset
from jaxkeras.layers import Layer
from jaxkeras.layers.preprocessing.categorical.lookup import Lookup
from jaxkeras.layers.preprocessing.host_layer import as_array, as_strings

_PRIVATE = "keras.src.layers.preprocessing.feature_space"  # as which files of Keras name the small classes


@registry.register(_PRIVATE)
class Cross:
    """Features whose combination is hashed into a vector; made by `FeatureSpace.cross`.

    Args:
        feature_names: which.
        crossing_dim: into how many buckets.
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
        """The arguments that make an equal one."""
        return {
            "feature_names": self.feature_names, "crossing_dim": self.crossing_dim, "output_mode": self.output_mode,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Cross:
        """One from what `get_config` returned."""
        return cls(**config)


@registry.register(_PRIVATE)
class Feature:
    """How a column is encoded; made by the class methods of `FeatureSpace`.

    Args:
        dtype: of the column, such as "string".
        preprocessor: the layer that encodes it.
        output_mode: "one_hot" for an encoding of the integers that the layer returns, "int" or "float" for what it
            returns as it is.
    """

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str):
        if output_mode not in ("int", "one_hot", "float"):
            raise registry.unknown("output_mode of a feature", output_mode, ("int", "one_hot", "float"))
        self.dtype, self.output_mode = dtype, output_mode
        self.preprocessor = registry.deserialize(preprocessor) if isinstance(preprocessor, dict) else preprocessor

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        preprocessor = registry.serialize(self.preprocessor)
        return {"dtype": self.dtype, "preprocessor": preprocessor, "output_mode": self.output_mode}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Feature:
        """One from what `get_config` returned."""
        return cls(**config)


@registry.register(_PRIVATE)
class TFDIdentity(Layer):
    """Returns what it is given; under the name that Keras gives it in files."""

    _convert_input_args = False

    def call(self, x: Any) -> Any:
        return x


@registry.register(_PRIVATE)
class TFDConcat(Layer):
    """Joins features along an axis; under the name that Keras gives it in files."""

    def __init__(self, axis: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, xs: Any) -> jax.Array:
        return jnp.concatenate(xs, axis=self.axis)


@registry.register("keras.utils")
class FeatureSpace(Layer):
    """Encodes the columns of a table: numbers normalized or put into ranges, categories as vectors, pairs crossed.

    Call it on a dict of columns, `(batch,)` or `(batch, 1)`, or of single values, after `adapt`; map a `Dataset` of
    dicts with it; or build a model from `get_inputs()` and `get_encoded_features()`, which then takes the raw columns,
    strings included.

    Args:
        features: `{name: kind}`. A kind is "float", "float_normalized", "float_rescaled", "float_discretized",
            "integer_categorical", "string_categorical", "integer_hashed" or "string_hashed"; the class method of that
            name called with arguments; or `FeatureSpace.feature(...)` with a layer of yours.
        output_mode: "concat" for one vector of all features in alphabetical order, crosses last; "dict" for one array
            each.
        crosses: tuples of names, or `FeatureSpace.cross(...)`: combinations hashed into vectors of their own.
        crossing_dim: the length of these.
        hashing_dim: the length of the vectors of hashed features.
        num_discretization_bins: ranges of "float_discretized" features.
        name: of the layer.

    Attributes:
        preprocessors: `{feature: layer}`.
        crossers: `{cross: layer}`.

    Example:

    >>> table = {"age": [20.0, 30.0, 40.0], "city": ["Bonn", "Rome", "Rome"]}
    >>> space = FeatureSpace({"age": "float_rescaled", "city": "string_categorical"})
    >>> space.adapt(table)
    >>> space(table)
    Array([[20.,  0.,  0.,  1.],
           [30.,  0.,  1.,  0.],
           [40.,  0.,  1.,  0.]], dtype=float32)
    """

    _untracked = Layer._untracked | {"inputs", "encoded_features"}

    # -- kinds of features -------------------------------------------------------------------------------------------
    @classmethod
    def cross(cls, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot") -> Cross:
        """A combination of features: `crossing_dim` buckets, as "one_hot" vectors or as "int"."""
        return Cross(feature_names, crossing_dim, output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: Layer, output_mode: str) -> Feature:
        """A column of a type that a layer encodes; `output_mode` says what the layer returns: "int" or "float", or
        integers to make "one_hot"."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Numbers as they are."""
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
        """Numbers as the range they fall in, one of `num_bins`."""
        layer = layers.Discretization(bin_boundaries, num_bins, name=_named(name, "float_discretized"))
        return Feature("float32", layer, output_mode)

    @classmethod
    def integer_categorical(
        cls, max_tokens: int | None = None, num_oov_indices: int = 1, output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:  # fmt: skip
        """Integers as their index among those that occur."""
        layer = layers.IntegerLookup(max_tokens, num_oov_indices, name=_named(name, "integer_categorical"))
        return Feature("int32", layer, output_mode)

    @classmethod
    def string_categorical(
        cls, max_tokens: int | None = None, num_oov_indices: int = 1, output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:  # fmt: skip
        """Strings as their index among those that occur."""
        layer = layers.StringLookup(max_tokens, num_oov_indices, name=_named(name, "string_categorical"))
        return Feature("string", layer, output_mode)

    @classmethod
    def string_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Strings as the bucket they are hashed into."""
        return Feature("string", layers.Hashing(num_bins, name=_named(name, "string_hashed")), output_mode)

    @classmethod
    def integer_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Integers as the bucket they are hashed into."""
        return Feature("int32", layers.Hashing(num_bins, name=_named(name, "integer_hashed")), output_mode)

    # -- making it ---------------------------------------------------------------------------------------------------
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
            raise ValueError("FeatureSpace needs `features`, a dict {name of a column: kind}; got none.")
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
            # In a model of mixed features, what a crosser takes is computed where the crosser is.
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
                raise ValueError("`crosses` need `crossing_dim`, the length of the vectors they are hashed into.")
            cross = Cross(cross, self.crossing_dim)
        if missing := [key for key in cross.feature_names if key not in self.features]:
            raise ValueError(f"The cross {cross.feature_names} names {missing}, which are not among the features.")
        return cross

    # -- learning from data ------------------------------------------------------------------------------------------
    def _adaptable(self) -> list[str]:
        return [key for key, layer in self.preprocessors.items() if hasattr(layer, "adapt") and not _given(layer)]

    def adapt(self, dataset: Any) -> None:
        """Learn statistics, ranges and vocabularies.

        Args:
            dataset: a dict of columns; or something that yields dicts, of single values or of batches: a `Dataset`, a
                `PyDataset`, a `tf.data.Dataset`, a generator. Of pairs (x, y), x counts.

        Raises:
            ValueError: for other data, no data, or a missing column.
        """
        wanted = self._adaptable()
        parts: dict[str, list[np.ndarray]] = {key: [] for key in wanted}
        for batch in [dataset] if isinstance(dataset, Mapping) else _elements(dataset):
            row = batch[0] if isinstance(batch, tuple) else batch
            if not isinstance(row, Mapping):
                raise ValueError(f"FeatureSpace adapts to dicts of columns; the data hold {type(row).__name__}.")
            self._check_columns(row, wanted)
            for key in wanted:
                parts[key].append(_column(row[key], self.features[key].dtype))
        for key, columns in parts.items():
            if not columns:
                raise ValueError("There were no data to adapt to; a generator may have been used up before.")
            self.preprocessors[key].adapt(np.concatenate(columns))
        self._is_adapted = True
        self.get_encoded_features()

    def _check_columns(self, data: Mapping[str, Any], wanted: Any) -> None:
        if missing := [key for key in wanted if key not in data]:
            raise ValueError(f"The data lack the columns {missing}; they have {sorted(data)}.")

    def _ready(self) -> None:
        if not self._is_adapted and (wanted := self._adaptable()):
            raise ValueError(
                f"FeatureSpace '{self.name}' has not seen data yet: call `adapt` first, for {', '.join(wanted)}."
            )
        self._is_adapted = True

    # -- encoding ----------------------------------------------------------------------------------------------------
    def get_inputs(self) -> dict[str, Any]:
        """An `Input` of shape (None, 1) for every feature."""
        self._ready()
        return self.inputs

    def get_encoded_features(self) -> Any:
        """What is made of the inputs, as KerasTensors: with them, the beginning of a functional model."""
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
                    f"Feature '{key}' is not encoded as floats (it is {value.dtype}), so it cannot be joined with the "
                    "others. Give it output_mode='one_hot', or the FeatureSpace output_mode='dict'."
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
            f"Feature '{key}' has output_mode='one_hot', but how many values its {type(layer).__name__} can return is "
            "not known. Give it output_mode='int'."
        )

    # -- files -------------------------------------------------------------------------------------------------------
    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one, as plain data."""
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
        """One from what `get_config` returned."""
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
        """Write it to a `.keras` file, which `load_model` reads."""
        from jaxkeras.saving import save_model

        save_model(self, filepath)

    def save_own_variables(self, store: Any) -> None:
        """There are none but those of the preprocessors."""

    def load_own_variables(self, store: Any) -> None:
        """There are none but those of the preprocessors."""


def _named(name: str | None, kind: str) -> str:
    return f"{name or auto_name(kind)}_preprocessor"


def _given(layer: Any) -> bool:
    """Whether a layer was given what `adapt` would find."""
    if isinstance(layer, layers.Normalization):
        return layer.input_mean is not None
    if isinstance(layer, layers.Discretization):
        return layer.num_bins is None
    lookup = getattr(layer, "_lookup_layer", layer)
    return bool(getattr(lookup, "_fixed", False))


def _column(value: Any, dtype: str) -> np.ndarray:
    """A column as `(batch, 1)` (or with the axes it has), a single value as `(1, 1)`."""
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
