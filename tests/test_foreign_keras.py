"""Objects of real Keras, from an unchanged import, raise an error that names the import to change."""

import keras
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.registry import foreign_keras

X = np.ones((8, 4), "float32")


class KerasLayer(keras.layers.Layer):
    pass


class HoldsKerasLayer(jk.layers.Layer):
    def __init__(self):
        super().__init__(name="block")
        self.dense = keras.layers.Dense(1)

    def call(self, x):
        return self.dense(x)


def compiled(**settings):
    model = jk.Sequential([jk.Input((4,)), jk.layers.Dense(1)])
    model.compile(**{"optimizer": "sgd", "loss": "mse", **settings})


CASES = {
    "layer": (lambda: jk.Sequential([keras.layers.Dense(3)]), "keras.layers.Dense", "layers"),
    "layer class": (lambda: jk.Sequential([keras.layers.Dense]), "keras.layers.Dense", "layers"),
    "layer added": (lambda: jk.Sequential().add(keras.layers.Dense(3)), "keras.layers.Dense", "layers"),
    "subclass": (lambda: jk.Sequential([KerasLayer()]), "'KerasLayer' is a subclass of keras.layers.Layer", "layers"),
    "layer in a wrapper": (lambda: jk.layers.TimeDistributed(keras.layers.Dense(1)), "keras.layers.Dense", "layers"),
    "layer as attribute": (lambda: HoldsKerasLayer()(X), "Layer 'block' cannot use its attribute `dense`", "layers"),
    "layer as activation": (lambda: jk.layers.Dense(1, activation=keras.layers.ReLU()), "keras.layers.ReLU", "layers"),
    "input in Sequential": (lambda: jk.Sequential([keras.Input((4,))]), "keras.KerasTensor", "Input"),
    "input to a layer": (lambda: jk.layers.Dense(1)(keras.Input((4,))), "keras.KerasTensor", "Input"),
    "input mixed with ours": (
        lambda: jk.layers.Add()([jk.Input((4,)), keras.Input((4,))]), "keras.KerasTensor", "Input",
    ),
    "input of a model": (lambda: jk.Model(keras.Input((4,)), jk.Input((4,))), "keras.KerasTensor", "Input"),
    "optimizer": (lambda: compiled(optimizer=keras.optimizers.Adam()), "keras.optimizers.Adam", "optimizers"),
    "optimizer class": (lambda: compiled(optimizer=keras.optimizers.Adam), "keras.optimizers.Adam", "optimizers"),
    "loss": (lambda: compiled(loss=keras.losses.MeanSquaredError()), "keras.losses.MeanSquaredError", "losses"),
    "loss class": (lambda: compiled(loss=keras.losses.MeanSquaredError), "keras.losses.MeanSquaredError", "losses"),
    "metric": (lambda: compiled(metrics=[keras.metrics.AUC()]), "keras.metrics.AUC", "metrics"),
    "metric class": (lambda: compiled(weighted_metrics=[[keras.metrics.AUC]]), "keras.metrics.AUC", "metrics"),
    "loss of one output": (
        lambda: compiled(loss={"dense": keras.losses.MeanSquaredError()}), "keras.losses.MeanSquaredError", "losses",
    ),
    "initializer": (
        lambda: jk.layers.Dense(1, kernel_initializer=keras.initializers.HeNormal()),
        "keras.initializers.HeNormal", "initializers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_error_names_the_import_to_change(name):
    action, what, imported = CASES[name]
    with pytest.raises(ValueError) as caught:
        action()
    text = str(caught.value)
    assert what in text
    assert f"`from jaxkeras import {imported}` instead of `from keras import {imported}`" in text
    assert "`import jaxkeras as keras` instead of `import keras`" in text


def test_error_for_schedules_names_their_namespace():
    text = foreign_keras(keras.optimizers.schedules.CosineDecay(0.1, 1))
    assert "Got a keras.optimizers.schedules.CosineDecay" in text and "from jaxkeras import optimizers" in text


@pytest.mark.parametrize("thing", [None, 3, "adam", X, jk.layers.Dense, jk.optimizers.Adam(), keras.activations.relu])
def test_other_objects_and_functions_are_accepted(thing):
    assert foreign_keras(thing) is None
