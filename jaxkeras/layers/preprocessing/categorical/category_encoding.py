"""One-hot, multi-hot and count encodings."""

from __future__ import annotations

from typing import Any

import jax

from jaxkeras import registry
from jaxkeras.layers._base.arguments import positive_int
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.preprocessing.categorical.output_modes import check_output_mode, encode


@registry.register("keras.layers")
class CategoryEncoding(Layer):
    """Turns integers into vectors.

    Args:
        num_tokens: the number of different integers, which run from 0 to `num_tokens - 1`.
        output_mode: "multi_hot" (which integers a sample contains), "count" (how often) or "one_hot" (a vector for
            each integer).
        sparse: whether to return `BCOO` arrays.

    Call arguments: `inputs`, integers `(batch, length)`; `count_weights`, the weight of each in "count" mode.

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
        self.sparse = sparse

    def call(self, inputs: Any, count_weights: Any = None) -> jax.Array:
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(f"`count_weights` need output_mode='count'; layer '{self.name}' has {self.output_mode!r}.")
        return self._encode(inputs, count_weights)

    def _encode(self, inputs: Any, count_weights: Any = None) -> jax.Array:
        return encode(inputs, self.output_mode, self.num_tokens, self.compute_dtype, count_weights, self.sparse)
