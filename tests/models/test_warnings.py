"""What hardly does what was meant is warned of, once, before the first step; sound programs are left alone."""

import warnings

import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras import layers
from jaxkeras.data import adapt
from jaxkeras.models import mistakes

X, Y = np.linspace(0, 1, 24, dtype="float32").reshape(8, 3), np.tile([[0.0], [1.0]], (4, 1)).astype("float32")


def model_of(*parts, optimizer="sgd", loss="mse"):
    model = jk.Sequential([jk.Input((3,)), *parts], name="m")
    model.compile(optimizer, loss)
    return model


def warnings_of(function):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    assert all(w.filename == __file__ for w in caught if w.category is UserWarning)
    return [str(w.message) for w in caught if w.category is UserWarning]


def fit(model, **kwargs):
    return lambda: model.fit(X, Y, **{"verbose": 0, **kwargs})


def check(model, *expected):
    """The warnings of a first `fit`, and none of the second."""
    found = warnings_of(fit(model))
    assert len(found) == len(expected) and all(e in f for e, f in zip(expected, found)), found
    assert not warnings_of(fit(model))


def test_settings_of_the_optimizer():
    optimizer = jk.optimizers.SGD(-0.1)
    optimizer.lr, optimizer.momentun, optimizer.note = 0.5, 0.9, 1.0
    model = model_of(layers.Dense(1), optimizer=optimizer)
    check(model, "Did you mean `optimizer.learning_rate`?", "`optimizer.momentum`?", "is -0.1: with a negative one")
    optimizer.nesterov = True
    check(model, "`optimizer.nesterov` was changed from False to True after the training step was compiled")


def test_freezing_after_compile():
    model = model_of(layers.Dense(2, name="a"), layers.Dense(1))
    model.layers[0].trainable = False
    check(model, "`trainable` of layer 'm/a' was changed after `compile`")
    model.compile("sgd", "mse")
    assert not warnings_of(fit(model))


def test_freezing_after_training_with_an_optimizer_that_keeps_moments():
    """Keras refuses it too, and evaluates the model as before."""
    model = model_of(layers.Dense(2, name="a"), layers.Dense(1), optimizer="adam")
    fit(model)()
    model.layers[0].trainable = False
    message = "has state for 4 weights, but 2 are trainable now: `trainable` of 'm/a/.*Call `compile` again"
    with pytest.warns(UserWarning), pytest.raises(ValueError, match=message):
        fit(model)()
    model.evaluate(X, Y, verbose=0)


@pytest.mark.parametrize(
    "parts, loss, expected",
    [
        ([layers.Dense(1)], "binary_crossentropy", "Write activation='sigmoid'"),
        ([layers.Dense(2), layers.Reshape((2,))], "sparse_categorical_crossentropy", "Write activation='softmax'"),
        ([layers.Dense(1, "sigmoid")], jk.losses.BinaryCrossentropy(from_logits=True), "applies sigmoid"),
        ([layers.Dense(1)], jk.losses.BinaryCrossentropy(from_logits=True), None),
        ([layers.Dense(1), layers.Activation("sigmoid")], "binary_crossentropy", None),
        ([layers.Dense(1), layers.Lambda(lambda x: 1 / (1 + x**2))], "binary_crossentropy", None),
        ([layers.Dense(2, "softmax")], "sparse_categorical_crossentropy", None),
    ],
)
def test_logits_and_probabilities(parts, loss, expected):
    model = model_of(*parts, loss=loss)
    source, batch = model._ready(adapt(X, Y))
    found = warnings_of(lambda: mistakes.warn(model, source, batch, stacklevel=2))
    assert expected in found[0] if expected else not found


def test_a_misspelt_hook():
    class Misspelt(jk.callbacks.Callback):
        def on_epoch_ends(self, epoch, logs=None):
            pass

        def on_my_own_event(self):
            pass

    found = warnings_of(fit(model_of(layers.Dense(1)), callbacks=[Misspelt()]))
    assert found == ["Misspelt.on_epoch_ends is never called: there is no such hook. Did you mean 'on_epoch_end'?"]


def test_a_loss_that_explodes(capsys):
    model = model_of(layers.Dense(1, use_bias=False), optimizer=jk.optimizers.SGD(3.0))
    found = warnings_of(fit(model, epochs=20))
    assert len(found) == 1 and "The learning rate, 3, is probably too large" in found[0]


def test_data_are_looked_at_once(monkeypatch):
    looked = []
    monkeypatch.setattr("jaxkeras.models.mistakes.is_finite", lambda array: looked.append(array) or True)
    model = model_of(layers.Dense(1))
    fit(model)()
    fit(model)()
    assert len(looked) == 2
