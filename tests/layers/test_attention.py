"""Attention layers: parity with Keras."""

import json

import jax
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.core.masks import get_mask, set_mask
from tests.layers.parity import make_input, randomize, same_signature

keras = pytest.importorskip("keras")
L = jk.layers

MASK = np.array([[1, 1, 0], [1, 0, 0]], bool)
PADDED = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], bool)
ALLOWED = np.random.default_rng(0).random((2, 4, 3)) > 0.4
Q, V, K = (2, 4, 5), (2, 3, 6), (2, 3, 4)


def same(name, settings, inputs, call=None):
    """Check that weights (names, shapes, order), config, and outputs with copied weights are equal."""
    ours, theirs = getattr(L, name)(**settings, name="it"), getattr(keras.layers, name)(**settings, name="it")
    args, call = [inputs] if isinstance(inputs, list) else inputs, call or {}
    theirs(*args, **call)
    randomize(theirs)
    ours(*args, **call)
    paths = [(w.path, tuple(w.shape)) for w in theirs.weights]
    assert [(w.path, w.shape) for w in ours.weights] == paths
    ours.set_weights(theirs.get_weights())
    config = ours.get_config()
    assert json.loads(json.dumps(config)) == json.loads(json.dumps(theirs.get_config()))
    assert type(ours).from_config(config).get_config() == config
    assert jk.registry.serialize(ours)["class_name"] == keras.saving.serialize_keras_object(theirs)["class_name"]
    for a, b in zip(jax.tree.leaves(ours(*args, **call)), jax.tree.leaves(theirs(*args, **call)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    return ours


@pytest.mark.parametrize("name", ["MultiHeadAttention", "GroupQueryAttention", "Attention", "AdditiveAttention"])
def test_signature(name):
    same_signature(keras, name)


SCORES = {"return_attention_scores": True}
HEADS = {"num_heads": 2, "key_dim": 3}


@pytest.mark.parametrize("settings, shapes, call", [
    ({}, (Q, V), {}),
    ({"dropout": 0.5, "seed": 1}, (Q, V), {"attention_mask": ALLOWED}),
    ({"dropout": 0.5, "seed": 1}, (Q, V), {"attention_mask": ALLOWED[0]}),
    ({"value_dim": 4, "output_shape": 7}, (Q, V), {"value_mask": MASK, **SCORES}),
    ({"output_shape": (3, 4), "kernel_regularizer": "l2"}, (Q, V, K), {"attention_mask": ALLOWED}),
    ({"use_gate": True, "use_bias": False}, (Q, V), {"use_causal_mask": True}),
    ({"use_gate": True}, (Q, V), {"use_causal_mask": True, "value_mask": MASK}),
    ({"sliding_window": 2}, (Q, V, K), {"use_causal_mask": True, **SCORES}),
    ({"flash_attention": False}, (Q, V, K), {"key_mask": MASK, "value_mask": MASK}),
    ({}, ((2, 4, 5, 3), (2, 3, 2, 6)), SCORES),
    ({"attention_axes": (2,)}, ((2, 4, 5, 3), (2, 4, 2, 6)), SCORES),
    ({"attention_axes": -2}, ((2, 4, 5, 3), (2, 4, 2, 6)), {}),
    ({"attention_axes": (1,)}, ((2, 4, 5, 3), (2, 3, 5, 6)), {"attention_mask": ALLOWED, **SCORES}),
], ids=str)  # fmt: skip
def test_multi_head(settings, shapes, call):
    same("MultiHeadAttention", {**HEADS, **settings}, tuple(map(make_input, shapes)), call)


def _subclasses(k):
    """Subclasses that override the steps of multi-head attention, as packages written for Keras do."""

    class Sharp(k.layers.MultiHeadAttention):
        def _masked_softmax(self, attention_scores, attention_mask=None):
            return super()._masked_softmax(3 * attention_scores, attention_mask)

    class Nearest(k.layers.MultiHeadAttention):
        def _compute_attention(
            self, query, key, value, attention_mask=None, training=None, return_attention_scores=False
        ):
            scores = k.ops.einsum(self._dot_product_equation, key, query) * self._key_dim
            weights = self._dropout_layer(self._masked_softmax(scores, attention_mask), training=training)
            return k.ops.einsum(self._combine_equation, weights, value), weights

    class Banded(k.layers.MultiHeadAttention):
        def _compute_attention_mask(self, query, value, **masks):
            return k.ops.logical_not(super()._compute_attention_mask(query, value, **masks))

    class Cached(k.layers.MultiHeadAttention):
        def call(self, query, value, key=None, attention_mask=None):
            y, _ = self._compute_attention(
                query=self._query_dense(query), key=self._key_dense(value), value=self._value_dense(value),
                attention_mask=attention_mask,
            )  # fmt: skip
            return self._output_dense(y) / self._num_heads

    class Shared(k.layers.MultiHeadAttention):
        def build(self, query_shape, value_shape, key_shape=None):
            self._query_dense = self._key_dense = self._value_dense = k.layers.EinsumDense(
                "abc,cde->abde", output_shape=[None, self._num_heads, self._key_dim], bias_axes="de", name="shared",
                **self._get_common_kwargs_for_sublayer(),
            )  # fmt: skip
            self._query_dense.build(query_shape)
            self._build_attention(4)
            self._output_dense = k.layers.EinsumDense(
                "abcd,cde->abe", output_shape=[None, self._output_shape[0]], name="out",
                **self._get_common_kwargs_for_sublayer(),
            )  # fmt: skip
            self._output_dense.build((*query_shape[:2], self._num_heads, self._key_dim))

    return {cls.__name__: cls for cls in (Sharp, Nearest, Banded, Cached, Shared)}


@pytest.mark.parametrize("name, settings, call", [
    ("Sharp", {}, {"attention_mask": ALLOWED, **SCORES}),
    ("Sharp", {"dropout": 0.5}, {"use_causal_mask": True}),
    ("Nearest", {}, {"attention_mask": ALLOWED}),
    ("Nearest", {"dropout": 0.5}, {"use_causal_mask": True}),
    ("Banded", {"sliding_window": 2}, {"value_mask": MASK}),
    ("Cached", {}, {"attention_mask": ALLOWED.astype("int32")}),
    ("Shared", {"output_shape": 4}, {}),
])  # fmt: skip
def test_subclasses_override_the_steps(name, settings, call):
    inputs = make_input(Q), make_input((2, 3, 5))
    theirs, ours = (_subclasses(k)[name](**HEADS, **settings) for k in (keras, jk))
    theirs(*inputs, **call)
    ours(*inputs, **call)
    randomize(theirs)
    ours.set_weights(theirs.get_weights())
    for a, b in zip(jax.tree.leaves(ours(*inputs, **call)), jax.tree.leaves(theirs(*inputs, **call)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("settings", [{}, {"use_gate": True}, {"use_bias": False, "sliding_window": 2}], ids=str)
@pytest.mark.parametrize("call", [{}, {"use_causal_mask": True}, {"attention_mask": ALLOWED, **SCORES}], ids=str)
def test_grouped_query(settings, call):
    inputs = (make_input(Q), make_input((2, 3, 5)))
    heads = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
    same("GroupQueryAttention", {**heads, **settings}, inputs, call)


@pytest.mark.parametrize("name, settings, count", [
    ("MultiHeadAttention", HEADS, 4),
    ("GroupQueryAttention", {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}, 5),  # output twice
], ids=str)  # fmt: skip
def test_activity_regularizer(name, settings, count):
    ours, theirs = getattr(L, name)(**settings, activity_regularizer="l2"), getattr(keras.layers, name)(
        **settings, activity_regularizer="l2"
    )
    q, v = make_input(Q), make_input((2, 3, 5))
    theirs(q, v), ours(q, v)
    ours.set_weights(theirs.get_weights())
    theirs(q, v), ours(q, v)
    assert len(ours.losses) == len(theirs.losses) == count
    np.testing.assert_allclose(sum(ours.losses), sum(theirs.losses), rtol=1e-5)


@pytest.mark.parametrize("name, settings", [
    ("Attention", {}), ("Attention", {"use_scale": True}), ("Attention", {"score_mode": "concat"}),
    ("Attention", {"score_mode": "concat", "use_scale": True}), ("Attention", {"dropout": 0.3, "seed": 2}),
    ("AdditiveAttention", {}), ("AdditiveAttention", {"use_scale": False, "dropout": 0.2}),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("call", [
    {}, SCORES, {"mask": [PADDED, MASK]}, {"mask": [None, MASK], "use_causal_mask": True}, {"use_causal_mask": True},
], ids=["plain", "scores", "masks", "causal and mask", "causal"])  # fmt: skip
def test_list_attention(name, settings, call):
    same(name, settings, [make_input(Q), make_input((2, 3, 5)), make_input((2, 3, 5))], call)
    same(name, settings, [make_input(Q), make_input((2, 3, 5))], call)


def test_input_masks_are_used_and_the_query_mask_is_propagated():
    layer = L.MultiHeadAttention(**HEADS)
    q, v = jax.numpy.asarray(make_input(Q)), jax.numpy.asarray(make_input(V))
    expected = layer(q, v, query_mask=PADDED, value_mask=MASK)
    pairs = PADDED[:, :, None] & MASK[:, None]
    np.testing.assert_allclose(expected, layer(q, v, attention_mask=pairs), atol=1e-6)
    free = layer(q, v)
    set_mask(q, jax.numpy.asarray(PADDED))
    set_mask(v, jax.numpy.asarray(MASK))
    y = layer(q, v)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(get_mask(y), PADDED)
    assert not np.allclose(y, free)


def test_dropout_depends_only_on_the_given_key():
    layer = L.MultiHeadAttention(**HEADS, dropout=0.5)
    q = make_input(Q)
    layer(q, q)
    params, state = layer.params, layer.state
    apply = jax.jit(lambda rng: layer.apply(params, state, q, q, training=True, rng=rng)[0])
    np.testing.assert_array_equal(apply(jax.random.key(0)), apply(jax.random.key(0)))
    assert not np.allclose(apply(jax.random.key(0)), apply(jax.random.key(1)))
    np.testing.assert_array_equal(layer(q, q), layer(q, q, training=False))


def test_projections_have_different_initial_weights():
    layer = L.MultiHeadAttention(2, 4, kernel_initializer="he_normal")
    layer.build((1, 3, 8), (1, 3, 8))
    assert not np.allclose(layer.query_dense.kernel, layer.key_dense.kernel)
    assert set(layer.params) == {"query_dense", "key_dense", "value_dense", "output_dense"}


@pytest.mark.parametrize("make, message", [
    (lambda: L.MultiHeadAttention(0, 3), "num_heads"),
    (lambda: L.MultiHeadAttention(2, 3, sliding_window=0), "sliding_window"),
    (lambda: L.MultiHeadAttention(2, 3, output_shape=8.0), "output_shape"),
    (lambda: L.MultiHeadAttention(2, 3, flash_attention=True, dropout=0.1), "flash attention"),
    (lambda: L.MultiHeadAttention(2, 3, flash_attention=True)(make_input(Q), make_input(V), **SCORES), "scores"),
    (lambda: L.GroupQueryAttention(3, 4, 3), "multiple"),
    (lambda: L.Attention(score_mode="cos"), "score_mode"),
    (lambda: L.Attention()(make_input(Q)), "list"),
    (lambda: L.MultiHeadAttention(2, 3)(make_input(Q), make_input(V), make_input((2, 5, 4))), "last axis"),
])  # fmt: skip
def test_errors_name_the_argument(make, message):
    with pytest.raises(ValueError, match=message):
        make()
