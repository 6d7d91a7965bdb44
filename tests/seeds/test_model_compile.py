"""The tutorial "[Tensorflow] Model Compile": a functional MNIST model, its summary and its diagram."""

import re

import numpy as np
import pytest

import jaxkeras as keras
from jaxkeras.layers import Activation, Dense, Flatten, Input
from jaxkeras.models import Model, Sequential
from jaxkeras.utils import plot_model

rng = np.random.default_rng(0)


def make_model():
    inputs = Input(shape=(28, 28, 1))
    x = Flatten(input_shape=(28, 28, 1))(inputs)
    x = Dense(units=300, activation="relu")(x)
    x = Dense(units=100, activation="relu")(x)
    x = Dense(units=10, activation="softmax")(x)
    return Model(inputs=inputs, outputs=x)


@pytest.mark.filterwarnings("ignore:.*input_shape.*")
def test_summary(capsys):
    model = make_model()
    model.summary()
    printed = capsys.readouterr().out
    rows = [
        ("InputLayer", "(None, 28, 28, 1)", "0"),
        ("Flatten", "(None, 784)", "0"),
        ("Dense", "(None, 300)", "235,500"),
        ("Dense", "(None, 100)", "30,100"),
        ("Dense", "(None, 10)", "1,010"),
    ]
    lines = printed.splitlines()
    at = 0
    for kind, shape, count in rows:
        found = [
            i for i, line in enumerate(lines[at:], at)
            if f"({kind})" in line and shape in line and re.search(rf"\b{count}\b", line)
        ]  # fmt: skip
        assert found, f"no row {kind} {shape} {count} in\n{printed}"
        at = found[0] + 1
    assert re.search(r"Total params: 266,610", printed)
    assert re.search(r"Trainable params: 266,610", printed)
    assert re.search(r"Non-trainable params: 0", printed)
    assert model.count_params() == 266_610


@pytest.mark.filterwarnings("ignore:.*input_shape.*")
def test_compile_and_train():
    model = make_model()
    model.compile(loss="sparse_categorical_crossentropy", optimizer="sgd", metrics=["accuracy"])
    x, y = rng.random((64, 28, 28, 1)), rng.integers(0, 10, 64)
    history = model.fit(x, y, epochs=3, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_activation_layer_in_a_sequential_model():
    model = Sequential([Input((4,)), Dense(3), Activation("softmax")])
    np.testing.assert_allclose(model.predict(np.ones((2, 4)), verbose=0).sum(1), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("loss", "units", "activation", "y"),
    [
        ("sparse_categorical_crossentropy", 3, "softmax", rng.integers(0, 3, 32)),
        ("categorical_crossentropy", 3, "softmax", np.eye(3)[rng.integers(0, 3, 32)]),
        ("binary_crossentropy", 1, "sigmoid", rng.integers(0, 2, (32, 1))),
        ("mean_absolute_error", 1, None, rng.random((32, 1))),
        ("mae", 1, None, rng.random((32, 1))),
        ("mean_squared_error", 1, None, rng.random((32, 1))),
        ("mse", 1, None, rng.random((32, 1))),
    ],
)
def test_losses(loss, units, activation, y):
    model = Sequential([Dense(units, activation=activation)])
    model.compile(loss=loss, optimizer="sgd", metrics=["accuracy"])
    assert np.isfinite(model.fit(rng.random((32, 4)), y, verbose=0).history["loss"]).all()


def test_misspelt_loss_of_the_tutorial_gets_a_suggestion():
    with pytest.raises(ValueError, match="'categorical_cross_entropy'.*'categorical_crossentropy'"):
        Sequential([Dense(3)]).compile(loss="categorical_cross_entropy")


def test_cross_entropy_values():
    p = np.array([[0.7, 0.2, 0.1]], "float32")
    loss = keras.losses.SparseCategoricalCrossentropy()(np.array([0]), p)
    np.testing.assert_allclose(loss, -np.log(0.7), rtol=1e-5)
    one_hot = keras.losses.CategoricalCrossentropy()(np.array([[1.0, 0.0, 0.0]]), p)
    np.testing.assert_allclose(one_hot, loss, rtol=1e-6)


@pytest.mark.parametrize("optimizer", [keras.optimizers.SGD, keras.optimizers.Adam])
def test_optimizers(optimizer):
    assert float(optimizer(learning_rate=0.1).learning_rate) == pytest.approx(0.1)
    assert float(optimizer().learning_rate) == pytest.approx({"SGD": 0.01, "Adam": 0.001}[optimizer.__name__])


@pytest.mark.filterwarnings("ignore:.*input_shape.*")
def test_diagram(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "model.png"
    plot_model(make_model(), to_file=str(path), show_shapes=True)
    assert path.read_bytes()[:4] == b"\x89PNG"
