"""Grouped-query attention."""

from __future__ import annotations

from typing import Any

import jax

from jaxkeras import registry
from jaxkeras.layers._base.arguments import positive_int
from jaxkeras.layers.attention.base import HeadAttention, Mask


@registry.register("keras.layers", "GroupedQueryAttention", name="GroupQueryAttention")
class GroupedQueryAttention(HeadAttention):
    """Grouped-query attention: several query heads share a key and value head (Ainslie et al., 2023).

    One key and value head is multi-query attention, as many as query heads is multi-head attention.

    Args:
        head_dim: size of each head.
        num_query_heads: number of query heads.
        num_key_value_heads: number of key and value heads; divides `num_query_heads`.
        dropout, use_bias, sliding_window, flash_attention, kernel_initializer, bias_initializer, kernel_regularizer,
            bias_regularizer, kernel_constraint, bias_constraint, use_gate, seed: as in `MultiHeadAttention`.
        activity_regularizer: penalty on the output of each projection and, as in Keras, on that of the layer, so that
            the last projection counts twice.

    Call arguments and outputs are those of `MultiHeadAttention`.

    Example:

    >>> layer = GroupedQueryAttention(head_dim=4, num_query_heads=4, num_key_value_heads=2)
    >>> layer(jnp.ones((1, 5, 8)), jnp.ones((1, 3, 8))).shape
    (1, 5, 8)
    """

    _prefix = "_"

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            dropout=dropout, use_bias=use_bias, sliding_window=sliding_window, flash_attention=flash_attention,
            use_gate=use_gate, seed=seed,
            kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer, bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint, bias_constraint=bias_constraint,
            activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip
        self.activity_regularizer = self._activity_regularizer  # As in Keras, it also applies to the layer's output.
        self.head_dim = positive_int(head_dim, "head_dim", self)
        self.num_query_heads = positive_int(num_query_heads, "num_query_heads", self)
        self.num_key_value_heads = positive_int(num_key_value_heads, "num_key_value_heads", self)
        if num_query_heads % num_key_value_heads:
            raise ValueError(
                f"`num_query_heads` of layer '{self.name}' must be a multiple of `num_key_value_heads`; got "
                f"{num_query_heads} and {num_key_value_heads}."
            )

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        key_shape = value_shape if key_shape is None else key_shape
        self._check_sources(value_shape, key_shape)
        heads, shared = (self.num_query_heads, self.head_dim), (self.num_key_value_heads, self.head_dim)
        self._add_projection("query", "bqm,muh->bquh", heads, query_shape)
        self._add_projection("key", "bkm,mvh->bkvh", shared, key_shape)
        if self.use_gate:
            self._add_projection("gate", "bqm,muh->bquh", heads, query_shape)
        self._add_projection("value", "bkm,mvh->bkvh", shared, value_shape)
        made = (*query_shape[:-1], *heads)
        self._add_projection("output", "bquh,uhm->bqm", (query_shape[-1],), made, name="attention_output")

    def _run_attention(
        self, projected: tuple[jax.Array, ...], mask: Mask, training: bool | None, scores: bool, options: dict[str, Any]
    ) -> tuple[jax.Array, jax.Array | None]:
        # As in Keras, whose subclasses need not take `return_attention_scores`.
        options |= {"return_attention_scores": True} if scores else {}
        return self._compute_attention(*projected, attention_mask=mask, training=training, **options)


GroupQueryAttention = GroupedQueryAttention
