"""Embedding layers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import constraints, initializers, registry, regularizers
from jaxkeras.core.context import local
from jaxkeras.core.masks import set_mask
from jaxkeras.core.sparse import densify
from jaxkeras.core.variable import Variable
from jaxkeras.layers._base.arguments import add_configured_weight, positive_int, reject_quantization
from jaxkeras.layers._base.lora import LowRank


class _Table(LowRank):
    """The base of `Embedding` and `ReversibleEmbedding`: a matrix and the lookup of its rows."""

    adapted = "embeddings"
    lora_embeddings_a: Variable
    lora_embeddings_b: Variable

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any,
        embeddings_regularizer: Any,
        embeddings_constraint: Any,
        mask_zero: bool,
        **kwargs: Any,
    ):
        kwargs.pop("input_length", None)  # an argument of Keras 2, without effect
        super().__init__(**kwargs)
        self.input_dim = positive_int(input_dim, "input_dim", self)
        self.output_dim = positive_int(output_dim, "output_dim", self)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = self.supports_masking = mask_zero
        self.autocast = False  # a 16-bit float cannot hold every id

    def build(self, input_shape: Any = None) -> None:
        self.embeddings = add_configured_weight(self, "embeddings", (self.input_dim, self.output_dim))
        self.begin_lora()

    def rows(self, ids: jax.Array) -> jax.Array:
        """The rows of the matrix for the given ids, `(*ids.shape, output_dim)`; sparse ids are 0 where not given."""
        ids = densify(ids)
        ids = ids if ids.dtype in (jnp.int32, jnp.int64) else ids.astype(jnp.int32)
        if local.frame is not None:
            local.frame.check(
                f"Layer '{self.name}' was given an id outside of its table: ids run from 0 to input_dim - 1 = "
                f"{self.input_dim - 1}. Write {type(self).__name__}(input_dim=<largest id + 1>, ...), or check how "
                "the ids are made.",
                jnp.any((ids < 0) | (ids >= self.input_dim)),
            )
        y = jnp.take(self.embeddings.value, ids, axis=0)
        if self.lora_enabled:
            a, b = self.factors()
            y = y + jnp.matmul(jnp.take(a, ids, axis=0), b).astype(y.dtype)
        return y.astype(self.compute_dtype)

    def compute_mask(self, inputs: jax.Array, previous_mask: Any = None) -> jax.Array | None:
        return densify(inputs) != 0 if self.mask_zero else None

    def get_config(self) -> dict[str, Any]:
        penalty = registry.serialize(self.activity_regularizer)
        return {**super().get_config(), "activity_regularizer": penalty, "quantization_config": None}


@registry.register("keras.layers")
class Embedding(_Table):
    """A learned vector for each integer.

    Args:
        input_dim: number of integers; ids run from 0 to `input_dim - 1`.
        output_dim: size of a vector.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: settings of the matrix.
        mask_zero: whether id 0 is padding, to be masked in later layers.
        weights: the initial matrix, `(input_dim, output_dim)`.
        lora_rank, lora_alpha: train a low-rank update of this rank instead of the matrix (Hu et al., 2021).
        quantization_config: accepted for compatibility; must be None.

    Input shape: any, integers. Output shape: `(*input_shape, output_dim)`. An id out of range gives NaN.

    Example:

    >>> Embedding(10, 4)(jnp.array([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ):
        super().__init__(
            input_dim, output_dim, embeddings_initializer, embeddings_regularizer, embeddings_constraint, mask_zero,
            **kwargs,
        )  # fmt: skip
        reject_quantization(self, quantization_config)
        self.set_lora(lora_rank, lora_alpha)
        if weights is not None:
            self.build(None)
            self.set_weights(weights if isinstance(weights, list) and len(weights) == 1 else [weights])

    def call(self, inputs: jax.Array) -> jax.Array:
        return self.rows(inputs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("weights", None)
        return config


@registry.register("keras.layers")
class ReversibleEmbedding(_Table):
    """A learned vector for each integer, and the reverse: from vectors to a logit for each integer.

    Args:
        input_dim: number of integers; ids run from 0 to `input_dim - 1`.
        output_dim: size of a vector.
        tie_weights: whether the reverse projection uses the same matrix; otherwise it has its own.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: settings of the matrix.
        mask_zero: whether id 0 is padding, to be masked in later layers.
        reverse_dtype: the dtype of the reverse projection, such as `"float32"` in a 16-bit model.
        logit_soft_cap: logits are limited to this by `cap * tanh(logit / cap)`.

    Call arguments:
        inputs: integers of any shape; with `reverse`, floats `(..., output_dim)`.
        reverse: whether to project vectors to logits `(..., input_dim)`.

    Example:

    >>> layer = ReversibleEmbedding(10, 4)
    >>> layer(layer(jnp.array([[1, 2, 3]])), reverse=True).shape
    (1, 3, 10)
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        reverse_dtype: Any = None,
        logit_soft_cap: float | None = None,
        **kwargs: Any,
    ):
        lora = kwargs.pop("lora_rank", None), kwargs.pop("lora_alpha", None)
        reject_quantization(self, kwargs.pop("quantization_config", None))
        super().__init__(
            input_dim, output_dim, embeddings_initializer, embeddings_regularizer, embeddings_constraint, mask_zero,
            **kwargs,
        )  # fmt: skip
        self.set_lora(*lora)
        self.tie_weights, self.reverse_dtype, self.logit_soft_cap = tie_weights, reverse_dtype, logit_soft_cap

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        if not self.tie_weights:
            shape = (self.output_dim, self.input_dim)
            self.reverse_embeddings = self.add_weight(shape, self.embeddings_initializer, name="reverse_embeddings")

    def call(self, inputs: jax.Array, reverse: bool = False) -> jax.Array:
        if not reverse:
            y = self.rows(inputs)
            if self.mask_zero:
                set_mask(y, densify(inputs) != 0)
            return y
        kernel = self.adapted_value().T if self.tie_weights else self.reverse_embeddings.value
        dtype = self.reverse_dtype or jnp.result_type(inputs, kernel)
        scores = jnp.matmul(inputs.astype(dtype), kernel.astype(dtype))
        if self.logit_soft_cap is not None:
            scores = jnp.tanh(scores / self.logit_soft_cap) * self.logit_soft_cap
        return scores

    def compute_mask(self, inputs: jax.Array, previous_mask: Any = None) -> None:
        return None  # `call` sets it, unless it runs in reverse
