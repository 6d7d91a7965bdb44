"""Untrusted files: nothing in them is executed, imported or opened, and each raises one clear error."""

from __future__ import annotations

import ast
import base64
import copy
import json
import marshal
import os
import pathlib
import zipfile

import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras import layers as L
from jaxkeras.saving import load_model
from tests.saving.hostile import nothing_happens, refused, rewritten

h5py = pytest.importorskip("h5py")
CODE = base64.b64encode(marshal.dumps((lambda x: print(x)).__code__)).decode()
BAD = {
    "os.system": {"module": "os", "class_name": "system", "config": {"command": "touch x"}, "registered_name": None},
    "popen": {"module": "subprocess", "class_name": "Popen", "config": {"args": ["touch", "x"]}},
    "eval": {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "function"},
    "exec": {"module": "builtins", "class_name": "function", "config": "exec", "registered_name": "exec"},
    "get_file": {"module": "keras.utils", "class_name": "function", "config": "get_file"},
    "get_file-class": {"module": "keras.utils", "class_name": "get_file", "config": {"origin": "http://127.0.0.1/"}},
    "load_model": {"module": "keras.saving", "class_name": "load_model", "config": {"filepath": "/etc/passwd"}},
    "ours": {"module": "jaxkeras.saving.api", "class_name": "function", "config": "load_model"},
    "switch": {"module": "keras.config", "class_name": "function", "config": "enable_unsafe_deserialization"},
    "lambda": {"class_name": "__lambda__", "config": {"code": CODE, "defaults": None, "closure": None}},
    "lambda-module": {"module": "builtins", "class_name": "function", "config": {"code": CODE}},
    "type": {"module": "types", "class_name": "FunctionType", "config": {"code": CODE}},
    "wrapper": {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"module": "x"}},
    "long": {"module": "m" * 5000, "class_name": "c" * 5000, "config": {}},
    "helper": {"module": "keras.src.ops.numpy", "class_name": "Callable", "config": {}},
    "module": {"module": "keras.src.ops.__import__", "class_name": "System", "config": {}},
    "lambda-layer": {"module": "keras.layers", "class_name": "Lambda", "config": {"function": [CODE, None, None]}},
    "vocabulary": {
        "module": "keras.layers", "class_name": "StringLookup", "config": {"name": "v", "vocabulary": "/etc/passwd"}
    },
}  # fmt: skip


def _layer(config, bad):
    config["config"]["layers"][1] |= bad


def _argument(key):
    def change(config, bad):
        config["config"]["layers"][1]["config"][key] = bad

    return change


def _call(config, bad):
    config["config"]["layers"][1]["inbound_nodes"][0]["kwargs"]["training"] = bad


def _deep(config, bad):
    items = {"class_name": "__tuple__", "items": [{"a": [{"class_name": "__tuple__", "items": [bad]}]}]}
    config["config"]["layers"][1]["config"]["kernel_regularizer"] = items


def _compile(key, wrap):
    def change(config, bad):
        config["compile_config"][key] = wrap(bad)

    return change


PLACES = {
    "top": lambda config, bad: config.update(bad),
    "layer": _layer,
    "initializer": _argument("kernel_initializer"),
    "activation": _argument("activation"),
    "constraint": _argument("bias_constraint"),
    "policy": _argument("dtype"),
    "call": _call,
    "deep": _deep,
    "loss": _compile("loss", lambda bad: bad),
    "losses": _compile("loss", lambda bad: {"a": [bad]}),
    "optimizer": _compile("optimizer", lambda bad: bad),
    "metrics": _compile("metrics", lambda bad: ["mse", bad]),
}


@pytest.mark.parametrize(
    "bad,place", [(b, p) for b in BAD for p in PLACES if b != "vocabulary" or p in ("top", "layer")]
)
def test_unregistered_objects_in_keras_files_are_rejected(honest, tmp_path, bad, place):
    folder, _ = honest
    path = rewritten(folder / "m.keras", tmp_path / "m.keras", lambda c: PLACES[place](c, copy.deepcopy(BAD[bad])))
    refused(path)


@pytest.mark.parametrize("place", ["layer", "initializer", "call", "deep", "loss", "metrics", "optimizer_config"])
@pytest.mark.parametrize("bad", ["popen", "eval", "lambda", "get_file", "lambda-layer"])
def test_unregistered_objects_in_h5_files_are_rejected(honest, tmp_path, place, bad):
    folder, _ = honest
    path = tmp_path / "m.h5"
    path.write_bytes((folder / "m.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        both = json.loads(file.attrs["model_config"])
        both["compile_config"] = json.loads(file.attrs["training_config"])
        entry = copy.deepcopy(BAD[bad])
        if place == "optimizer_config":
            both["compile_config"][place] = entry
        else:
            PLACES[place](both, entry)
        file.attrs["training_config"] = json.dumps(both.pop("compile_config"))
        file.attrs["model_config"] = json.dumps(both)
    refused(path)


def test_unregistered_objects_in_configs_are_rejected():
    for bad in BAD.values():
        if bad is BAD["vocabulary"]:
            continue
        for call in (
            jk.saving.deserialize_keras_object, jk.layers.deserialize, jk.losses.get, jk.optimizers.get,
            lambda c: jk.models.model_from_json(json.dumps(c)),
        ):  # fmt: skip
            with nothing_happens(), pytest.raises((ValueError, TypeError)) as caught:
                call(copy.deepcopy(bad))
            assert len(str(caught.value)) < 600


def test_saving_code_cannot_execute_files():
    root = pathlib.Path(jk.__file__).parent
    forbidden = {"pickle", "marshal", "dill", "cloudpickle", "shelve", "importlib", "subprocess", "runpy", "code"}
    paths = [*root.glob("saving/*.py"), *root.glob("registry/*.py"), root / "models" / "functional.py"]
    for path in sorted(paths):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not forbidden & {name.split(".")[0] for name in names}, path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile", "__import__", "globals"), path
            if isinstance(node, ast.keyword):
                assert node.arg != "allow_pickle", path


# -- links in HDF5 files ----------------------------------------------------------------------------------------------
def _links(group, key, outside):
    """Functions that replace a member with data outside of the file, in each way that HDF5 offers."""
    shape = group[key].shape if isinstance(group[key], h5py.Dataset) else None
    kinds = [h5py.ExternalLink(str(outside), "/secret"), h5py.SoftLink("/elsewhere")]
    makers = [lambda link=link: group.__setitem__(key, link) for link in kinds]
    if shape is not None:
        layout = h5py.VirtualLayout(shape, "float32")
        layout[...] = h5py.VirtualSource(str(outside), "secret", shape=shape)
        size = int(np.prod(shape)) * 4
        makers.append(lambda: group.create_virtual_dataset(key, layout))
        if shape:  # HDF5 stores scalars in the file itself
            makers.append(lambda: group.create_dataset(key, shape, "float32", external=[(str(outside), 0, size)]))
    return makers


PATHS = {
    "weights.h5": ("layers/dense/vars/0", "layers/dense", "layers", "optimizer/vars/1", "optimizer"),
    "h5": ("model_weights/d/d/kernel", "model_weights/d", "model_weights", "optimizer_weights"),
}


@pytest.mark.parametrize("ending,path", [(e, p) for e, paths in PATHS.items() for p in paths])
def test_external_links_are_not_followed(honest, tmp_path, ending, path):
    folder, model = honest
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)  # opening it would block forever
    data = (folder / f"m.{ending}").read_bytes()
    parent, _, key = path.rpartition("/")
    target = tmp_path / f"m.{ending}"
    for i in range(4):
        target.write_bytes(data)
        with h5py.File(target, "r+") as file:
            group = file[parent or "/"]
            makers = _links(group, key, fifo)
            if i >= len(makers):
                break
            del group[key]
            makers[i]()
        message = refused(target, model.load_weights if ending == "weights.h5" else load_model)
        assert "link" in message or "another file" in message
        if ending == "weights.h5":
            archive = rewritten(folder / "m.keras", tmp_path / "m.keras",
                                replace={"model.weights.h5": target.read_bytes()})  # fmt: skip
            refused(archive)


def test_names_cannot_pass_through_a_link(honest, tmp_path):
    folder, model = honest
    target = tmp_path / "m.h5"
    target.write_bytes((folder / "m.h5").read_bytes())
    with h5py.File(target, "r+") as file:
        file["model_weights"]["out"] = h5py.ExternalLink(str(tmp_path / "none"), "/")
        file["model_weights"].attrs["layer_names"] = np.array([b"out/x"])
    assert "link" in refused(target)


# -- invalid arrays and members ---------------------------------------------------------------------------------------
def test_strings_instead_of_numbers(honest, tmp_path):
    folder, model = honest
    path = tmp_path / "m.weights.h5"
    path.write_bytes((folder / path.name).read_bytes())
    with h5py.File(path, "r+") as file:
        group = file["layers/dense/vars"]
        del group["0"]
        group.create_dataset("0", (3, 2), h5py.string_dtype())
    assert "no array of numbers" in refused(path, model.load_weights)


def test_duplicate_member_names(honest, tmp_path):
    folder, _ = honest
    path = rewritten(folder / "m.keras", tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as file:
        file.writestr("config.json", "{}")
    assert "two members" in refused(path)


# -- zip members and damage -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["../../evil.txt", "/evil.txt", "a/../../evil.txt"])
def test_assets_stay_in_their_folder(tmp_path, name):
    layer = L.StringLookup()
    layer.adapt(np.array(["a", "b"]))
    model = jk.Sequential([L.Input((1,), dtype="string"), layer])
    model.save(tmp_path / "m.keras")
    load_model(tmp_path / "m.keras")
    path = rewritten(tmp_path / "m.keras", tmp_path / "bad.keras", extra=[(f"assets/layers/string_lookup/{name}", "x")])
    with pytest.raises(ValueError, match="outside its folder"):
        load_model(path)
    assert not list(tmp_path.rglob("evil*")) and not list(tmp_path.parent.glob("evil*"))


@pytest.mark.parametrize("ending", ["keras", "h5", "weights.h5"])
def test_truncated_files(honest, tmp_path, ending):
    folder, model = honest
    data = (folder / f"m.{ending}").read_bytes()
    target = tmp_path / f"m.{ending}"
    before = model.get_weights()
    for length in [0, 1, 7, 100, *np.linspace(200, len(data) - 1, 12).astype(int)]:
        target.write_bytes(data[:length])
        refused(target, model.load_weights if ending == "weights.h5" else load_model)
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "config",
    ["[" * 200_000, '{"a":' * 3000 + "1" + "}" * 3000, "[]", "1", "", "{", '{"class_name": 1, "config": {}}', "\xff",
     '{"class_name": "Functional", "module": "keras", "config": {}}',
     '{"class_name": "Sequential", "module": "keras", "config": {"name": "a", "layers": 3}}'],
    ids=lambda c: c[:12],
)  # fmt: skip
def test_malformed_configs(honest, tmp_path, config):
    folder, _ = honest
    data = config.encode("latin-1")
    refused(rewritten(folder / "m.keras", tmp_path / "m.keras", replace={"config.json": data}))
    if data and data.isascii() and len(data) < 60_000:
        target = tmp_path / "m.h5"
        target.write_bytes((folder / "m.h5").read_bytes())
        with h5py.File(target, "r+") as file:
            file.attrs["model_config"] = config
        refused(target)


@pytest.mark.parametrize("units", [-3, 0, 1.5, "x", None, 10**30, [1], True])
def test_invalid_layer_arguments(honest, tmp_path, units):
    folder, _ = honest

    def change(config):
        config["config"]["layers"][1]["config"]["units"] = units

    refused(rewritten(folder / "m.keras", tmp_path / "m.keras", change))


def test_missing_members(honest, tmp_path):
    folder, _ = honest
    for name in ("config.json", "model.weights.h5"):
        with zipfile.ZipFile(folder / "m.keras") as old, zipfile.ZipFile(tmp_path / "m.keras", "w") as new:
            for member in old.namelist():
                if member != name:
                    new.writestr(member, old.read(member))
        assert name in refused(tmp_path / "m.keras")
