"""Lazily imported names: all are available, and only those used are loaded."""

import importlib
import pathlib
import pickle
import re
import subprocess
import sys

import pytest

import jaxkeras
from jaxkeras.core import lazy_imports

ROOT = pathlib.Path(jaxkeras.__file__).parent
PACKAGES = sorted(".".join(p.parent.relative_to(ROOT.parent).parts) for p in ROOT.rglob("__init__.pyi"))
PRIVATE = {
    "__main__", "alias", "as_keras", "cli", "core", "data", "display", "lookup", "lowering", "registry", "training",
}  # fmt: skip


def modules_after(code):
    """Modules loaded by a new process after running `code`, those of jaxkeras relative to the package."""
    code += "\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name.removeprefix("jaxkeras.") for name in done.stdout.split()}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_stub_name_is_importable(package):
    module = importlib.import_module(package)
    stub = (ROOT.parent.joinpath(*package.split("."), "__init__.pyi")).read_text()
    rows = re.findall(r"^(?:from|import) |^\w+ = ", stub, re.MULTILINE)
    assert len(rows) == len(lazy_imports.homes[package]) > 0  # every row was parsed
    assert set(module.__all__) <= set(dir(module))
    starred = {}
    exec(f"from {package} import *", starred)
    for name, (home, own) in lazy_imports.homes[package].items():
        assert starred[name] is getattr(module, name), name
        if home == package:
            assert starred[name] is importlib.import_module(f"{package}.{own}")
        else:  # a submodule of the same name would shadow it
            assert starred[name] is getattr(importlib.import_module(home), own)
            assert f"{package}.{name}" not in sys.modules, name


def test_every_public_part_is_exported():
    parts = {p.stem for p in ROOT.glob("*.py")} | {p.parent.name for p in ROOT.glob("*/__init__.py")}
    assert parts - PRIVATE - {"__init__"} <= set(jaxkeras.__all__)


def test_unknown_name_raises():
    with pytest.raises(AttributeError, match="module 'jaxkeras.layers' has no attribute 'Dens'"):
        jaxkeras.layers.Dens  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'Dens'"):
        exec("from jaxkeras.layers import Dens")


def test_classes_and_functions_can_be_pickled():
    for thing in (jaxkeras.layers.Dense, jaxkeras.optimizers.Adam, jaxkeras.metrics.AUC, jaxkeras.ops.relu):
        assert pickle.loads(pickle.dumps(thing)) is thing


def test_only_used_modules_are_loaded():
    loaded = modules_after("import jaxkeras as jk; from jaxkeras import layers, metrics, ops")
    assert not {"jax", "numpy", "models", "layers._base.layer", "ops.numpy"} & loaded
    loaded = modules_after(
        "import jaxkeras as jk; jk.Sequential([jk.layers.Dense(1)]).compile('adam', 'mse', metrics=['accuracy'])"
    )
    assert {"layers.core.dense", "optimizers.adam", "metrics.reduction"} <= loaded
    unused = {"layers.convolutional.conv", "metrics.auc", "optimizers.muon", "ops.numpy", "utils.plot", "optax"}
    assert not unused & loaded


def test_deserialization_loads_only_the_named_modules():
    code = """
from jaxkeras import registry
import jaxkeras as jk
config = {"module": "keras.layers", "class_name": "ReLU", "config": {"name": "r"}}
assert registry.deserialize(config).name == "r"
assert registry.get("keras.layers", "re_lu") is not None and registry.get("keras.metrics", "auc") is not None
schedule = {"module": "keras.optimizers.schedules", "class_name": "ExponentialDecay", "config": {
    "initial_learning_rate": 0.1, "decay_steps": 1, "decay_rate": 0.5}}
assert registry.deserialize(schedule).initial_learning_rate == 0.1
assert type(jk.optimizers.get("RMSPROP")).__name__ == "RMSprop"
"""
    loaded = modules_after(code)
    assert {"layers.core.activation", "optimizers.schedules", "optimizers.adaptive"} <= loaded
    assert not {"layers.convolutional.conv", "optimizers.muon", "models"} & loaded
    code = """
import jaxkeras as jk
for module in ("os", "jaxkeras.datasets.mnist", "xmlrpc.client"):
    try:
        jk.saving.deserialize_keras_object({"module": module, "class_name": "Client", "config": {}})
    except ValueError:
        continue
    raise AssertionError"""
    assert not {"xmlrpc.client", "datasets.mnist"} & modules_after(code)
