"""Flatten, reshape, permute and repeat."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import registry
from jaxkeras.core.config import standardize_data_format
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.layers._base.arguments import positive_int
from jaxkeras.layers._base.input_spec import InputSpec
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers._base.tensor_structures import array_namespace


@registry.register("keras.layers")
class Flatten(Layer):
    """Merges all axes but the batch into one.

    Args:
        data_format: `"channels_last"` or `"channels_first"`, for which channels are moved last before flattening;
            defaults to the global setting.

    Input shape: `(batch, ...)`. Output shape: `(batch, size)`; `(batch, 1)` for `(batch,)`.

    Example:

    >>> Flatten()(jnp.ones((2, 3, 4))).shape
    (2, 12)
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: jax.Array) -> jax.Array:
        if self.data_format == "channels_first" and inputs.ndim > 2:
            inputs = array_namespace([inputs]).transpose(inputs, (0, *range(2, inputs.ndim), 1))
        return array_namespace([inputs]).reshape(inputs, (inputs.shape[0], math.prod(inputs.shape[1:])))


@registry.register("keras.layers")
class Reshape(Layer):
    """Reshapes each sample.

    Args:
        target_shape: the shape without the batch axis; one size may be -1 and is inferred.

    Raises:
        ValueError: if the number of elements differs from that of the input.

    Example:

    >>> Reshape((-1, 2))(jnp.ones((5, 6))).shape
    (5, 3, 2)
    """

    def __init__(self, target_shape: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.target_shape = tuple(target_shape)
        if self.target_shape.count(-1) > 1 or any(size < -1 for size in self.target_shape):
            raise ValueError(
                f"`target_shape` of Reshape '{self.name}' may hold one -1 and otherwise sizes; got {self.target_shape}."
            )

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        # Not inferred by tracing: a size that stands in for an unknown one may not be divisible.
        given, target = tuple(input_shape[1:]), self.target_shape
        sizes = [size for size in given if size is not None]
        if len(sizes) < len(given):
            return (input_shape[0], *(None if size == -1 else size for size in target))
        total, known = math.prod(sizes), math.prod(size for size in target if size != -1)
        rest = total // known if -1 in target and known else 1
        if known * rest != total:
            raise ValueError(
                f"Reshape '{self.name}' cannot make {target} of an input of shape {tuple(input_shape)}: a sample has "
                f"{total} elements" + (f", which {known} does not divide." if -1 in target else f", not {known}.")
            )
        return (input_shape[0], *(rest if size == -1 else size for size in target))

    def compute_output_spec(self, inputs: KerasTensor) -> KerasTensor:
        return KerasTensor(self.compute_output_shape(inputs.shape), inputs.dtype, inputs.sparse)

    def call(self, inputs: jax.Array) -> jax.Array:
        return array_namespace([inputs]).reshape(inputs, self.compute_output_shape(inputs.shape))


@registry.register("keras.layers")
class Permute(Layer):
    """Permutes the axes of each sample.

    Args:
        dims: for each output axis, the input axis; axis 1 is the first after the batch.

    Example:

    >>> Permute((2, 1))(jnp.ones((5, 3, 4))).shape
    (5, 4, 3)
    """

    def __init__(self, dims: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                f"`dims` of Permute '{self.name}' must be the numbers 1 to {len(self.dims)} in some order; got {dims}."
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: jax.Array) -> jax.Array:
        return array_namespace([inputs]).transpose(inputs, (0, *self.dims))


@registry.register("keras.layers")
class RepeatVector(Layer):
    """Repeats the input n times along a new axis.

    Args:
        n: number of repetitions.

    Input shape: `(batch, features)`. Output shape: `(batch, n, features)`.

    Example:

    >>> RepeatVector(3)(jnp.ones((2, 4))).shape
    (2, 3, 4)
    """

    def __init__(self, n: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.n = positive_int(n, "n", self, TypeError)
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: jax.Array) -> jax.Array:
        return jnp.broadcast_to(inputs[:, None, :], (inputs.shape[0], self.n, inputs.shape[1]))
