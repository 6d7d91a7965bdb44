"""Losses, weights and metrics nested as the outputs are, compared with Keras."""

from collections import namedtuple

import keras
import numpy as np
import pytest

import jaxkeras as jk

X = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)
A, B, C = (np.full((4, 1), value, "float32") for value in (0.0, 1.0, 2.0))
Pair = namedtuple("Pair", "p q")


def in_list(a, b, c):
    return [a, b]


def in_tuple(a, b, c):
    return (a, b)


def in_dict(a, b, c):
    return {"p": b, "q": a}


def in_pair(a, b, c):
    return Pair(a, b)


def nested(a, b, c):
    return {"u": (a, b), "v": {"w": c}}


def model_of(library, structure, subclass=False):
    layers = [library.layers.Dense(1, kernel_initializer="ones", name=name) for name in "abc"]
    if not subclass:
        x = library.Input((3,))
        return library.Model(x, structure(*(layer(x) for layer in layers)))

    class Own(library.Model):
        def __init__(self):
            super().__init__()
            self.denses = layers

        def call(self, x):
            return structure(*(layer(x) for layer in self.denses))

    return Own()


def whole(library):
    def loss(y_true, y_pred):
        pairs = zip(jk.tree.flatten(y_true), jk.tree.flatten(y_pred))
        return sum(library.ops.mean(library.ops.abs(t - p)) for t, p in pairs)

    return loss


CASES = {
    "a list for one output": (lambda a, b, c: a, A, {"loss": ["mse"], "metrics": [["mae"]]}),
    "a list beside a dict": (
        in_dict, {"q": A, "p": B}, {"loss": ["mse", "mae"], "metrics": ["mae", "mse"], "loss_weights": [1, 2]},
    ),
    "several losses of an output": (in_dict, {"q": A, "p": B}, {"loss": {"q": ["mse", "mae"], "p": "mse"}}),
    "targets by name": (in_list, {"a": A, "b": B}, {"loss": {"a": "mse", "b": ["mae"]}, "metrics": {"b": ["mse"]}}),
    "a named tuple": (in_pair, Pair(A, B), {"loss": Pair("mse", "mae"), "metrics": [["mae"], ["mse"]]}),
    "a part of the targets": (in_list, B, {"loss": [None, "mse"]}),
    "nested": (
        nested, {"u": [A, B], "v": {"w": C}},
        {"loss": {"u": ("mse", "mae"), "v": {"w": "mse"}}, "loss_weights": [1, 2, 3],
         "metrics": {"u": ("mae", ["mse", "mae"]), "v": {"w": "mae"}}},
    ),
    "nested, a part": (nested, {"u": (A, B), "v": {"w": C}}, {"loss": {"u": ["mse", "mae"]}}),
    "a loss of a structure": (nested, {"u": (A, B), "v": {"w": C}}, {"loss": {"u": whole, "v": {"w": "mse"}}}),
    "a loss of all outputs": (in_tuple, (A, B), {"loss": [whole, ("mse", "mae")]}),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_losses_and_metrics_equal_keras(name):
    structure, y, settings = CASES[name]
    results = []
    for library in (jk, keras):
        own = lambda loss: whole(library) if loss is whole else loss  # noqa: B023, E731
        loss = jk.tree.map_structure(own, settings["loss"])
        model = model_of(library, structure)
        model.compile("sgd", **{**settings, "loss": loss})
        results.append((model.evaluate(X, y, verbose=0), model.evaluate(X, y, verbose=0, return_dict=True)))
    (ours, our_logs), (theirs, their_logs) = results
    assert list(our_logs) == list(their_logs)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    np.testing.assert_allclose(list(our_logs.values()), list(their_logs.values()), rtol=1e-5)


def test_outputs_without_names_are_called_after_their_losses_as_in_keras():
    logs = []
    for library in (jk, keras):
        model = model_of(library, in_list, subclass=True)
        model.compile("sgd", ["mse", "mae"], metrics=["mae", ["mae"]])
        logs.append(model.evaluate(X, [A, B], verbose=0, return_dict=True))
    assert logs[0] == pytest.approx(logs[1], rel=1e-5)
    assert set(logs[0]) == {"loss", "mse_loss", "mae_loss", "mae", "mae_1"}


@pytest.mark.parametrize(
    ("structure", "y", "settings", "error"),
    [
        (in_dict, {"q": A, "p": B}, {"loss": {"q": "mse", "z": "mse"}}, KeyError),
        (nested, {"u": (A, B), "v": {"w": C}}, {"loss": {"v": {"x": "mse"}}}, KeyError),
        (in_list, [A, B], {"loss": {"a": "mse", "z": "mse"}}, ValueError),
        (in_list, [A, B, C], {"loss": "mse"}, ValueError),
        (in_dict, {"q": A}, {"loss": {"q": "mse", "p": "mse"}}, ValueError),
        (in_list, [A, B], {"loss": ["mse", "mse"], "loss_weights": [0.5]}, ValueError),
        (in_list, [A, B], {"loss": "mse", "metrics": {"z": "mae"}}, ValueError),
        (nested, {"u": (A, B), "v": {"w": C}}, {"loss": "mse", "metrics": ["mae"]}, ValueError),
        (in_list, [A, B], {"loss": "mse", "metrics": "mae"}, ValueError),
    ],
)
def test_wrong_structures_raise_the_errors_of_keras(structure, y, settings, error):
    for library in (jk, keras):
        model = model_of(library, structure)
        with pytest.raises(error):
            model.compile("sgd", **settings)
            model.evaluate(X, y, verbose=0)


def test_metrics_of_compile_are_one_metric():
    model = model_of(jk, in_list)
    model.compile("sgd", "mse", metrics=["mae", "mse"])
    assert model.metrics == [model._loss_tracker, model._compile_metrics]
    assert not model._compile_metrics.built and not model._compile_loss.built
    model._symbolic_build(data_batch=(X, (A, B)))
    assert model._compile_metrics.built and model._compile_loss.built
    assert [m.name for m in model._compile_metrics.metrics] == ["mae", "mse"]
    assert [m.name for m in model.metrics] == ["loss", "compile_metrics", "a_loss", "b_loss"]
    model.evaluate(X, [A, B], verbose=0)
    results = model.get_metrics_result()
    assert set(results) == {"loss", "a_loss", "b_loss", "a_mae", "b_mse"}
    assert model._compile_metrics.result().keys() == {"a_mae", "b_mse"}
    model.reset_metrics()
    assert all(float(value) == 0 for value in model.get_metrics_result().values())


def test_an_overridden_compute_loss_may_pass_on_other_outputs():
    class Own(jk.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, **kwargs):
            return super().compute_loss(x, y, [y_pred, y_pred], sample_weight, **kwargs)

    model = Own([jk.Input((3,)), jk.layers.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", ["mse", "mae"])
    logs = model.evaluate(X, (B, C), verbose=0, return_dict=True)
    assert logs == pytest.approx({"loss": 3.0, "mse_loss": 1.0, "mae_loss": 2.0})


def test_targets_that_broadcast_warn_and_count_as_in_keras():
    values = []
    for library in (jk, keras):
        model = library.Sequential([library.Input((3,)), library.layers.Dense(1, kernel_initializer="ones")])
        model.compile("sgd", "mse")
        if library is jk:
            with pytest.warns(UserWarning, match="broadcast"):
                values.append(model.evaluate(X, X, verbose=0))
        else:
            values.append(model.evaluate(X, X, verbose=0))
    assert values[0] == pytest.approx(values[1], rel=1e-5)
