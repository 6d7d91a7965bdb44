"""Assigns categories to buckets by a hash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxkeras import registry
from jaxkeras.core.context import local
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.layers._base.arguments import positive_int
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.preprocessing.categorical.hash_functions import bucket, cross
from jaxkeras.layers.preprocessing.categorical.output_modes import (
    check_output_mode,
    check_sparse,
    encode,
    reject_sparse,
)
from jaxkeras.layers.preprocessing.host_layer import HostLayer, as_array, as_strings


def salt_pair(layer: Layer, salt: Any) -> list[int] | None:
    """The key of SipHash as two integers, from one that is repeated or from two; None for None.

    Raises:
        ValueError: for anything else.
    """
    pair = [salt, salt] if isinstance(salt, int) else salt
    if pair is not None and not (isinstance(pair, (list, tuple)) and len(pair) == 2):
        raise ValueError(f"`salt` of layer '{layer.name}' must be an integer or two; got {salt!r}.")
    return None if pair is None else list(pair)


class _Hashed(HostLayer):
    """The base of the two hashing layers: the number of buckets and how they are encoded."""

    def __init__(self, num_bins: int, output_mode: str, modes: Sequence[str], sparse: bool, **kwargs: Any):
        if kwargs.get("dtype") is None and output_mode == "int":
            kwargs["dtype"] = "int64"
        super().__init__(**kwargs)
        if output_mode == "int" and self.dtype_policy.name not in ("int32", "int64"):
            raise ValueError(
                f"Layer '{self.name}' with output_mode='int' needs dtype='int32' or 'int64'; got {kwargs['dtype']!r}."
            )
        self.num_bins = positive_int(num_bins, "num_bins", self)
        self.output_mode = check_output_mode(output_mode, modes)
        self.sparse = sparse

    def _encode(self, buckets: list[int], shape: tuple[int, ...]) -> Any:
        indices = np.array(buckets, np.int32).reshape(shape)
        sparse = self.sparse and not local.host  # batches that a model or a pipeline makes on the host are dense
        encoded = encode(indices, self.output_mode, self.num_bins, self.output_dtype, sparse=sparse)
        return encoded if sparse else np.asarray(encoded)

    @property
    def output_dtype(self) -> str:  # type: ignore[override]
        return "int32" if self.compute_dtype == "int64" else self.compute_dtype

    def compute_output_spec(self, inputs: Any, *args: Any, **kwargs: Any) -> KerasTensor:
        return KerasTensor(self.output_shape_of(tuple(inputs.shape)), self.output_dtype, sparse=self.sparse)

    def output_shape_of(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        if self.output_mode == "int":
            return shape
        if self.output_mode == "one_hot":
            return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), self.num_bins)
        return (*shape[:1], *shape[2:], self.num_bins) if len(shape) > 1 else (self.num_bins,)


@registry.register("keras.layers")
class Hashing(_Hashed):
    """Assigns strings or integers to buckets by a hash. The buckets are those of Keras, on every machine.

    Args:
        num_bins: the number of buckets, including that of `mask_value`.
        mask_value: a value that is assigned to bucket 0, to which no other value is.
        salt: one or two integers, the key of SipHash; FarmHash is used without it.
        output_mode: "int" for the bucket, or "one_hot", "multi_hot" or "count", as in `CategoryEncoding`.
        sparse: whether to return `BCOO` arrays, in the modes that give vectors.

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
        check_sparse(self, sparse, self.output_mode)
        self.mask_value, self.salt = mask_value, salt_pair(self, salt)

    def call(self, inputs: Any) -> Any:
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
    """Assigns combinations of features to buckets by a hash. The buckets are those of Keras, on every machine.

    Args:
        num_bins: the number of buckets.
        output_mode: "int" for the bucket, or "one_hot".
        sparse: accepted for compatibility; must be False, as in Keras on JAX.

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
        reject_sparse(self, sparse)

    def call(self, inputs: Any) -> Any:
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
