"""Embedding layers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import registry
from jaxkeras.core.context import local
from jaxkeras.core.masks import set_mask
from jaxkeras.layers._base.arguments import no_quantization, positive_int, settled_weight, weight_settings
from jaxkeras.layers._base.lora import LowRank


class _Table(LowRank):
    """What Embedding and its reversible form share: a matrix, and rows of it by number."""

    adapted = "embeddings"

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
        kwargs.pop("input_length", None)  # from Keras 2: the length is that of the input
        super().__init__(**kwargs)
        self.input_dim = positive_int(input_dim, "input_dim", self)
        self.output_dim = positive_int(output_dim, "output_dim", self)
        weight_settings(
            self, embeddings_initializer=embeddings_initializer, embeddings_regularizer=embeddings_regularizer,
            embeddings_constraint=embeddings_constraint,
        )  # fmt: skip
        self.mask_zero = self.supports_masking = mask_zero
        self.autocast = False  # ids that come as floats must stay exact

    def build(self, input_shape: Any = None) -> None:
        self.embeddings = settled_weight(self, "embeddings", (self.input_dim, self.output_dim))
        self.begin_lora()

    def rows(self, ids: jax.Array) -> jax.Array:
        """The vectors of some ids."""
        ids = ids if ids.dtype in (jnp.int32, jnp.int64) else ids.astype(jnp.int32)
        if local.frame is not None:
            local.frame.check(
                f"Layer '{self.name}' was given an id outside of its table: ids run from 0 to input_dim - 1 = "
                f"{self.input_dim - 1}. Write {type(self).__name__}(input_dim=<largest id + 1>, ...), or look at how "
                "the ids were made.",
                jnp.any((ids < 0) | (ids >= self.input_dim)),
            )
        y = jnp.take(self.embeddings.value, ids, axis=0)
        if self.lora_enabled:
            a, b = self.factors()
            y = y + jnp.matmul(jnp.take(a, ids, axis=0), b).astype(y.dtype)
        return y.astype(self.compute_dtype)

    def compute_mask(self, inputs: jax.Array, previous_mask: Any = None) -> jax.Array | None:
        return inputs != 0 if self.mask_zero else None

    def get_config(self) -> dict[str, Any]:
        penalty = registry.serialize(self.activity_regularizer)
        return {**super().get_config(), "activity_regularizer": penalty, "quantization_config": None}


@registry.register("keras.layers")
class Embedding(_Table):
    """A learned vector for each integer.

    Args:
        input_dim: number of integers; ids run from 0 to `input_dim - 1`.
        output_dim: size of a vector.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: of the matrix.
        mask_zero: whether id 0 is padding, to be masked in the layers that follow.
        weights: the matrix to start from, `(input_dim, output_dim)`.
        lora_rank, lora_alpha: train a correction of this rank instead of the matrix (Hu et al., 2021).
        quantization_config: accepted for compatibility; must be None.

    Input shape: any, integers. Output shape: that with `output_dim` at the end. An id out of range gives NaN.

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
        no_quantization(self, quantization_config)
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
    """A learned vector for each integer, and the way back: from vectors to scores of the integers.

    Args:
        input_dim: number of integers; ids run from 0 to `input_dim - 1`.
        output_dim: size of a vector.
        tie_weights: whether the way back uses the same matrix; otherwise it has one of its own.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: of the matrix.
        mask_zero: whether id 0 is padding, to be masked in the layers that follow.
        reverse_dtype: the type of the way back, such as `"float32"` in a 16-bit model.
        logit_soft_cap: scores are limited to this by `cap * tanh(score / cap)`.

    Call arguments:
        inputs: integers of any shape; with `reverse`, floats `(..., output_dim)`.
        reverse: whether to go back, to scores `(..., input_dim)`.

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
        no_quantization(self, kwargs.pop("quantization_config", None))
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
                set_mask(y, inputs != 0)
            return y
        kernel = self.corrected().T if self.tie_weights else self.reverse_embeddings.value
        dtype = self.reverse_dtype or jnp.result_type(inputs, kernel)
        scores = jnp.matmul(inputs.astype(dtype), kernel.astype(dtype))
        if self.logit_soft_cap is not None:
            scores = jnp.tanh(scores / self.logit_soft_cap) * self.logit_soft_cap
        return scores

    def compute_mask(self, inputs: jax.Array, previous_mask: Any = None) -> None:
        return None  # `call` sets it, on the way there only
