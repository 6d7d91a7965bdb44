"""Dot-product and additive attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering, registry
from jaxkeras.core.seeds import SeedGenerator, draw_key
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers._base.tensor_structures import is_shape
from jaxkeras.layers.attention.base import Mask


@registry.register("keras.layers")
class Attention(Layer):
    """Dot-product attention over a list of inputs (Luong et al., 2015).

    Args:
        use_scale: whether to multiply the scores by a learned weight.
        score_mode: "dot" for `query @ key`, or "concat" for `w * sum(tanh(query + key))`.
        dropout: fraction of the attention weights to drop in training.
        seed: the seed of the dropout.

    Call arguments: `inputs`, a list `[query, value]` or `[query, value, key]` of `(batch, time, features)`; `mask`, a
    list of their masks `(batch, time)` or None; `return_attention_scores`; `training`; `use_causal_mask`.

    Returns `(batch, targets, features of value)`, and with `return_attention_scores` the scores `(batch, targets,
    sources)`.

    Example:

    >>> Attention()([jnp.ones((1, 5, 8)), jnp.ones((1, 3, 8))]).shape
    (1, 5, 8)
    """

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if score_mode not in ("dot", "concat"):
            raise registry.unknown(f"score_mode of layer '{self.name}'", score_mode, ("dot", "concat"))
        self.use_scale, self.score_mode, self.dropout, self.seed = use_scale, score_mode, dropout, seed
        if dropout > 0:
            self.seed_generator = SeedGenerator(seed)

    def build(self, input_shape: Any) -> None:
        self._check(input_shape)
        self.scale = self.add_weight((), "ones", name="scale") if self.use_scale else None
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def _check(self, inputs: Any, mask: Any = None) -> None:
        for what, value in (("inputs", inputs), ("mask", mask)):
            is_list = isinstance(value, (list, tuple)) and not (what == "inputs" and is_shape(value))
            if value is not None and (not is_list or len(value) not in (2, 3)):
                raise ValueError(
                    f"Layer '{self.name}' takes a list [query, value] or [query, value, key] as inputs, and a list of "
                    f"their masks; got {what}={value!r}."
                )

    def _calculate_scores(self, query: jax.Array, key: jax.Array) -> jax.Array:
        if self.score_mode == "dot":
            scores = jnp.matmul(query, jnp.swapaxes(key, -2, -1))
            return scores if self.scale is None else scores * self.scale.value
        pairs = query[..., :, None, :] + key[..., None, :, :]
        pairs = pairs if self.scale is None else self.scale.value * pairs
        return self.concat_score_weight.value * jnp.sum(jnp.tanh(pairs), axis=-1)

    def call(
        self,
        inputs: Sequence[jax.Array],
        mask: Sequence[Mask] | None = None,
        training: bool | None = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        self._check(inputs, mask)
        query, value, key = (*inputs, inputs[1])[:3]
        query_mask, value_mask = mask[:2] if mask else (None, None)
        scores = self._calculate_scores(query, key)
        allowed = self._calculate_score_mask(scores, value_mask, use_causal_mask)
        output, weights = self._apply_scores(scores, value, allowed, training)
        if query_mask is not None:
            output = jnp.where(query_mask.astype(bool)[..., None], output, 0)
        return (output, weights) if return_attention_scores else output

    def _calculate_score_mask(self, scores: jax.Array, v_mask: Mask, use_causal_mask: bool) -> Mask:
        allowed = None if v_mask is None else jnp.asarray(v_mask, bool)[..., None, :]
        if not use_causal_mask:
            return allowed
        causal = jnp.tril(jnp.ones((1, *scores.shape[-2:]), bool))
        return causal if allowed is None else allowed & causal

    def _apply_scores(
        self, scores: jax.Array, value: jax.Array, scores_mask: Mask = None, training: bool | None = False
    ) -> tuple[jax.Array, jax.Array]:
        if scores_mask is not None:
            allowed = scores_mask if scores_mask.ndim > 2 else scores_mask[..., None, :]
            # 65504 is the largest float16.
            scores = jnp.where(allowed, scores, scores - (65504.0 if scores.dtype == jnp.float16 else 1e9))
        weights = lowering.softmax(scores, axis=-1)
        if training and self.dropout > 0:
            weights = lowering.dropout(weights, self.dropout, draw_key(self.seed_generator))
        return jnp.matmul(weights, value), weights

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        self._check(inputs, mask)
        if mask is None or mask[0] is None:
            return None
        return mask[0] if isinstance(mask[0], KerasTensor) else jnp.asarray(mask[0])


@registry.register("keras.layers")
class AdditiveAttention(Attention):
    """Additive attention over a list of inputs: scores are `sum(scale * tanh(query + key))` (Bahdanau et al., 2014).

    Args:
        use_scale: whether the terms of the sum have learned weights.
        dropout: fraction of the attention weights to drop in training.
        seed: the seed of the dropout.

    Call arguments and outputs are those of `Attention`.

    Example:

    >>> AdditiveAttention()([jnp.ones((1, 5, 8)), jnp.ones((1, 3, 8))]).shape
    (1, 5, 8)
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any):
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape: Any) -> None:
        self._check(input_shape)
        size = input_shape[0][-1]
        self.scale = self.add_weight((size,), "glorot_uniform", name="scale") if self.use_scale else None

    def _calculate_scores(self, query: jax.Array, key: jax.Array) -> jax.Array:
        terms = jnp.tanh(query[..., :, None, :] + key[..., None, :, :])
        return jnp.sum(terms if self.scale is None else self.scale.value * terms, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {key: value for key, value in super().get_config().items() if key != "score_mode"}
