"""The base class of multi-head attention."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import constraints, initializers, lowering, registry, regularizers
from jaxkeras.core.seeds import SeedGenerator, draw_key
from jaxkeras.layers._base.arguments import positive_int
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.core.einsum_dense import EinsumDense

Mask = jax.Array | None


class HeadAttention(Layer):
    """The base of multi-head and grouped-query attention: projections, masks and the attention between them."""

    _prefix = ""  # of the attribute names of the projections, which are the paths in Keras's files
    _gate_dense: EinsumDense

    def __init__(
        self,
        dropout: float,
        use_bias: bool,
        sliding_window: int | None,
        flash_attention: bool | None,
        use_gate: bool,
        seed: int | None,
        kernel_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        bias_regularizer: Any,
        kernel_constraint: Any,
        bias_constraint: Any,
        activity_regularizer: Any,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        # As in Keras, the penalty applies to the output of each projection.
        self._part_regularizer = registry.get("keras.regularizers", activity_regularizer)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        if sliding_window is not None:
            positive_int(sliding_window, "sliding_window", self)
        self.dropout, self.use_bias, self.use_gate, self.seed = dropout, use_bias, use_gate, seed
        self.sliding_window, self._flash_attention = sliding_window, flash_attention
        self.supports_masking = True

    def _add_projection(
        self, role: str, equation: str, sizes: Sequence[int], input_shape: Sequence[int | None], name: str | None = None
    ) -> None:
        """Add the query, key, value, gate or output projection, with a bias over the last axes of its output."""
        if role == "output" and self.dropout > 0:  # drawn in this order, initial weights equal those of Keras
            self.seed_generator = SeedGenerator(self.seed)
        target = equation.rsplit(">", 1)[1]
        unknown = [None] * (len(target) - 1 - len(sizes))
        dense = EinsumDense(
            equation, [*unknown, *sizes], bias_axes=target[-len(sizes) :] if self.use_bias else None,
            activation="sigmoid" if role == "gate" else None, name=name or role, dtype=self.dtype_policy,
            kernel_initializer=_another(self.kernel_initializer), bias_initializer=_another(self.bias_initializer),
            kernel_regularizer=self.kernel_regularizer, bias_regularizer=self.bias_regularizer,
            kernel_constraint=self.kernel_constraint, bias_constraint=self.bias_constraint,
            activity_regularizer=self._part_regularizer,
        )  # fmt: skip
        dense.supports_masking = True  # this layer applies the masks
        setattr(self, "_gate_dense" if role == "gate" else f"{self._prefix}{role}_dense", dense)
        dense.build(input_shape)

    def _projections(self) -> tuple[EinsumDense, ...]:
        return tuple(getattr(self, f"{self._prefix}{role}_dense") for role in ("query", "key", "value", "output"))

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        raise NotImplementedError

    def call(
        self,
        query: jax.Array,
        value: jax.Array,
        key: jax.Array | None = None,
        query_mask: Mask = None,
        value_mask: Mask = None,
        key_mask: Mask = None,
        attention_mask: Mask = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        key = value if key is None else key
        mask = self._mask(
            query_mask, value_mask, key_mask, attention_mask, query.shape[1], value.shape[1], use_causal_mask
        )
        project_query, project_key, project_value, project_output = self._projections()
        output, scores = self._attend(
            project_query(query), project_key(key), project_value(value), mask,
            is_causal=use_causal_mask and mask is None,
            dropout_rate=self.dropout if training else 0.0,
            dropout_key=draw_key(self.seed_generator) if training and self.dropout > 0 else None,
            # As in Keras on JAX: a target without any source gets zeros in these cases, else the mean of the values.
            zeros=self.dropout > 0 or return_attention_scores or query.ndim > 3,
            scores=return_attention_scores,
        )  # fmt: skip
        if self.use_gate:
            output = output * self._gate_dense(query)
        output = project_output(output)
        return (output, scores) if return_attention_scores else output

    def _mask(
        self,
        query_mask: Mask,
        value_mask: Mask,
        key_mask: Mask,
        attention_mask: Mask,
        targets: int,
        sources: int,
        causal: bool,
    ) -> Mask:
        """All masks combined, `(batch, targets, sources)` or as given; None if there is at most a causal one."""
        masks = [None if attention_mask is None else attention_mask.astype(bool)]
        masks += [None if query_mask is None else query_mask.astype(bool)[:, :, None]]
        masks += [None if m is None else m.astype(bool)[:, None, :] for m in (value_mask, key_mask)]
        if self.sliding_window is not None:
            distance = jnp.abs(jnp.arange(targets)[:, None] - jnp.arange(sources))
            masks.append((distance < self.sliding_window)[None])
        present = [mask for mask in masks if mask is not None]
        if present and causal:
            present.append(jnp.tril(jnp.ones((1, targets, sources), bool)))
        return functools.reduce(jnp.logical_and, present) if present else None

    def _attend(
        self,
        query: jax.Array,
        key: jax.Array,
        value: jax.Array,
        mask: Mask,
        zeros: bool,
        scores: bool = False,
        **options: Any,
    ) -> tuple[jax.Array, jax.Array | None]:
        """Attention over arrays (batch, time, heads, size), and its weights if `scores`.

        The mask is (targets, sources), (batch, targets, sources) or (batch, heads, targets, sources).
        """
        if mask is not None and mask.ndim < 4:
            mask = mask[None, None] if mask.ndim == 2 else mask[:, None]
        result: Any = lowering.dot_product_attention(
            query, key, value, mask=mask, return_scores=scores, flash=self._flash_attention, **options
        )
        output, weights = result if scores else (result, None)
        if zeros and mask is not None:
            some = jnp.any(mask, axis=-1, keepdims=True)
            output = jnp.where(jnp.swapaxes(some, 1, 2), output, 0)
            weights = None if weights is None else jnp.where(some, weights, 0)
        return output, weights

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activity_regularizer": registry.serialize(self._part_regularizer)}


def _another(initializer: Any) -> Any:
    """A copy of an initializer, with a new seed unless the user gave one, so that projections differ initially."""
    return initializer.clone() if hasattr(initializer, "clone") else initializer
