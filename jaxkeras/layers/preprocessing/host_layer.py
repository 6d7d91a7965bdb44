"""The base class of layers that compute on the host, and conversions of data for `adapt`."""

from __future__ import annotations

import itertools
import operator
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxkeras.core.context import local
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.display.progress import track
from jaxkeras.layers._base.layer import Layer

_ADAPTING = "Adapting to the data"


class HostLayer(Layer):
    """A layer that computes on the host, in Python and NumPy: it takes strings, lists and arrays.

    Called by itself it returns JAX arrays of numbers; in a data pipeline they stay on the host, as NumPy arrays.

    Attributes:
        host_only: models call such a layer on the host, before the compiled part.
    """

    host_only = True
    _convert_input_args = False
    _allow_non_tensor_positional_args = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        outputs = super().__call__(*args, **kwargs)
        return outputs if local.host or not _is_numeric(outputs) else jnp.asarray(outputs)

    def build(self, input_shape: Any = None) -> None:
        """There are no weights."""

    def compute_output_spec(self, inputs: Any, *args: Any, **kwargs: Any) -> KerasTensor:
        """The output as a KerasTensor, inferred from the shape, since JAX cannot trace the call."""
        return KerasTensor(self.output_shape_of(tuple(inputs.shape)), self.output_dtype)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        return self.output_shape_of(tuple(input_shape))

    def output_shape_of(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the output for an input of this shape."""
        raise NotImplementedError

    output_dtype = "int32"


def _is_numeric(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind in "biuf"


def as_array(x: Any) -> np.ndarray:
    """Anything array-like (NumPy, JAX, TensorFlow, torch, pandas, lists) as a NumPy array on the host."""
    if hasattr(x, "detach"):  # a torch tensor, which may require gradients or be on another device
        x = x.detach().cpu()
    return np.asarray(x)


def as_strings(x: Any, encoding: str = "utf-8") -> np.ndarray:
    """Strings or bytes in any container as an object array of `str`."""
    array = as_array(x)
    if array.dtype.kind == "U":
        return array.astype(object)
    if array.dtype.kind not in "OS":
        return array.astype(str).astype(object)
    texts = [item.decode(encoding) if isinstance(item, bytes) else str(item) for item in array.ravel().tolist()]
    result = np.empty(array.size, object)
    result[:] = texts
    return result.reshape(array.shape)


def is_whole(data: Any) -> bool:
    """Whether data is one array (or list), rather than a stream of batches."""
    return isinstance(data, (list, tuple, str, bytes)) or (hasattr(data, "shape") and hasattr(data, "dtype"))


def batches(data: Any, steps: int | None = None) -> Iterator[Any]:
    """The inputs of each batch of a stream; for tuples (x, y), x. Reading that takes long shows its progress.

    Args:
        data: a generator, a `tf.data.Dataset`, a DataLoader or a `PyDataset`.
        steps: number of batches to take; defaults to all.
    """
    if hasattr(data, "num_batches"):
        stream: Iterable[Any] = (data[i] for i in range(data.num_batches))
    else:
        stream = iter(data)
    length = data.num_batches if hasattr(data, "num_batches") else operator.length_hint(data, sys.maxsize)
    known = min(length, sys.maxsize if steps is None else steps)
    total = None if known == sys.maxsize else known
    for batch in track(itertools.islice(stream, steps), _ADAPTING, total, "batch"):
        yield batch[0] if isinstance(batch, tuple) else batch


def pieces(data: Any, rows: int = 10_000) -> Iterator[Any]:
    """Parts of an array or a list. Going through them shows the progress if it takes long."""
    array = as_array(data)
    if array.ndim == 0:
        yield array
        return
    starts = range(0, len(array), rows)
    for start in track(starts, _ADAPTING, len(starts), "batch"):
        yield array[start : start + rows]
