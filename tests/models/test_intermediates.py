import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras import layers

X = np.linspace(-1, 1, 24, dtype="float32").reshape(2, 4, 3)


@pytest.fixture(scope="module")
def model():
    inputs = jk.Input((4, 3))
    shared = layers.Dense(3, name="shared", activation="tanh")
    parts = [jk.Input((4, 3)), layers.Dense(3, name="inner"), layers.Dropout(0.5, name="drop")]
    block = jk.Sequential(parts, name="block")
    y = layers.LSTM(2, name="lstm")(block(shared(shared(inputs))))
    return jk.Model(inputs, layers.Dense(1, name="last")(y), name="net")


def test_all_layers_by_path(model):
    found = model.intermediates(X)
    assert list(found) == ["shared", "shared#2", "block/inner", "block/drop", "block", "lstm", "last"]
    np.testing.assert_allclose(found["last"], model.predict(X, verbose=0), rtol=1e-6)
    part = jk.Model(model.inputs, model.get_layer("lstm").output)
    np.testing.assert_allclose(found["lstm"], part.predict(X, verbose=0), rtol=1e-6)
    np.testing.assert_allclose(found["shared#2"], model.get_layer("shared")(found["shared"]), rtol=1e-6)


@pytest.mark.parametrize("wanted", ["inner", "block/inner", "net/block/inner", "object", ["inner"]])
def test_one_layer(model, wanted):
    wanted = model.get_layer("block").layers[0] if wanted == "object" else wanted
    assert list(model.intermediates(X, layers=wanted)) == ["block/inner"]


def test_training_leaves_the_model_as_it_is(model):
    first, second = (model.intermediates(X, layers=["drop", "inner"], training=True) for _ in range(2))
    assert np.any(first["block/drop"] == 0) and not np.array_equal(first["block/inner"], first["block/drop"])
    np.testing.assert_array_equal(first["block/drop"], second["block/drop"])


def test_layers_that_cannot_be_seen(model):
    with pytest.raises(ValueError, match="Did you mean 'lstm'"):
        model.intermediates(X, layers="lsmt")
    with pytest.raises(ValueError, match="inside a loop"):
        jk.Sequential([layers.RNN(Cell())]).intermediates(X, layers="cell")


class Cell(layers.Layer):
    state_size = output_size = 3

    def call(self, x, states):
        return x + states[0], [x + states[0]]


def test_subclasses_structures_and_eager_steps():
    class Net(jk.Model):
        def __init__(self):
            super().__init__(name="net")
            self.pair = layers.Lambda(lambda x: {"a": x, "b": 2 * x}, name="pair")

        def call(self, x):
            return self.pair(x)["b"]

    model = Net()
    np.testing.assert_array_equal(model.intermediates(X)["pair"]["b"], 2 * X)
    model.compile("sgd", "mse", run_eagerly=True)
    np.testing.assert_array_equal(model.intermediates(jnp.asarray(X))["pair"]["a"], X)
