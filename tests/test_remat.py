"""`RematScope`: equal results with fewer stored activations."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk

X = np.random.default_rng(0).normal(size=(8, 6)).astype("float32")
Y = X[:, :1]


class Block(jk.layers.Layer):
    """A nested layer with dropout, batch statistics, a loss and a mask."""

    def __init__(self):
        super().__init__(name="block")
        self.inner = jk.layers.Dense(6, activation="gelu", name="inner")
        self.norm = jk.layers.BatchNormalization(name="norm")
        self.drop = jk.layers.Dropout(0.5, name="drop")
        self.supports_masking = True

    def call(self, x, training=False):
        y = self.drop(self.norm(self.inner(x), training=training), training=training)
        self.add_loss(0.01 * jnp.mean(y * y))
        return x + y


def model(mode="full", **settings):
    jk.utils.set_random_seed(0)
    with jk.RematScope(mode, **settings):
        layers = [jk.Input((6,)), jk.layers.Dense(6, activation="tanh", name="first"), Block(), jk.layers.Dense(1)]
        m = jk.Sequential(layers)
    m.compile(jk.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return m


def remats(m):
    """The number of remat operations in a gradient of the model."""
    params, state = m.params, m.state

    def loss(params):
        return jnp.sum(m.apply(params, state, X, training=True)[0])

    return len(re.findall(r"\b(?:remat2|checkpoint)\[", str(jax.make_jaxpr(jax.grad(loss))(params))))


MODES = [
    ("full", {}, 3),
    ("list_of_layers", {"layer_names": ["block"]}, 1),
    ("list_of_layers", {"layer_names": ["drop", "norm", "none"]}, 2),
    ("larger_than", {"output_size_threshold": 40}, 2),
    ("larger_than", {"output_size_threshold": 48}, 0),
    ("activations", {}, 3),
    (None, {}, 0),
]


@pytest.mark.parametrize("mode, settings, expected", MODES)
def test_which_layers_are_rematerialized(mode, settings, expected):
    assert remats(model(mode, **settings)) == expected


@pytest.mark.parametrize("mode, settings, _", MODES[:2] + MODES[3:4] + MODES[5:6])
def test_training_is_unaffected(mode, settings, _):
    results = []
    for which, how in ((None, {}), (mode, settings)):
        m = model(which, **how)
        history = m.fit(X, Y, batch_size=4, epochs=3, verbose=0).history
        results.append([history["loss"], history["mae"], m.predict(X, verbose=0), *m.get_weights()])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_masks_are_propagated():
    ids = np.array([[1, 2, 0], [3, 0, 0]])
    outputs = []
    for mode in (None, "full"):
        jk.utils.set_random_seed(1)
        with jk.RematScope(mode):
            m = jk.Sequential([jk.Input((3,)), jk.layers.Embedding(4, 5, mask_zero=True), jk.layers.LSTM(2)])
        m.compile("sgd", "mse")
        m.fit(ids, np.ones((2, 2)), epochs=2, verbose=0)
        outputs.append(m.predict(ids, verbose=0))
    np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-6)


def test_scopes_can_be_nested():
    with jk.RematScope("activations"):
        with jk.RematScope(None):
            without = jk.layers.Dense(1)
        within = jk.layers.Dense(1)
    assert without._remat_mode is None and jk.layers.Dense(1)._remat_mode is None
    assert within._remat_mode.mode == "activations"
    with pytest.raises(ValueError, match="must be one of 'full', 'activations', .*; got 'all'"):
        jk.RematScope("all")
