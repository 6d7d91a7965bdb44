"""The tutorial "Compile()": arguments of `compile`, a CIFAR-like program and its output."""

import inspect
import re

import numpy as np
import pytest

import jaxkeras as keras

rng = np.random.default_rng(0)
train_images = rng.random((64, 8, 8, 3)).astype("float32")
train_labels = rng.integers(0, 10, (64, 1))
test_images, test_labels = train_images[:32], train_labels[:32]


def make_model():
    return keras.Sequential(
        [
            keras.layers.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )


def test_arguments_of_compile():
    parameters = inspect.signature(keras.Model.compile).parameters
    assert {name: p.default for name, p in parameters.items() if name != "self"} == {
        "optimizer": "rmsprop",
        "loss": None,
        "loss_weights": None,
        "metrics": None,
        "weighted_metrics": None,
        "run_eagerly": False,
        "steps_per_execution": 1,
        "jit_compile": "auto",
        "auto_scale_loss": True,
    }
    assert list(parameters)[1:4] == ["optimizer", "loss", "loss_weights"]


def test_compile_call_of_the_tutorial():
    model = make_model()
    model.compile(
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        auto_scale_loss=True,
    )
    assert isinstance(model.optimizer, keras.optimizers.RMSprop)


def test_training_without_a_loss_raises():
    model = make_model()
    model.compile(optimizer="adam")
    with pytest.raises(ValueError, match="without a loss"):
        model.fit(train_images, train_labels, verbose=0)


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", "sgd", "adagrad", "ftrl", "Ftrl"])
def test_optimizers_by_name(optimizer):
    model = make_model()
    model.compile(optimizer=optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(train_images, train_labels, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_example_program_and_its_output(capsys):
    model = make_model()
    model.compile(
        optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    history = model.fit(train_images, train_labels, epochs=10, validation_data=(test_images, test_labels))
    assert sorted(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert history.history["loss"][-1] < history.history["loss"][0]
    printed = capsys.readouterr().out
    for epoch in range(1, 11):
        assert f"Epoch {epoch}/10\n" in printed
    last = re.split(r"[\r\n\x08]+", printed.strip())[-1]
    number = r"\d+\.\d{4}"
    assert re.search(
        rf"2/2 .*━+.* \d+s .*\d+(ms|us|s)/step - accuracy: {number} - loss: {number} "
        rf"- val_accuracy: {number} - val_loss: {number}",
        last,
    ), last


def test_run_eagerly_exposes_concrete_values():
    seen = []

    class Watch(keras.layers.Layer):
        def call(self, x):
            seen.append(float(x.mean()))
            return x

    model = keras.Sequential([Watch(), keras.layers.Flatten(), keras.layers.Dense(10)])
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
    model.fit(train_images, train_labels, verbose=0)
    assert len(seen) >= 2


@pytest.mark.parametrize("options", [{"jit_compile": True}, {"jit_compile": False}, {"steps_per_execution": 2}])
def test_execution_options(options):
    model = make_model()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), **options)
    assert np.isfinite(model.fit(train_images, train_labels, verbose=0).history["loss"]).all()


def test_loss_weights_with_two_outputs():
    inputs = keras.Input((4,))
    model = keras.Model(
        inputs, [keras.layers.Dense(1, name="a")(inputs), keras.layers.Dense(3, activation="softmax", name="b")(inputs)]
    )
    x, ya, yb = rng.random((32, 4)), rng.random((32, 1)), rng.integers(0, 3, 32)
    losses = ["mse", "sparse_categorical_crossentropy"]
    model.compile("sgd", losses, loss_weights=[1.0, 0.2], weighted_metrics=[["mae"], ["accuracy"]])
    weighted = model.evaluate(x, [ya, yb], verbose=0, return_dict=True)
    np.testing.assert_allclose(weighted["loss"], weighted["a_loss"] + 0.2 * weighted["b_loss"], rtol=1e-5)
    model.compile("sgd", losses, loss_weights=None)
    plain = model.evaluate(x, [ya, yb], verbose=0, return_dict=True)
    np.testing.assert_allclose(plain["loss"], plain["a_loss"] + plain["b_loss"], rtol=1e-5)
