"""Multi-head attention."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import registry
from jaxkeras.layers._base.arguments import as_tuple, positive_int
from jaxkeras.layers.attention.base import HeadAttention, Mask, alias
from jaxkeras.layers.core.einsum_dense import EinsumDense


def _projection_equation(free: int, bound: int, made: int) -> str:
    """`abc,cde->abde` for free=2 (a, b), bound=1 (c) and made=2 (d, e)."""
    letters = string.ascii_lowercase
    kept, used, new = letters[:free], letters[free : free + bound], letters[free + bound : free + bound + made]
    return f"{kept}{used},{used}{new}->{kept}{new}"


@registry.register("keras.layers")
class MultiHeadAttention(HeadAttention):
    """Multi-head attention (Vaswani et al., 2017).

    Args:
        num_heads: number of heads.
        key_dim: size of each head of query and key.
        value_dim: size of each head of value; defaults to `key_dim`.
        dropout: fraction of the attention weights to drop in training.
        use_bias: whether the projections have biases.
        output_shape: size or sizes of the output's last axes; defaults to the last axis of the query.
        attention_axes: axes to attend over; defaults to all but the first and the last.
        sliding_window: a target attends to sources less than this far away; None for any distance.
        flash_attention: whether to attend block by block, if nothing is dropped and no scores are returned; see
            `ops.nn.dot_product_attention`.
        kernel_initializer, bias_initializer: initializers of the weights.
        kernel_regularizer, bias_regularizer: penalties added to the loss.
        activity_regularizer: penalty on the output of each projection.
        kernel_constraint, bias_constraint: applied to the weights after each update.
        use_gate: whether to multiply the heads by a sigmoid of a projection of the query.
        seed: the seed of the dropout.

    Call arguments: `query` `(batch, targets, features)`, `value` and `key` `(batch, sources, features)` (`key` defaults
    to `value`); `query_mask`, `value_mask`, `key_mask` `(batch, time)`, taken from the inputs if they have masks;
    `attention_mask` `(batch, targets, sources)`, True where a target may attend to a source;
    `return_attention_scores`; `training`; `use_causal_mask`, whether to mask later sources.

    Returns `(batch, targets, output size)`, and the scores `(batch, heads, targets, sources)` with
    `return_attention_scores`.

    Example:

    >>> layer = MultiHeadAttention(num_heads=2, key_dim=4)
    >>> layer(jnp.ones((1, 5, 8)), jnp.ones((1, 3, 8))).shape
    (1, 5, 8)
    """

    query_dense: EinsumDense
    key_dense: EinsumDense
    value_dense: EinsumDense
    output_dense: EinsumDense

    # The names by which subclasses written for Keras read and set these.
    _query_dense, _key_dense = alias("query_dense"), alias("key_dense")
    _value_dense, _output_dense = alias("value_dense"), alias("output_dense")
    _num_heads, _key_dim, _value_dim = alias("num_heads"), alias("key_dim"), alias("value_dim")
    _attention_axes = alias("attention_axes")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Sequence[int] | None = None,
        attention_axes: int | Sequence[int] | None = None,
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
        self.num_heads = positive_int(num_heads, "num_heads", self)
        self.key_dim = positive_int(key_dim, "key_dim", self)
        self.value_dim = key_dim if value_dim is None else positive_int(value_dim, "value_dim", self)
        self._output_shape = None if output_shape is None else as_tuple(output_shape)
        self.attention_axes = (attention_axes,) if isinstance(attention_axes, int) else attention_axes

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        key_shape = value_shape if key_shape is None else key_shape
        if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            raise ValueError(
                f"`value` and `key` of layer '{self.name}' may differ in their last axis only; got shapes "
                f"{tuple(value_shape)} and {tuple(key_shape)}."
            )
        for role, shape, size in (
            ("query", query_shape, self.key_dim),
            ("key", key_shape, self.key_dim),
            ("gate", query_shape, self.value_dim),
            ("value", value_shape, self.value_dim),
        ):
            if role != "gate" or self.use_gate:
                self._add_projection(role, _projection_equation(len(shape) - 1, 1, 2), (self.num_heads, size), shape)
        sizes = self._output_shape or (query_shape[-1],)
        equation = _projection_equation(len(query_shape) - 1, 2, len(sizes))
        heads = (*query_shape[:-1], self.num_heads, self.value_dim)
        self._add_projection("output", equation, sizes, heads, name="attention_output")

    def _build_attention(self, rank: int) -> None:
        self.attention_axes = self._attended(rank)
        super()._build_attention(rank)

    def _attended(self, rank: int) -> tuple[int, ...]:
        return tuple(axis if axis >= 0 else rank - 1 + axis for axis in self.attention_axes or range(1, rank - 2))

    def _attend(
        self, query: jax.Array, key: jax.Array, value: jax.Array, mask: Mask, zeros: bool, **options: Any
    ) -> tuple[jax.Array, jax.Array | None]:
        if query.ndim == 4:
            return super()._attend(query, key, value, mask, zeros, **options)
        # Merge the attended axes into one and the others into the batch: (batch', time, heads, size).
        rank, axes = query.ndim, self._attended(query.ndim)
        batch = [axis for axis in range(rank - 2) if axis not in axes]
        order = (*batch, *axes, rank - 2, rank - 1)

        def sizes(x: jax.Array, of: Sequence[int]) -> tuple[int, ...]:
            return tuple(x.shape[axis] for axis in of)

        def fold(x: jax.Array) -> jax.Array:
            together = (math.prod(sizes(x, batch)), math.prod(sizes(x, axes)))
            return x.transpose(order).reshape(*together, *x.shape[-2:])

        query4, key4, value4 = fold(query), fold(key), fold(value)
        apart = (*sizes(query, batch), self.num_heads, *sizes(query, axes), *sizes(key, axes))
        if mask is not None:
            pairs = 2 * len(axes)
            lead = (*mask.shape[:-pairs], *(1,) * (len(apart) - mask.ndim))
            mask = jnp.broadcast_to(mask.reshape(*lead, *mask.shape[-pairs:]), apart)
            mask = mask.reshape(len(query4), self.num_heads, query4.shape[1], key4.shape[1])
        output, weights = super()._attend(query4, key4, value4, mask, zeros, **options)
        output = output.reshape(*sizes(query, batch), *sizes(query, axes), *output.shape[-2:])
        output = jnp.transpose(output, [order.index(axis) for axis in range(rank)])
        return output, None if weights is None else weights.reshape(apart)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "output_shape": self._output_shape}
