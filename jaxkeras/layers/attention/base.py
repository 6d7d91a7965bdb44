"""The base class of multi-head attention."""

from __future__ import annotations

import functools
import math
import string
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import constraints, initializers, lowering, registry, regularizers
from jaxkeras.core.config import is_flash_attention_enabled
from jaxkeras.core.context import local
from jaxkeras.core.seeds import draw_key
from jaxkeras.layers._base.arguments import positive_int
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.core.activation import Softmax
from jaxkeras.layers.core.einsum_dense import EinsumDense
from jaxkeras.layers.regularization.dropout import Dropout

Mask = jax.Array | None


def alias(name: str) -> Any:
    """A property that reads and sets another attribute."""
    return property(lambda self: getattr(self, name), lambda self, value: setattr(self, name, value))


def attention_equations(rank: int, axes: Sequence[int]) -> tuple[str, str]:
    """The einsum equations of attention between arrays `(..., heads, size)`.

    Args:
        rank: the number of their axes.
        axes: the axes that are attended over.

    Returns:
        The equation for the scores of key and query, and the one for the sum of the values weighted by the scores.
    """
    target, fresh = string.ascii_lowercase[:rank], iter(string.ascii_lowercase[rank:])
    source = "".join(next(fresh) if axis in axes else letter for axis, letter in enumerate(target))
    shared = "".join(letter for axis, letter in enumerate(target[:-1]) if axis not in axes)
    scores = shared + "".join(x[axis] for x in (target, source) for axis in axes)
    return f"{source},{target}->{scores}", f"{scores},{source}->{target}"


class HeadAttention(Layer):
    """The base of multi-head and grouped-query attention: projections, masks and the attention between them.

    Subclasses may override the steps of `call` under the names that Keras has for them: `_compute_attention_mask`,
    `_compute_attention`, `_masked_softmax`.
    """

    _prefix = ""  # of the attribute names of the projections, which are the paths in Keras's files
    _gate_dense: EinsumDense
    _softmax: Any
    _dropout_layer: Dropout
    attention_axes: Any

    # The names by which subclasses written for Keras read and set the settings.
    _dropout, _use_bias, _use_gate = alias("dropout"), alias("use_bias"), alias("use_gate")
    _kernel_initializer, _bias_initializer = alias("kernel_initializer"), alias("bias_initializer")
    _kernel_regularizer, _bias_regularizer = alias("kernel_regularizer"), alias("bias_regularizer")
    _kernel_constraint, _bias_constraint = alias("kernel_constraint"), alias("bias_constraint")
    _sliding_window = alias("sliding_window")

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
        self._activity_regularizer = registry.get("keras.regularizers", activity_regularizer)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        if sliding_window is not None:
            positive_int(sliding_window, "sliding_window", self)
        self.dropout, self.use_bias, self.use_gate, self.seed = dropout, use_bias, use_gate, seed
        self.sliding_window: Any = sliding_window
        self._flash_attention = is_flash_attention_enabled() if flash_attention is None else flash_attention
        if self._flash_attention and dropout > 0:
            raise ValueError(
                f"Layer '{self.name}' has dropout={dropout}, but flash attention, which attends block by block, has no "
                "weights to drop. Set dropout=0.0 or flash_attention=False."
            )
        self.supports_masking = True

    def _check_sources(self, value_shape: Sequence[int | None], key_shape: Sequence[int | None]) -> None:
        if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            raise ValueError(
                f"`value` and `key` of layer '{self.name}' may differ in their last axis only; got shapes "
                f"{tuple(value_shape)} and {tuple(key_shape)}."
            )

    def _add_projection(
        self, role: str, equation: str, sizes: Sequence[int], input_shape: Sequence[int | None], name: str | None = None
    ) -> None:
        """Add the query, key, value, gate or output projection, with a bias over the last axes of its output."""
        if role == "output":  # in this order, random initial weights equal those of Keras
            self._build_attention(len(input_shape))
        target = equation.rsplit(">", 1)[1]
        unknown = [None] * (len(target) - 1 - len(sizes))
        dense = EinsumDense(
            equation, [*unknown, *sizes], bias_axes=target[-len(sizes) :] if self.use_bias else None,
            activation="sigmoid" if role == "gate" else None, name=name or role,
            **self._get_common_kwargs_for_sublayer(),
        )  # fmt: skip
        dense.supports_masking = True  # this layer applies the masks
        setattr(self, "_gate_dense" if role == "gate" else f"{self._prefix}{role}_dense", dense)
        dense.build(input_shape)

    def _get_common_kwargs_for_sublayer(self) -> dict[str, Any]:
        return {
            "kernel_initializer": _another(self.kernel_initializer),
            "bias_initializer": _another(self.bias_initializer),
            "kernel_regularizer": self.kernel_regularizer, "bias_regularizer": self.bias_regularizer,
            "kernel_constraint": self.kernel_constraint, "bias_constraint": self.bias_constraint,
            "activity_regularizer": self._activity_regularizer, "dtype": self.dtype_policy,
        }  # fmt: skip

    def _build_attention(self, rank: int) -> None:
        """Set what the attention between projections with `rank` axes needs."""
        self._dot_product_equation, self._combine_equation = attention_equations(rank, self._attended(rank))
        self._softmax = Softmax(axis=tuple(range(-len(self._attended(rank)), 0)), dtype=self.dtype_policy)
        self._dropout_layer = Dropout(self.dropout, seed=self.seed, dtype=self.dtype_policy)

    def _attended(self, rank: int) -> tuple[int, ...]:
        """The non-negative axes to attend over, for projections with `rank` axes."""
        return (1,)

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
        others = query_mask, value_mask, key_mask, attention_mask, self.sliding_window
        own = type(self)._compute_attention is HeadAttention._compute_attention
        only_causal = use_causal_mask and own and all(m is None for m in others)
        # The mask of the targets stays apart, so that masks of padding are not spread over all pairs.
        own_mask = type(self)._compute_attention_mask is HeadAttention._compute_attention_mask
        apart = query_mask is not None and own and own_mask
        mask = self._compute_attention_mask(
            query, value, query_mask=None if apart else query_mask, value_mask=value_mask, key_mask=key_mask,
            attention_mask=attention_mask, use_causal_mask=use_causal_mask and not only_causal,
        )  # fmt: skip
        project_query, project_key, project_value, project_output = self._projections()
        projected: Any = project_query(query), project_key(key), project_value(value)
        if type(self)._compute_attention is not HeadAttention._compute_attention:
            projected = _with_equal_heads(*projected)
        # Subclasses may have the signatures of earlier versions, without the last arguments.
        options: dict[str, Any] = {"use_causal_mask": True} if only_causal else {}
        options |= {"query_mask": query_mask} if apart else {}
        output, scores = self._run_attention(projected, mask, training, return_attention_scores, options)
        if self.use_gate:
            output = output * self._gate_dense(query)
        output = project_output(output)
        return (output, scores) if return_attention_scores else output

    def _run_attention(
        self, projected: tuple[Any, Any, Any], mask: Mask, training: bool | None, scores: bool, options: dict[str, Any]
    ) -> tuple[jax.Array, jax.Array | None]:
        return self._compute_attention(*projected, mask, training, scores, **options)

    def _compute_attention_mask(
        self,
        query: jax.Array,
        value: jax.Array,
        query_mask: Mask = None,
        value_mask: Mask = None,
        key_mask: Mask = None,
        attention_mask: Mask = None,
        use_causal_mask: bool = False,
    ) -> Mask:
        """All masks combined, `(batch, targets, sources)` or as given; None if there are none."""
        masks = [None if attention_mask is None else attention_mask.astype(bool)]
        masks += [None if query_mask is None else query_mask.astype(bool)[:, :, None]]
        masks += [None if m is None else m.astype(bool)[:, None, :] for m in (value_mask, key_mask)]
        if self.sliding_window is not None:
            masks.append(self._compute_sliding_window_mask(query, value))
        if use_causal_mask:
            masks.append(self._compute_causal_mask(query, value))
        present = [mask for mask in masks if mask is not None]
        return functools.reduce(jnp.logical_and, present) if present else None

    def _compute_causal_mask(self, query: jax.Array, value: jax.Array | None = None) -> jax.Array:
        """`(1, targets, sources)`, True for the sources up to the target."""
        return jnp.tril(jnp.ones((1, query.shape[1], (query if value is None else value).shape[1]), bool))

    def _compute_sliding_window_mask(self, query: jax.Array, value: jax.Array | None = None) -> jax.Array:
        """`(1, targets, sources)`, True for the sources less than the window away from the target."""
        targets, sources = query.shape[1], (query if value is None else value).shape[1]
        distance = jnp.abs(jnp.arange(targets)[:, None] - jnp.arange(sources))
        return (distance < self.sliding_window)[None]

    def _masked_softmax(self, attention_scores: jax.Array, attention_mask: Mask = None) -> jax.Array:
        """The weights of the sources; the mask lacks the heads, and perhaps axes of the batch."""
        if attention_mask is not None:
            missing = attention_scores.ndim - attention_mask.ndim
            axis = attention_mask.ndim - 2 * len(self._softmax.axis)
            attention_mask = jnp.expand_dims(attention_mask, tuple(range(axis, axis + missing)))
        return self._softmax(attention_scores, mask=attention_mask)

    def _compute_attention(
        self,
        query: jax.Array,
        key: jax.Array,
        value: jax.Array,
        attention_mask: Mask = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
        query_mask: Mask = None,
    ) -> tuple[jax.Array, jax.Array | None]:
        """Attention between projected arrays, and its weights with `return_attention_scores`.

        Args:
            query, key, value: `(batch, ..., heads, size)`.
            attention_mask: `(batch, targets, sources)`, True where a target may attend to a source.
            training: whether to drop weights.
            return_attention_scores: whether to return the weights too.
            use_causal_mask: whether to mask later sources as well.
            query_mask: `(batch, targets)`, False for a target that may attend to none.
        """
        if self._flash_attention and return_attention_scores:
            raise ValueError(
                f"Layer '{self.name}' cannot return attention scores: flash attention, which attends block by block, "
                "does not compute them. Set flash_attention=False."
            )
        training = local.training if training is None else training
        attention_mask = None if attention_mask is None else jnp.asarray(attention_mask, bool)
        # As in Keras on JAX: a target without any source gets zeros in these cases, else the mean of the values.
        by_scores = self.dropout > 0 or return_attention_scores or query.ndim != 4
        query_mask = None if query_mask is None else jnp.asarray(query_mask, bool)
        if by_scores and query_mask is not None:
            targets = query_mask[:, :, None]
            attention_mask = targets if attention_mask is None else jnp.logical_and(attention_mask, targets)
            query_mask = None
        if by_scores and type(self)._masked_softmax is not HeadAttention._masked_softmax:
            return self._attend_by_scores(query, key, value, attention_mask, training, use_causal_mask)
        if use_causal_mask and attention_mask is not None:
            attention_mask = jnp.logical_and(attention_mask, self._compute_causal_mask(query, value))
        drops = bool(training) and self.dropout > 0
        return self._attend(
            query, key, value, attention_mask, is_causal=use_causal_mask and attention_mask is None,
            dropout_rate=self.dropout if drops else 0.0,
            dropout_key=draw_key(self._dropout_layer.seed_generator) if drops else None,
            zeros=by_scores, scores=return_attention_scores, query_mask=query_mask,
        )  # fmt: skip

    def _attend_by_scores(
        self, query: jax.Array, key: jax.Array, value: jax.Array, mask: Mask, training: bool | None, causal: bool
    ) -> tuple[jax.Array, jax.Array]:
        """Attention in separate steps, for a subclass with a softmax of its own."""
        if causal:
            later = self._compute_causal_mask(query, value)
            mask = later if mask is None else jnp.logical_and(mask, later)
        query, key, value = _with_equal_heads(query, key, value)
        scores = jnp.einsum(self._dot_product_equation, key, query / math.sqrt(query.shape[-1]))
        weights = self._masked_softmax(scores, mask)
        dropped = self._dropout_layer(weights, training=training)
        return jnp.einsum(self._combine_equation, dropped, value), weights

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
        return {**super().get_config(), "activity_regularizer": registry.serialize(self._activity_regularizer)}


def _with_equal_heads(query: jax.Array, key: jax.Array, value: jax.Array) -> tuple[jax.Array, ...]:
    """Repeat the heads of key and value for each query head."""
    repeats = query.shape[-2] // key.shape[-2]
    return (query, *(x if repeats == 1 else jnp.repeat(x, repeats, axis=-2) for x in (key, value)))


def _another(initializer: Any) -> Any:
    """A copy of an initializer, with a new seed unless the user gave one, so that projections differ initially."""
    return initializer.clone() if hasattr(initializer, "clone") else initializer
