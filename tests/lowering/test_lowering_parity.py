"""Outputs of the public functions compared with Keras."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeras import lowering

keras = pytest.importorskip("keras")
RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape).astype("float32")


def close(ours, theirs, tolerance=2e-5):
    theirs = np.asarray(theirs)
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=tolerance, atol=tolerance)


def flip_format(x):
    return np.moveaxis(x, -1, 1)


CONVS = [
    # spatial, kernel, options
    ((9,), (3, 4, 5), {}),
    ((9,), (3, 4, 5), {"padding": "same", "strides": 2}),
    ((9,), (3, 4, 5), {"padding": "same", "dilation_rate": 2}),
    ((8, 7), (3, 3, 4, 5), {}),
    ((8, 7), (3, 2, 4, 5), {"padding": "same", "strides": (2, 1)}),
    ((8, 7), (1, 1, 4, 5), {}),
    ((8, 7), (1, 1, 4, 5), {"strides": 2}),
    ((8, 7), (3, 3, 2, 6), {"padding": "same"}),
    ((8, 7), (3, 3, 1, 8), {"padding": "same"}),
    ((8, 7), (3, 3, 4, 5), {"dilation_rate": (2, 1)}),
    ((5, 6, 4), (2, 3, 2, 4, 3), {"padding": "same"}),
    ((5, 6, 4), (2, 3, 2, 2, 4), {"strides": 2}),
]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("spatial, kernel, options", CONVS)
def test_conv(spatial, kernel, options, data_format):
    x, kernel = normal(2, *spatial, 4), normal(*kernel)
    x = x if data_format == "channels_last" else flip_format(x)
    options = options | {"data_format": data_format}
    close(lowering.conv(x, kernel, **options), keras.ops.conv(x, kernel, **options))


def test_causal_and_explicit_padding():
    x, kernel = normal(2, 9, 4), normal(3, 4, 5)
    theirs = keras.ops.conv(np.pad(x, ((0, 0), (4, 0), (0, 0))), kernel, dilation_rate=2)
    close(lowering.conv(x, kernel, padding="causal", dilation_rate=2), theirs)
    close(lowering.conv(x, kernel, padding=[(4, 0)], dilation_rate=2), theirs)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize(
    "spatial, options",
    [((9,), {"padding": "same"}), ((8, 7), {}), ((8, 7), {"padding": "same", "strides": 2})]
    + [((8, 7), {"dilation_rate": 2})],
)
def test_depthwise_and_separable(spatial, options, multiplier, data_format):
    x, window = normal(2, *spatial, 4), (3,) * len(spatial)
    x = x if data_format == "channels_last" else flip_format(x)
    options = options | {"data_format": data_format}
    depthwise = normal(*window, 4, multiplier)
    pointwise = normal(*(1,) * len(spatial), 4 * multiplier, 5)
    close(lowering.depthwise_conv(x, depthwise, **options), keras.ops.depthwise_conv(x, depthwise, **options))
    theirs = keras.ops.separable_conv(x, depthwise, pointwise, **options)
    close(lowering.separable_conv(x, depthwise, pointwise, **options), theirs, 1e-4)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    "spatial, window, options",
    [
        ((5,), (3,), {"strides": 2}),
        ((5,), (3,), {"strides": 3, "output_padding": 1}),
        ((5,), (2,), {"strides": 3}),
        ((5, 4), (3, 3), {}),
        ((5, 4), (3, 2), {"strides": 2}),
        ((5, 4), (4, 4), {"strides": 2}),
        ((5, 4), (3, 3), {"dilation_rate": 2}),
        ((3, 4, 2), (2, 3, 2), {"strides": 2}),
    ],
)
def test_conv_transpose(spatial, window, options, padding, data_format):
    x, kernel = normal(2, *spatial, 4), normal(*window, 3, 4)
    x = x if data_format == "channels_last" else flip_format(x)
    options = options | {"data_format": data_format, "padding": padding}
    close(lowering.conv_transpose(x, kernel, **options), keras.ops.conv_transpose(x, kernel, **options))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    "spatial, size, strides",
    [((9,), 2, None), ((9,), 3, 2), ((8, 6), 2, None), ((9, 7), 2, None), ((9, 7), 3, 2), ((8, 6), (2, 3), (1, 2))]
    + [((5, 4, 6), 2, None), ((8, 6), 1, 2), ((8, 6), 2, 3)],
)
@pytest.mark.parametrize("name", ["max_pool", "average_pool"])
def test_pool(name, spatial, size, strides, padding, data_format):
    x = normal(2, *spatial, 3)
    x = x if data_format == "channels_last" else flip_format(x)
    theirs = getattr(keras.ops, name)(x, size, strides or size, padding, data_format)
    close(getattr(lowering, name)(x, size, strides, padding, data_format), theirs)


@pytest.mark.parametrize("axes, keepdims", [((0,), False), ((0, 1, 2), True), ((1, 2), False), (-1, True)])
@pytest.mark.parametrize("dtype, tolerance", [("float32", 2e-5), ("float16", 2e-3)])
def test_batch_moments(axes, keepdims, dtype, tolerance):
    x = (normal(4, 3, 5, 6) * 2 + 7).astype(dtype)
    for ours, theirs in zip(lowering.batch_moments(x, axes, keepdims), keras.ops.moments(x, axes, keepdims)):
        close(ours, theirs, tolerance)


def test_batch_moments_with_mask():
    x, mask = normal(4, 5, 3), RNG.random((4, 5)) > 0.4
    mean, variance = lowering.batch_moments(x, (0, 1), mask=mask)
    close(mean, x[mask].mean(0))
    close(variance, x[mask].var(0))
    mean, variance = lowering.batch_moments(x, (0, 1), mask=np.zeros((4, 5), bool))
    assert not np.any(mean) and not np.any(variance)


@pytest.mark.parametrize("axis, shape", [(-1, (6,)), ((1, 2), (3, 6)), (1, (3,))])
def test_layer_norm(axis, shape):
    x, gamma, beta = normal(4, 3, 6) * 3 + 2, normal(*shape), normal(*shape)
    ours = lowering.layer_norm(x, gamma, beta, axis, 1e-3)
    reduced = [a % 3 for a in ((axis,) if isinstance(axis, int) else axis)]
    full = [n if a in reduced else 1 for a, n in enumerate(x.shape)]
    mean, std = x.mean(tuple(reduced), keepdims=True), np.sqrt(x.var(tuple(reduced), keepdims=True) + 1e-3)
    close(ours, (x - mean) / std * gamma.reshape(full) + beta.reshape(full))
    close(lowering.layer_norm(x, epsilon=1e-3), keras.layers.LayerNormalization(center=False, scale=False)(x))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("with_mask", [False, True])
def test_attention(causal, with_mask):
    query, key, value = normal(2, 5, 4, 8), normal(2, 5, 4, 8), normal(2, 5, 4, 8)
    mask, bias = (RNG.random((2, 1, 5, 5)) > 0.3 if with_mask else None), normal(2, 4, 5, 5)
    ours = lowering.dot_product_attention(query, key, value, bias, mask, is_causal=causal)
    theirs = jax.nn.dot_product_attention(
        jnp.asarray(query), jnp.asarray(key), jnp.asarray(value), bias, mask, is_causal=causal
    )
    close(ours, theirs)


def test_attention_in_blocks(monkeypatch):
    from jaxkeras.lowering import flash

    monkeypatch.setattr(flash, "BLOCK", 4)
    query, key, value = normal(2, 10, 3, 4), normal(2, 6, 3, 4), normal(2, 6, 3, 5)
    bias, mask, query_mask = normal(3, 10, 6), RNG.random((2, 1, 1, 6)) < 0.7, RNG.random((2, 10)) < 0.7

    def total(flash, query, bias):
        options = {"is_causal": True, "flash": flash, "query_mask": query_mask}
        y = lowering.dot_product_attention(query, key, value, bias, mask, **options)
        return jnp.sum(jnp.sin(y)), y

    (_, plain), plain_gradients = jax.value_and_grad(total, (1, 2), has_aux=True)(False, query, bias)
    (_, blocks), gradients = jax.value_and_grad(total, (1, 2), has_aux=True)(True, query, bias)
    close(blocks, plain)
    jax.tree.map(close, gradients, plain_gradients)


def test_attention_with_fewer_key_heads_scores_and_dropout():
    query, key, value = normal(2, 5, 4, 8), normal(2, 6, 2, 8), normal(2, 6, 2, 8)
    ours, scores = lowering.dot_product_attention(query, key, value, return_scores=True)
    close(ours, jax.nn.dot_product_attention(jnp.asarray(query), jnp.asarray(key), jnp.asarray(value)))
    np.testing.assert_allclose(scores.sum(-1), 1.0, rtol=1e-5)
    dropped, kept = lowering.dot_product_attention(
        query, key, value, dropout_rate=0.5, dropout_key=jax.random.key(0), return_scores=True
    )
    close(kept, scores)
    assert not np.allclose(dropped, ours)


def test_dense_and_softmax():
    x, kernel = normal(2, 3, 4), normal(4, 5)
    close(lowering.dense(x, kernel), x @ kernel)
    close(lowering.softmax(x, axis=1), keras.ops.softmax(x, axis=1))


def layer_weights(layer):
    cell = layer.cell
    return [np.asarray(w) for w in (cell.kernel, cell.recurrent_kernel)], np.asarray(cell.bias)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "GRU-before", "SimpleRNN"])
def test_recurrent(kind, activation, masked):
    x, mask = normal(3, 6, 4), np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 1, 0, 1, 1, 0]], bool)
    options = {"reset_after": kind == "GRU"} if kind.startswith("GRU") else {}
    layer = getattr(keras.layers, kind.split("-")[0])(
        5, activation=activation, return_sequences=True, return_state=True, bias_initializer="normal", **options
    )
    theirs, *their_states = layer(x, mask=mask if masked else None)
    (kernel, recurrent), bias = layer_weights(layer)
    bias, recurrent_bias = (bias[0], bias[1]) if kind == "GRU" else (bias, None)
    gates = np.swapaxes(x, 0, 1) @ kernel + bias
    options = {"activation": activation, "mask": mask.T if masked else None}
    zero = np.zeros((3, 5), "float32")
    if kind == "LSTM":
        sequence, states = lowering.lstm_sequence(gates, zero, zero, recurrent, **options)
    elif kind == "SimpleRNN":
        sequence, states = lowering.simple_rnn_sequence(gates, zero, recurrent, **options)
    else:
        sequence, states = lowering.gru_sequence(
            gates, zero, recurrent, recurrent_bias, reset_after=kind == "GRU", **options
        )
    close(np.swapaxes(sequence, 0, 1), theirs, 1e-5)
    for ours, their in zip(states, their_states):
        close(ours, their, 1e-5)


def test_zero_output_for_mask():
    gates, zero, mask = normal(3, 2, 4), np.zeros((2, 1), "float32"), np.array([[1, 1], [0, 1], [1, 0]], bool)
    recurrent = normal(1, 4)
    sequence, _ = lowering.lstm_sequence(gates, zero, zero, recurrent, mask=mask, zero_output_for_mask=True)
    assert np.array_equal(np.asarray(sequence)[..., 0] != 0, mask)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: lowering.conv(jnp.ones((1, 5, 4)), jnp.ones((3, 3, 2))), "input channels"),
        (lambda: lowering.conv(jnp.ones((1, 2, 4)), jnp.ones((3, 4, 2))), "empty output"),
        (lambda: lowering.conv(jnp.ones((1, 5, 4)), jnp.ones((3, 4, 2)), padding="full"), "padding"),
        (lambda: lowering.depthwise_conv(jnp.ones((1, 5, 4)), jnp.ones((3, 3, 1))), "next to last"),
        (lambda: lowering.conv_transpose(jnp.ones((1, 5, 4)), jnp.ones((3, 4, 2))), "channels last"),
        (lambda: lowering.max_pool(jnp.ones((1, 5, 4)), (2, 2)), "pool_size"),
        (lambda: lowering.max_pool(jnp.ones((1, 5, 4)), 2, data_format="NHWC"), "data_format"),
        (lambda: lowering.dense(jnp.ones((1, 5)), jnp.ones((4, 2))), "inputs"),
        (lambda: lowering.dropout_mask(jax.random.key(0), (3,), 1.0), "share"),
        (lambda: lowering.lstm_sequence(*[jnp.ones((3, 2, 4))] * 3, jnp.ones((2, 8))), "4 \\* units"),
    ],
)
def test_invalid_arguments_raise(call, message):
    with pytest.raises(ValueError, match=message):
        call()
