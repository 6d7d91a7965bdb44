"""Files of all formats are exchanged with real Keras in both directions."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import warnings

import jax
import numpy as np
import pytest

import jaxkeras as jk
from tests.cases import by_default
from tests.saving import zoo

pytest.importorskip("keras")
ENDINGS = ("keras", "h5", "weights.h5")
TRAINED = tuple(f"trained_{name}" for name in zoo.optimizers())
CHEAP = ("core", "merging", "reshaping")  # the other families take seconds to compile
NAMES = [
    *by_default(zoo.FAMILIES, CHEAP),
    *(make.__name__ for make in zoo.SHAPES),
    *TRAINED,
]


def outputs(model, data):
    result = model(data if len(data) > 1 else next(iter(data.values())))
    return [np.asarray(y, "float32") for y in jax.tree.leaves(result)]


def close(actual, expected):
    assert len(actual) == len(expected)
    for a, e in zip(actual, expected):
        assert a.shape == e.shape
        # Keras computes with NumPy in a different order, so compare to 1e-6 of the largest value.
        np.testing.assert_allclose(a, e, rtol=1e-6, atol=1e-6 * max(1.0, float(np.abs(e).max(initial=0.0))))


@pytest.fixture(scope="module")
def exchange(request, tmp_path_factory):
    """Pass the selected models through Keras in all formats."""
    folder = tmp_path_factory.mktemp("exchange")
    (folder / "ours").mkdir()
    models = {}
    items = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    names = {item.callspec.params["name"] for item in items}
    for name, model, data in zoo.everything(names):
        np.savez(folder / "ours" / f"{name}.npz", **data)
        for ending in ENDINGS:
            save = model.save_weights if ending == "weights.h5" else model.save
            save(folder / "ours" / f"{name}.{ending}")
        models[name] = (model, data, outputs(model, data))
    script = pathlib.Path(__file__).with_name("keras_side.py")
    done = subprocess.run(
        [sys.executable, script, folder], env={**os.environ, "KERAS_BACKEND": "numpy"},
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return folder, models, json.loads((folder / "errors.json").read_text())


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", NAMES)
def test_keras_loads_our_files(exchange, name, ending):
    folder, models, errors = exchange
    assert errors.get(f"{name}.{ending}") is None
    model, _, expected = models[name]
    with np.load(folder / "theirs" / f"{name}.{ending}.npz") as result:
        close([result[f"output_{i}"] for i in range(len(expected))], expected)
        # Keras does not restore optimizers from .h5 files, not even its own.
        if name in TRAINED and ending == "keras":
            for i, v in enumerate(model.optimizer.variables):
                np.testing.assert_array_equal(result[f"optimizer_{i}"], v.numpy(), err_msg=v.path)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", NAMES)
def test_we_load_keras_files(exchange, name, ending):
    folder, models, _ = exchange
    model, data, expected = models[name]
    path = folder / "theirs" / f"{name}.{ending}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if ending == "weights.h5":
            loaded = jk.saving.load_model(folder / "ours" / f"{name}.keras")
            loaded.set_weights([np.zeros_like(w) for w in loaded.get_weights()])
            loaded.load_weights(path)
        else:
            loaded = jk.saving.load_model(path)
    close(outputs(loaded, data), expected)
    if name in TRAINED:
        assert type(loaded.optimizer) is type(model.optimizer)
        first, second = loaded.get_compile_config()["metrics"]
        assert first == "accuracy" and second["config"]["name"] == "top" and second["config"]["k"] == 2
        assert int(loaded.optimizer.iterations) == 3
        for a, b in zip(loaded.optimizer.variables, model.optimizer.variables):
            np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=b.path)


def test_input_and_output_structures_are_preserved():
    model = zoo.shared()
    again = jk.models.model_from_json(model.to_json())
    assert set(again.input) == {"a", "b"} and set(again.output) == {"y", "z", "w"}
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert again.get_layer("tower").layers[1].name == "inner" and len(again.weights) == len(model.weights)
