"""Categories: numbers into bins, indices into vectors, values into hash buckets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import registry
from jaxkeras.layers.arguments import positive_int
from jaxkeras.layers.base import Layer
from jaxkeras.layers.preprocessing_hash import bucket, cross
from jaxkeras.layers.preprocessing_host import HostLayer, as_array, as_strings, batches, is_whole
from jaxkeras.layers.preprocessing_lookup import check_output_mode


def encode(indices: Any, mode: str, depth: int, dtype: str, weights: Any = None) -> jax.Array:
    """Indices as they are, or as vectors of `depth` numbers.

    Args:
        indices: integers; those outside of `[0, depth)` become zeros.
        mode: "int"; "one_hot", a vector for each (a last axis of size 1 goes); "multi_hot" or "count", a vector for
            each sample, whose indices stand along the second axis (or the only one).
        depth: how many there are.
        dtype: of the result.
        weights: what each index counts, in "count" mode.
    """
    indices = jnp.asarray(indices)
    if mode == "int":
        return indices.astype(dtype)
    if not jnp.issubdtype(indices.dtype, jnp.integer):
        indices = indices.astype("int32")
    if indices.ndim == 0:
        indices = indices[None]
    if mode == "one_hot" and indices.ndim > 1 and indices.shape[-1] == 1:
        indices = indices[..., 0]
    vectors = jax.nn.one_hot(indices, depth, dtype=dtype)
    if mode == "one_hot":
        return vectors
    axis = 1 if indices.ndim > 1 else 0
    if mode == "multi_hot":
        return jnp.max(vectors, axis=axis)
    if weights is not None:
        vectors = vectors * jnp.asarray(weights, dtype)[..., None]
    return jnp.sum(vectors, axis=axis)


def no_sparse(layer: Layer, sparse: bool) -> None:
    """Raise for `sparse=True`, which Keras supports on TensorFlow alone."""
    if sparse:
        raise ValueError(f"Layer '{layer.name}' cannot return sparse arrays; leave out sparse=True.")


@registry.register("keras.layers")
class CategoryEncoding(Layer):
    """Turns integers into vectors.

    Args:
        num_tokens: how many different integers there are, from 0.
        output_mode: "multi_hot" (which integers a sample has), "count" (how often) or "one_hot" (a vector for every
            integer).
        sparse: accepted for compatibility; must be False.

    Call arguments: `inputs`, integers `(batch, length)`; `count_weights`, what each counts in "count" mode.

    Example:

    >>> CategoryEncoding(num_tokens=4)(jnp.array([[0, 1], [0, 0], [1, 2], [3, 1]]))
    Array([[1., 1., 0., 0.],
           [1., 0., 0., 0.],
           [0., 1., 1., 0.],
           [0., 1., 0., 1.]], dtype=float32)
    """

    _convert_input_args = False
    _allow_non_tensor_positional_args = True

    def __init__(
        self, num_tokens: int | None = None, output_mode: str = "multi_hot", sparse: bool = False, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.num_tokens = positive_int(num_tokens, "num_tokens", self)
        self.output_mode = check_output_mode(output_mode, ("count", "one_hot", "multi_hot"))
        no_sparse(self, sparse)

    def call(self, inputs: Any, count_weights: Any = None) -> jax.Array:
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(f"`count_weights` need output_mode='count'; layer '{self.name}' has {self.output_mode!r}.")
        return encode(inputs, self.output_mode, self.num_tokens, self.compute_dtype, count_weights)


@registry.register("keras.layers")
class Discretization(Layer):
    """Turns numbers into the indices of the ranges they fall in.

    Args:
        bin_boundaries: where ranges meet, increasing; `[0, 1]` makes `(-inf, 0)`, `[0, 1)` and `[1, inf)`.
        num_bins: instead, how many ranges `adapt` shall find, equally filled.
        epsilon: how exact their quantiles are to be: the share of the data that may end up next door.
        output_mode: "int" for indices, or "one_hot", "multi_hot" or "count", as in `CategoryEncoding`.
        sparse: accepted for compatibility; must be False.

    Example:

    >>> Discretization(bin_boundaries=[0.0, 1.0, 2.0])(jnp.array([[-1.5, 1.0, 3.4, 0.5]]))
    Array([[0, 2, 3, 1]], dtype=int32)
    """

    def __init__(
        self,
        bin_boundaries: Sequence[float] | None = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
    ):
        super().__init__(name=name, dtype=dtype)
        no_sparse(self, sparse)
        if (num_bins is None) == (bin_boundaries is None):
            raise ValueError(f"Give layer '{self.name}' either `bin_boundaries` or `num_bins`; got both or none.")
        if num_bins is not None and num_bins < 0:
            raise ValueError(f"`num_bins` of layer '{self.name}' must not be negative; got {num_bins}.")
        self.bin_boundaries, self.num_bins, self.epsilon = bin_boundaries, num_bins, epsilon
        self.output_mode = check_output_mode(output_mode, ("int", "one_hot", "multi_hot", "count"))
        self.sparse = sparse
        self.reset_state()

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Find `num_bins` ranges that hold equally many of the numbers.

        Args:
            data: an array, or a stream of batches.
            steps: how many batches of a stream to read.

        Raises:
            ValueError: for a layer that was given its boundaries.
        """
        if self.num_bins is None:
            raise ValueError(f"Layer '{self.name}' was given `bin_boundaries`; to adapt it must be given `num_bins`.")
        self.reset_state()
        for batch in [data] if is_whole(data) else batches(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Take one batch into the summary of what was seen."""
        new = _summary(as_array(data).astype(np.float32), self.epsilon)
        merged = np.concatenate([new, self.summary], axis=1)
        self.summary = _compressed(merged[:, np.argsort(merged[0])], self.epsilon)

    def finalize_state(self) -> None:
        """Make boundaries of the summary."""
        if self.num_bins is not None:
            self.bin_boundaries = _compressed(self.summary, 1.0 / self.num_bins)[0, :-1].tolist()

    def reset_state(self) -> None:
        """Forget what was seen; the boundaries stay."""
        self.summary = np.zeros((2, 0), np.float32)

    def call(self, inputs: jax.Array) -> jax.Array:
        if self.bin_boundaries is None:
            raise ValueError(f"Layer '{self.name}' has no boundaries yet: call `adapt`, or give it `bin_boundaries`.")
        boundaries = jnp.asarray(self.bin_boundaries, jnp.float32)
        indices = jnp.searchsorted(boundaries, inputs, side="right")
        dtype = "int32" if self.output_mode == "int" else self.compute_dtype
        return encode(indices, self.output_mode, len(boundaries) + 1, dtype)

    def get_config(self) -> dict[str, Any]:
        names = ("bin_boundaries", "num_bins", "epsilon", "output_mode", "sparse", "name", "dtype")
        config = {name: getattr(self, name) for name in names}
        return {**config, "bin_boundaries": None if self.bin_boundaries is None else list(self.bin_boundaries)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        config = dict(config)
        adapted = config.get("num_bins") is not None and config.pop("bin_boundaries", None)
        layer = cls(**config)
        if adapted:
            layer.bin_boundaries = adapted
        return layer


def _summary(values: np.ndarray, epsilon: float) -> np.ndarray:
    """Quantiles at steps of `epsilon`, `(2, count)`: values, and how many numbers each stands for."""
    values = np.sort(values.ravel())
    step = max(values.size * epsilon, 1)
    boundaries = values[int(step - 1) :: int(step)]
    return np.stack([boundaries, np.full_like(boundaries, step)])


def _compressed(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """A summary at steps of `epsilon` of a finer one."""
    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    seen = summary[1].cumsum()
    values = np.interp(shares, seen / seen[-1], summary[0])
    counts = np.interp(shares, seen / seen[-1], seen)
    return np.stack([values, np.diff(counts, prepend=0)]).astype(np.float32)


class _Hashed(HostLayer):
    """What the two hashing layers share: how many buckets, and how these are written."""

    def __init__(self, num_bins: int, output_mode: str, modes: Sequence[str], sparse: bool, **kwargs: Any):
        if kwargs.get("dtype") is None and output_mode == "int":
            kwargs["dtype"] = "int64"
        super().__init__(**kwargs)
        self.num_bins = positive_int(num_bins, "num_bins", self)
        self.output_mode = check_output_mode(output_mode, modes)
        no_sparse(self, sparse)
        self.sparse = sparse

    def _encode(self, buckets: list[int], shape: tuple[int, ...]) -> np.ndarray:
        indices = np.array(buckets, np.int32).reshape(shape)
        return np.asarray(encode(indices, self.output_mode, self.num_bins, self.output_dtype))

    @property
    def output_dtype(self) -> str:  # type: ignore[override]
        return "int32" if self.compute_dtype == "int64" else self.compute_dtype

    def output_shape_of(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        if self.output_mode == "int":
            return shape
        if self.output_mode == "one_hot":
            return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), self.num_bins)
        return (*shape[:1], *shape[2:], self.num_bins) if len(shape) > 1 else (self.num_bins,)


@registry.register("keras.layers")
class Hashing(_Hashed):
    """Puts strings or integers into buckets by a hash, the same as Keras's on every machine.

    Args:
        num_bins: the number of buckets, that of `mask_value` included.
        mask_value: a value that has bucket 0 for itself.
        salt: one or two integers: hash by SipHash with this key, instead of FarmHash.
        output_mode: "int" for the bucket, or "one_hot", "multi_hot" or "count", as in `CategoryEncoding`.
        sparse: accepted for compatibility; must be False.

    Example:

    >>> Hashing(num_bins=3)([["A"], ["B"], ["C"], ["D"], ["E"]]).ravel().tolist()
    [1, 0, 1, 1, 2]
    """

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ):
        super().__init__(num_bins, output_mode, ("int", "one_hot", "multi_hot", "count"), sparse, **kwargs)
        pair = [salt, salt] if isinstance(salt, int) else salt
        if pair is not None and not (isinstance(pair, (list, tuple)) and len(pair) == 2):
            raise ValueError(f"`salt` of layer '{self.name}' must be an integer or two; got {salt!r}.")
        self.mask_value, self.salt = mask_value, None if pair is None else list(pair)

    def call(self, inputs: Any) -> np.ndarray:
        array = as_array(inputs)
        if array.dtype.kind == "f":
            array = array.astype(np.int64)
        texts = as_strings(array)
        masked = self.mask_value is not None and self.num_bins > 1
        mask = as_strings(self.mask_value).item() if masked else None
        buckets = [
            0 if masked and text == mask else masked + bucket(text, self.num_bins - masked, self.salt)
            for text in texts.ravel().tolist()
        ]
        return self._encode(buckets, texts.shape)


@registry.register("keras.layers")
class HashedCrossing(_Hashed):
    """Puts combinations of features into buckets by a hash, the same as Keras's on every machine.

    Args:
        num_bins: the number of buckets.
        output_mode: "int" for the bucket, or "one_hot".
        sparse: accepted for compatibility; must be False.

    Called on a list of two or more arrays of strings or integers, each `()`, `(batch,)` or `(batch, 1)`.

    Example:

    >>> HashedCrossing(num_bins=5)((np.array(["A", "B"]), np.array([101, 102]))).tolist()
    [1, 1]
    """

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        super().__init__(num_bins, output_mode, ("int", "one_hot"), sparse, name=name, dtype=dtype, **kwargs)

    def call(self, inputs: Any) -> np.ndarray:
        if not isinstance(inputs, (list, tuple)) or len(inputs) < 2:
            raise ValueError(f"Layer '{self.name}' crosses a list of at least two features; got {inputs!r}.")
        arrays = [as_array(x) for x in inputs]
        shapes = [x.shape for x in arrays]
        if len(set(shapes)) > 1 or len(shapes[0]) > 2 or shapes[0][1:] not in ((), (1,)):
            raise ValueError(
                f"The features that layer '{self.name}' crosses must all have the shape (), (batch,) or (batch, 1); "
                f"got {shapes}."
            )
        if any(x.dtype.kind not in "iuOSU" for x in arrays):
            raise ValueError(
                f"The features that layer '{self.name}' crosses must be integers or strings; got types "
                f"{[x.dtype.name for x in arrays]}."
            )
        columns = [(x if x.dtype.kind in "iu" else as_strings(x)).ravel().tolist() for x in arrays]
        return self._encode([cross(values, self.num_bins) for values in zip(*columns)], shapes[0])

    def compute_output_spec(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        return super().compute_output_spec(inputs[0])

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return super().compute_output_shape(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dtype": self.dtype}
