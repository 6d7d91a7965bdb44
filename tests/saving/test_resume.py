"""Training resumed after loading is bit-identical to an uninterrupted run."""

from __future__ import annotations

import numpy as np
import pytest

from jaxkeras.saving import load_model
from tests.saving import zoo


@pytest.mark.parametrize("optimizer", zoo.optimizers())
def test_resumed_training_equals_the_uninterrupted_run(tmp_path, optimizer):
    x, y = zoo.training_data()
    make = zoo.optimizers()[optimizer]

    def train(model):
        return model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0).history

    model = zoo.compiled(make())
    model.fit(x, y, batch_size=4, epochs=1, shuffle=False, verbose=0)
    for ending in ("keras", "h5"):
        model.save(tmp_path / f"model.{ending}")
    model.save_weights(tmp_path / "model.weights.h5")
    expected, final = train(model), model.get_weights()
    fresh = zoo.compiled(make())
    fresh.load_weights(tmp_path / "model.weights.h5")
    for again in (load_model(tmp_path / "model.keras"), load_model(tmp_path / "model.h5"), fresh):
        assert train(again) == expected
        for a, b in zip(again.get_weights(), final):
            np.testing.assert_array_equal(a, b)


def test_frozen_layer_stays_frozen(tmp_path):
    model = zoo.shared()
    model.get_layer("tower").trainable = False
    for ending in ("keras", "h5"):
        model.save(tmp_path / f"model.{ending}")
        again = load_model(tmp_path / f"model.{ending}")
        assert [v.trainable for v in again.weights] == [v.trainable for v in model.weights]


def test_load_without_compile(tmp_path):
    model = zoo.compiled("adam")
    for ending in ("keras", "h5"):
        model.save(tmp_path / f"model.{ending}")
        assert not load_model(tmp_path / f"model.{ending}", compile=False).compiled
