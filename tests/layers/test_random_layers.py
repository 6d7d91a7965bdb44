"""Random layers: new numbers at each call, none outside of training.

Initial weights are those of Keras on JAX, bit for bit. The masks and the noise of dropout layers are not, on purpose:
they come from a hash that is twenty times cheaper (`jaxkeras.lowering.hash_rng`, tested in tests/lowering). The tests
compare with Keras what a mask does: the possible values, which elements share a mask value, and the moments.
"""

import os
import pickle
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk

MASKS = [
    "Dropout(0.4, seed=11)",
    "Dropout(0.4, (None, 1, None), seed=12)",
    "Dropout(1.0, seed=12)",
    "SpatialDropout1D(0.4, seed=13)",
    "AlphaDropout(0.4, seed=16)",
    "AlphaDropout(0.4, (2, 1, 1), seed=17)",
]
NOISES = ["GaussianDropout(0.4, seed=14)", "GaussianNoise(0.4, seed=15)"]
LAYERS = MASKS + NOISES
WEIGHTS = [
    "EinsumDense('abc,cde->abde', (None, 4, 5), kernel_initializer=k.initializers.GlorotUniform(seed=3))",
    "EinsumDense('abc,dc->abd', (None, 4), kernel_initializer=k.initializers.HeNormal(seed=3))",
    "Conv1D(4, 3, kernel_initializer=k.initializers.GlorotUniform(seed=3))",
    "SpectralNormalization(k.layers.Dense(3, kernel_initializer=k.initializers.GlorotUniform(seed=3)))",
]
# Initial weights under a global seed depend on the order in which seeds are drawn.
SEEDED = [
    "SimpleRNN(3)",
    "GRU(3)",
    "Bidirectional(k.layers.LSTM(2))",
    "ConvLSTM1D(2, 1)",
    "MultiHeadAttention(2, 2, dropout=0.1)",
    "GroupQueryAttention(2, 2, 1, dropout=0.1)",
]
PROGRAM = """
def run(k, layers, weights, seeded, x):
    results = {}
    for text in layers:
        layer = eval("k.layers." + text, {"k": k})
        results[text] = [np.asarray(layer(x, training=True)) for _ in range(2)]
    for text in weights:
        layer = eval("k.layers." + text, {"k": k})
        layer.build(x.shape)
        results[text] = [np.asarray(w) for w in layer.get_weights() if w.any()][:1]
    for text in seeded:
        k.utils.set_random_seed(7)
        layer = eval("k.layers." + text, {"k": k})
        layer(*(x, x) if "Attention" in text else (x[..., None],) if "Conv" in text else (x,))
        results[text] = layer.get_weights()
    return results
"""
ORACLE = f"""
import pickle, sys
import numpy as np, keras
{PROGRAM}
arguments = pickle.loads(sys.stdin.buffer.read())
sys.stdout.buffer.write(b"RESULTS" + pickle.dumps(run(keras, *arguments)))
"""
X = np.random.default_rng(0).normal(size=(2, 4, 5)).astype("float32")


@pytest.fixture(scope="module")
def keras_results():
    """Results of the installed Keras on its JAX backend, which needs a separate process."""
    pytest.importorskip("keras")
    done = subprocess.run(
        [sys.executable, "-c", ORACLE],
        input=pickle.dumps((LAYERS, WEIGHTS, SEEDED, X)),
        capture_output=True,
        env={**os.environ, "KERAS_BACKEND": "jax"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr.decode()
    return pickle.loads(done.stdout.split(b"RESULTS", 1)[1])


def ours(text):
    scope: dict = {"np": np}
    exec(PROGRAM, scope)
    return scope["run"](jk, *([text] if text in texts else [] for texts in (LAYERS, WEIGHTS, SEEDED)), X)[text]


@pytest.mark.parametrize("text", WEIGHTS + SEEDED)
def test_same_weights_as_keras(text, keras_results):
    found = ours(text)
    assert found
    for a, b in zip(found, keras_results[text], strict=True):
        np.testing.assert_allclose(a, b, 1e-6, 1e-7)


@pytest.mark.parametrize("text", MASKS)
def test_kept_and_dropped_values_equal_keras(text, keras_results):
    """Each element has one of two values, those of Keras, and masks have the same shape as in Keras."""
    for a, b in zip(ours(text), keras_results[text], strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        dropped = jk.layers.AlphaDropout._floor if "Alpha" in text else 0.0
        rate = float(text.partition("(")[2].rstrip(")").split(",")[0])
        q = 1 - rate
        scale = (q * (1 + rate * dropped**2)) ** -0.5 if "Alpha" in text and q else 1 / q if q else 0.0
        shift = -scale * dropped * rate
        choices = np.stack([scale * X + shift, np.full_like(X, scale * dropped + shift)])
        for y in (a, b):
            np.testing.assert_allclose(np.abs(choices - y).min(0), 0.0, atol=1e-5)
        if q and "(2, 1, 1)" not in text:  # of only two elements both may be dropped
            assert 0.05 < np.isclose(choices[0], a, atol=1e-5).mean() < 0.95
        if "None, 1, None" in text or "Spatial" in text:
            assert all((np.isclose(y, choices[1]) == np.isclose(y, choices[1])[:, :1]).all() for y in (a, b))


@pytest.mark.parametrize("text, mean, deviation", [(NOISES[0], 1.0, np.sqrt(0.4 / 0.6)), (NOISES[1], 1.0, 0.4)])
def test_noise_has_the_documented_moments(text, mean, deviation):
    y = np.asarray(eval("layers." + text, {"layers": jk.layers})(jnp.ones((100, 100)), training=True))
    assert abs(y.mean() - mean) < 4 * deviation / 100 and abs(y.std() - deviation) < 4 * deviation / 141


def test_new_masks_at_each_call_and_equal_masks_for_equal_keys():
    layer = jk.layers.Dropout(0.5, seed=1)
    x = jnp.ones((4, 50))
    assert (layer(x, training=True) != layer(x, training=True)).any()
    np.testing.assert_array_equal(layer(x), x)
    params, state = layer.init(0, x.shape)
    apply = jax.jit(lambda key: layer.apply(params, state, x, training=True, rng=key)[0])
    np.testing.assert_array_equal(apply(jax.random.key(1)), apply(jax.random.key(1)))
    assert (apply(jax.random.key(1)) != apply(jax.random.key(2))).any()


def test_noise_shapes():
    x = jnp.ones((3, 6, 40))
    y = jk.layers.Dropout(0.5, noise_shape=(None, 1, None), seed=1)(x, training=True)
    np.testing.assert_array_equal(y, jnp.broadcast_to(y[:, :1], y.shape))
    y = jk.layers.SpatialDropout2D(0.5, "channels_first", seed=1)(jnp.ones((2, 40, 3, 3)), training=True)
    np.testing.assert_array_equal(y, jnp.broadcast_to(y[:, :, :1, :1], y.shape))


def test_activity_regularization_of_an_empty_batch():
    layer = jk.layers.ActivityRegularization(l1=0.5)
    layer(jnp.ones((0, 2)))
    assert float(layer.losses[0]) == 0.0


def test_activity_regularization():
    layer = jk.layers.ActivityRegularization(l1=0.5, l2=2.0)
    layer(jnp.array([[1.0, -2.0]]))
    assert float(layer.losses[0]) == 0.5 * 3 + 2 * 5
