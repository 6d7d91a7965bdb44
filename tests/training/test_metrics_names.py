"""Names of metrics and the order of values that `evaluate` returns, compared with Keras."""

import keras
import numpy as np
import pytest

import jaxkeras as jk

X = np.arange(12, dtype="float32").reshape(4, 3)
Y = np.linspace(0, 1, 4, dtype="float32")[:, None]


def functional(library):
    x = library.Input((3,))
    return library.Model(x, library.layers.Dense(1, name="out")(x))


def of_two_outputs(library):
    x = library.Input((3,))
    return library.Model(x, [library.layers.Dense(1, name=name)(x) for name in ("one", "two")])


def sequential(library):
    return library.Sequential([library.Input((3,)), library.layers.Dense(1)])


def subclass(library):
    class Own(library.Model):
        def __init__(self):
            super().__init__()
            self.seen = library.metrics.Mean(name="a_mean")
            self.dense = library.layers.Dense(1)

        def call(self, x):
            y = self.dense(x)
            self.seen.update_state(y)
            return y

    model = Own()
    model(X[:1])
    return model


SINGLE = {"loss": "mse", "metrics": ["mae", "mse"]}
DOUBLE = {"loss": ["mse", "mae"], "metrics": [["mae"], ["mse"]], "weighted_metrics": [["mae"], []]}


@pytest.mark.parametrize(
    ("make", "arguments", "expected"),
    [
        (functional, {"loss": "mse"}, ["loss"]),
        (functional, SINGLE, ["loss", "mae", "mse"]),
        (sequential, SINGLE, ["loss", "mae", "mse"]),
        (subclass, SINGLE, ["loss", "mae", "mse", "a_mean"]),
        (of_two_outputs, DOUBLE, ["loss", "one_loss", "two_loss", "one_mae", "one_weighted_mae", "two_mse"]),
    ],
)
def test_names_match_the_values_and_both_have_keras_order(make, arguments, expected):
    target = [Y, Y] if make is of_two_outputs else Y
    ours, theirs = make(jk), make(keras)
    theirs.set_weights(ours.get_weights())
    own = [m.name for m in ours.metrics]
    assert ours.metrics_names == own == theirs.metrics_names
    for model in (ours, theirs):
        model.compile("sgd", **arguments)
    assert ours.metrics_names == [n for n in theirs.metrics_names if n != "compile_metrics"] == ["loss", *own]
    values = ours.evaluate(X, target, verbose=0)
    np.testing.assert_allclose(values, theirs.evaluate(X, target, verbose=0), rtol=1e-5)
    by_name = ours.evaluate(X, target, verbose=0, return_dict=True)
    assert list(by_name) == list(theirs.evaluate(X, target, verbose=0, return_dict=True))
    assert ours.metrics_names == expected
    assert [by_name[name] for name in expected] == pytest.approx(np.ravel(values).tolist(), rel=1e-6)
    ours.fit(X, target, verbose=0)
    assert ours.metrics_names == expected
