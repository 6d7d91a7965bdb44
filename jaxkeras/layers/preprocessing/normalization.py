"""Normalization by the mean and variance of a dataset."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import registry
from jaxkeras.core import config
from jaxkeras.layers._base.arguments import as_tuple
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.preprocessing.host_layer import as_array, batches


@registry.register("keras.layers")
class Normalization(Layer):
    """`(inputs - mean) / sqrt(variance)`, with mean and variance given or computed by `adapt`.

    Args:
        axis: axes with a separate mean and variance for each index, usually that of the features; None for a single
            mean and variance.
        mean, variance: numbers or arrays that broadcast to these axes; give both or neither.
        invert: whether to compute `inputs * sqrt(variance) + mean` instead.

    Example:

    >>> layer = Normalization()
    >>> layer.adapt(np.array([[0.0, 10.0], [2.0, 30.0]]))
    >>> layer(np.array([[1.0, 30.0]]))
    Array([[0., 1.]], dtype=float32)
    """

    def __init__(self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = () if axis is None else as_tuple(axis)
        if (mean is None) != (variance is None):
            raise ValueError(f"Give layer '{self.name}' both `mean` and `variance`, or none; got {mean=}, {variance=}.")
        if np.shape(mean) != np.shape(variance):
            raise ValueError(
                f"`mean` and `variance` of layer '{self.name}' must have the same shape; got {np.shape(mean)} and "
                f"{np.shape(variance)}."
            )
        if len(np.shape(mean)) > len(self.axis):
            raise ValueError(
                f"`mean` of layer '{self.name}' has shape {np.shape(mean)}, more axes than axis={self.axis} names."
            )
        self.input_mean, self.input_variance, self.invert = mean, variance, invert
        self.supports_masking = True

    def build(self, input_shape: Sequence[int | None]) -> None:
        rank = len(input_shape)
        if any(not -rank <= axis < rank for axis in self.axis):
            raise ValueError(f"axis={self.axis} of layer '{self.name}' does not fit an input of {tuple(input_shape)}.")
        self._kept = tuple(sorted(axis % rank for axis in self.axis))
        shape = tuple(input_shape[axis] for axis in self._kept)
        if None in shape:
            raise ValueError(
                f"Layer '{self.name}' must know the sizes of axes {self._kept} of its input; got {tuple(input_shape)}."
            )
        self._broadcast_shape = tuple(input_shape[axis] if axis in self._kept else 1 for axis in range(rank))
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(shape, "zeros", name="mean", trainable=False)
            self.adapt_variance = self.add_weight(shape, "ones", name="variance", trainable=False)
            # Unused; Keras's files contain it.
            self.count = self.add_weight((), "zeros", dtype="int32", name="count", trainable=False)

    def _statistic(self, given: Any, adapted: Any) -> jax.Array:
        if given is None:
            return adapted.value.reshape(self._broadcast_shape)
        given = jnp.asarray(given, self.compute_dtype)
        aligned = [1] * len(self._broadcast_shape)
        for axis, size in zip(reversed(self._kept), reversed(given.shape)):
            aligned[axis] = size
        return jnp.broadcast_to(given.reshape(aligned), self._broadcast_shape)

    @property
    def mean(self) -> jax.Array | None:
        """The mean, in a shape that broadcasts with the inputs; None until the layer is built."""
        return self._statistic(self.input_mean, getattr(self, "adapt_mean", None)) if self.built else None

    @property
    def variance(self) -> jax.Array | None:
        """The variance, in a shape that broadcasts with the inputs; None until the layer is built."""
        return self._statistic(self.input_variance, getattr(self, "adapt_variance", None)) if self.built else None

    def call(self, inputs: jax.Array) -> jax.Array:
        inputs = inputs.astype(self.compute_dtype)
        mean, variance = (x.astype(self.compute_dtype) for x in (self.mean, self.variance))  # type: ignore[union-attr]
        deviation = jnp.maximum(jnp.sqrt(variance), config.epsilon())
        return mean + inputs * deviation if self.invert else (inputs - mean) / deviation

    def adapt(self, data: Any) -> None:
        """Compute mean and variance of data.

        Args:
            data: an array, or a stream of batches: a list or generator of arrays, a `tf.data.Dataset`, a DataLoader or
                a `PyDataset`.

        Raises:
            ValueError: if there is no data, batches have different shapes, or the constructor was given a mean.
        """
        if self.input_mean is not None:
            raise ValueError(f"Layer '{self.name}' was given its mean and variance when it was made; it cannot adapt.")
        count, mean, variance = 0, np.zeros(()), np.zeros(())
        for batch in _blocks(data, self.axis):
            if not self.built:
                self.build(batch.shape if _keeps_first(self.axis, batch.ndim) else (None, *batch.shape[1:]))
            if tuple(batch.shape[axis] for axis in self._kept) != self.adapt_mean.shape:
                raise ValueError(
                    f"Layer '{self.name}' has statistics of shape {self.adapt_mean.shape} over the axes {self._kept}, "
                    f"which data of shape {batch.shape} does not fit."
                )
            reduced = tuple(axis for axis in range(batch.ndim) if axis not in self._kept)
            number = math.prod(batch.shape[axis] for axis in reduced)
            batch_mean, batch_variance = batch.mean(reduced), batch.var(reduced)
            # Merges the moments of two parts (Chan, Golub and LeVeque, 1979).
            count += number
            share = number / max(count, 1)
            step = batch_mean - mean
            variance = variance + share * (batch_variance - variance) + share * (1 - share) * step**2
            mean = mean + share * step
        if not self.built:
            raise ValueError(f"Layer '{self.name}' was given no data to adapt to.")
        self.adapt_mean.assign(mean)
        self.adapt_variance.assign(variance)

    def finalize_state(self) -> None:
        """There is nothing to do: unlike in Keras, `mean` and `variance` are read from the weights in every call."""

    def get_config(self) -> dict[str, Any]:
        given = {"mean": self.input_mean, "variance": self.input_variance}
        return {**super().get_config(), **{k: None if v is None else as_array(v).tolist() for k, v in given.items()}}


def _keeps_first(axes: Sequence[int], rank: int) -> bool:
    return any(axis % rank == 0 for axis in axes)


def _blocks(data: Any, axes: Sequence[int], size: int = 1 << 22) -> Iterator[np.ndarray]:
    """Data as float64 arrays, of about `size` numbers each if the first axis can be split.

    An array or a list of numbers is all the data; anything else is a stream of batches.
    """
    if isinstance(data, (list, tuple)) and not all(hasattr(item, "shape") or isinstance(item, tuple) for item in data):
        data = np.asarray(data)
    for batch in [data] if hasattr(data, "shape") and hasattr(data, "dtype") else batches(data):
        array = as_array(batch)
        if not array.ndim:
            raise TypeError(f"`adapt` needs batches, arrays with a `.shape` of one axis or more; got {batch!r}.")
        rows = len(array) if _keeps_first(axes, array.ndim) else max(1, size // max(1, math.prod(array.shape[1:])))
        for start in range(0, len(array), max(rows, 1)):
            yield array[start : start + rows].astype(np.float64)
