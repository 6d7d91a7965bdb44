"""One-hot, multi-hot and count encodings."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import registry
from jaxkeras.layers._base.arguments import positive_int
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.preprocessing.categorical.lookup import check_output_mode


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
