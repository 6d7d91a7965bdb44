"""Attention: multi-head, grouped-query, and the plain forms over lists of inputs."""

from __future__ import annotations

import functools
import math
import string
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering, registry
from jaxkeras.core.seeds import SeedGenerator, draw_key
from jaxkeras.layers.arguments import positive_int, weight_settings
from jaxkeras.layers.base import Layer
from jaxkeras.layers.core import EinsumDense

Mask = jax.Array | None


class _HeadAttention(Layer):
    """What multi-head and grouped-query attention share: projections, masks and the product in between."""

    _prefix = ""  # of the attributes that hold the projections: they are the paths in Keras's files

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
        # Keras hands it to the projections, each of which penalises its own output.
        self._part_regularizer = registry.get("keras.regularizers", activity_regularizer)
        weight_settings(
            self, kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer, bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint, bias_constraint=bias_constraint,
        )  # fmt: skip
        if sliding_window is not None:
            positive_int(sliding_window, "sliding_window", self)
        self.dropout, self.use_bias, self.use_gate, self.seed = dropout, use_bias, use_gate, seed
        self.sliding_window, self._flash_attention = sliding_window, flash_attention
        self.supports_masking = True

    def _add_projection(
        self, role: str, equation: str, sizes: Sequence[int], input_shape: Sequence[int | None], name: str | None = None
    ) -> None:
        """Make the projection that is named after its role, with a bias over the last axes of its output."""
        if role == "output" and self.dropout > 0:  # between them, so that initial weights are those of Keras
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
        dense.supports_masking = True  # masks are dealt with here
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
            # As in Keras on JAX: what may look at nothing gets zeros in these cases, the mean of the values in others.
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
        """All masks as one, `(batch, targets, sources)` or what was given; None if there is none but the causal one."""
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
        """Attention of (batch, time, heads, size), and its weights if `scores`; the mask is (batch, targets, sources),
        is the same for all of the batch, or has heads second."""
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
    """The same initializer without its seed if that was drawn, so that projections do not start alike."""
    return initializer.clone() if hasattr(initializer, "clone") else initializer


def _projection_equation(free: int, bound: int, made: int) -> str:
    """`abc,cde->abde` for free=2 (a, b), bound=1 (c) and made=2 (d, e)."""
    letters = string.ascii_lowercase
    kept, used, new = letters[:free], letters[free : free + bound], letters[free + bound : free + bound + made]
    return f"{kept}{used},{used}{new}->{kept}{new}"


@registry.register("keras.layers")
class MultiHeadAttention(_HeadAttention):
    """Multi-head attention (Vaswani et al., 2017).

    Args:
        num_heads: number of heads.
        key_dim: size of each head of query and key.
        value_dim: size of each head of value; defaults to `key_dim`.
        dropout: share of the attention weights to drop in training.
        use_bias: whether the projections have biases.
        output_shape: size or sizes of the output's last axes; defaults to the last axis of the query.
        attention_axes: axes over which to attend; defaults to all between the first and the last.
        sliding_window: how far apart a target and a source may be, exclusive; None for any distance.
        flash_attention: whether to attend block by block, where nothing is dropped and no scores are returned; see
            `ops.nn.dot_product_attention`.
        kernel_initializer, bias_initializer: how the weights start.
        kernel_regularizer, bias_regularizer: penalties added to the loss.
        activity_regularizer: penalty on the output of each projection.
        kernel_constraint, bias_constraint: applied to the weights after each update.
        use_gate: whether the heads are multiplied by a sigmoid of a projection of the query.
        seed: for the dropout.

    Call arguments: `query` `(batch, targets, features)`, `value` and `key` `(batch, sources, features)` (`key` defaults
    to `value`); `query_mask`, `value_mask`, `key_mask` `(batch, time)`, taken from the inputs where they carry masks;
    `attention_mask` `(batch, targets, sources)`, True where a target may look; `return_attention_scores`; `training`;
    `use_causal_mask`, whether later sources are hidden.

    Returns `(batch, targets, output size)`, and the scores `(batch, heads, targets, sources)` if asked for.

    Example:

    >>> layer = MultiHeadAttention(num_heads=2, key_dim=4)
    >>> layer(jnp.ones((1, 5, 8)), jnp.ones((1, 3, 8))).shape
    (1, 5, 8)
    """

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
        self._output_sizes = (output_shape,) if isinstance(output_shape, int) else output_shape and tuple(output_shape)
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
        sizes = self._output_sizes or (query_shape[-1],)
        equation = _projection_equation(len(query_shape) - 1, 2, len(sizes))
        heads = (*query_shape[:-1], self.num_heads, self.value_dim)
        self._add_projection("output", equation, sizes, heads, name="attention_output")
        self.attention_axes = self._attended(len(query_shape))

    def _attended(self, rank: int) -> tuple[int, ...]:
        """The axes that are attended over, of a query of some rank."""
        return tuple(axis if axis >= 0 else rank + axis for axis in self.attention_axes or range(1, rank - 1))

    def _attend(
        self, query: jax.Array, key: jax.Array, value: jax.Array, mask: Mask, zeros: bool, **options: Any
    ) -> tuple[jax.Array, jax.Array | None]:
        if query.ndim == 4:
            return super()._attend(query, key, value, mask, zeros, **options)
        # Axes that are not attended over join the batch, the others become one: (batch', time, heads, size).
        rank, axes = query.ndim, self._attended(query.ndim - 1)
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
        return {**super().get_config(), "output_shape": self._output_sizes}


@registry.register("keras.layers", "GroupedQueryAttention", name="GroupQueryAttention")
class GroupedQueryAttention(_HeadAttention):
    """Grouped-query attention: several query heads share a key and value head (Ainslie et al., 2023).

    One key and value head is multi-query attention, as many as query heads is multi-head attention.

    Args:
        head_dim: size of each head.
        num_query_heads: number of query heads.
        num_key_value_heads: number of key and value heads; divides `num_query_heads`.
        dropout, use_bias, sliding_window, flash_attention, kernel_initializer, bias_initializer, kernel_regularizer,
            bias_regularizer, kernel_constraint, bias_constraint, use_gate, seed: as in `MultiHeadAttention`.
        activity_regularizer: penalty on the output of each projection and, as in Keras, on that of the layer: the last
            projection counts twice.

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
        self.activity_regularizer = self._part_regularizer  # Keras has it penalise the layer's output as well
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
        heads, shared = (self.num_query_heads, self.head_dim), (self.num_key_value_heads, self.head_dim)
        self._add_projection("query", "bqm,muh->bquh", heads, query_shape)
        self._add_projection("key", "bkm,mvh->bkvh", shared, key_shape)
        if self.use_gate:
            self._add_projection("gate", "bqm,muh->bquh", heads, query_shape)
        self._add_projection("value", "bkm,mvh->bkvh", shared, value_shape)
        made = (*query_shape[:-1], *heads)
        self._add_projection("output", "bquh,uhm->bqm", (query_shape[-1],), made, name="attention_output")


GroupQueryAttention = GroupedQueryAttention


@registry.register("keras.layers")
class Attention(Layer):
    """Dot-product attention over a list of inputs (Luong et al., 2015).

    Args:
        use_scale: whether the scores are multiplied by a weight.
        score_mode: "dot" for `query @ key`, or "concat" for `w * sum(tanh(query + key))`.
        dropout: share of the attention weights to drop in training.
        seed: for the dropout.

    Call arguments: `inputs`, a list `[query, value]` or `[query, value, key]` of `(batch, time, features)`; `mask`, a
    list of their masks `(batch, time)` or None; `return_attention_scores`; `training`; `use_causal_mask`.

    Returns `(batch, targets, features of value)`, and the scores `(batch, targets, sources)` if asked for.

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
            if value is not None and (not isinstance(value, (list, tuple)) or len(value) not in (2, 3)):
                raise ValueError(
                    f"Layer '{self.name}' takes a list [query, value] or [query, value, key] as inputs, and masks "
                    f"likewise; got {what}={value!r}."
                )

    def _scores(self, query: jax.Array, key: jax.Array) -> jax.Array:
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
        scores = self._scores(query, key)
        allowed = None if value_mask is None else value_mask.astype(bool)[..., None, :]
        if use_causal_mask:
            causal = jnp.tril(jnp.ones((1, *scores.shape[-2:]), bool))
            allowed = causal if allowed is None else allowed & causal
        if allowed is not None:
            # 65504 is the largest float16.
            scores = jnp.where(allowed, scores, scores - (65504.0 if scores.dtype == jnp.float16 else 1e9))
        weights = lowering.softmax(scores, axis=-1)
        if training and self.dropout > 0:
            weights = lowering.dropout(weights, self.dropout, draw_key(self.seed_generator))
        output = jnp.matmul(weights, value)
        if query_mask is not None:
            output = jnp.where(query_mask.astype(bool)[..., None], output, 0)
        return (output, weights) if return_attention_scores else output

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        self._check(inputs, previous_mask)
        return previous_mask[0] if previous_mask else None


@registry.register("keras.layers")
class AdditiveAttention(Attention):
    """Additive attention over a list of inputs: scores are `sum(scale * tanh(query + key))` (Bahdanau et al., 2014).

    Args:
        use_scale: whether the terms of the sum have weights.
        dropout: share of the attention weights to drop in training.
        seed: for the dropout.

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

    def _scores(self, query: jax.Array, key: jax.Array) -> jax.Array:
        terms = jnp.tanh(query[..., :, None, :] + key[..., None, :, :])
        return jnp.sum(terms if self.scale is None else self.scale.value * terms, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {key: value for key, value in super().get_config().items() if key != "score_mode"}
