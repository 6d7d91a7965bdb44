"""Files from strangers: nothing is executed, imported or opened because a file says so, and one clear error comes."""

from __future__ import annotations

import ast
import base64
import contextlib
import copy
import gc
import json
import marshal
import os
import pathlib
import sys
import time
import zipfile

import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras import layers as L
from jaxkeras import registry
from jaxkeras.saving import load_model

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


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """A compiled model in all formats, and read once so that all imports have happened."""
    folder = tmp_path_factory.mktemp("honest")
    x = L.Input((3,), name="x")
    model = jk.Model(x, L.Dense(2, name="d")(x))
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((2, 3)), np.ones((2, 2)), verbose=0)
    for ending in ("keras", "h5"):
        model.save(folder / f"m.{ending}")
        load_model(folder / f"m.{ending}")
    model.save_weights(folder / "m.weights.h5")
    model.load_weights(folder / "m.weights.h5")
    return folder, model


_watching: list[list] = []
_FORBIDDEN = ("import", "exec", "compile", "marshal.loads", "pickle.find_class", "os.system", "subprocess.Popen",
              "os.exec", "os.posix_spawn", "os.fork", "ctypes.dlopen", "shutil.rmtree")  # fmt: skip
_hooked = False


def _hook(event, arguments):
    if _watching and (event in _FORBIDDEN or event.startswith("socket.") or event == "open"):
        _watching[-1].append((event, str(arguments[0]) if arguments else ""))


@contextlib.contextmanager
def nothing_happens(*allowed):
    """No module is imported, no code compiled or run, no process or socket made, no file opened but these."""
    global _hooked
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked = True
    events: list = []
    modules = set(sys.modules)
    _watching.append(events)
    try:
        yield
    finally:
        _watching.pop()
    assert [e for e in events if not (e[0] == "open" and any(str(a) in e[1] for a in allowed))] == []
    assert set(sys.modules) == modules


@pytest.fixture(scope="module", autouse=True)
def everything_built_in_is_loaded():
    """The library reads its own modules when their names first occur, which is not what these tests look for."""
    for kind in registry._BUILT_IN:
        registry.registered(kind)
    for name in jk.ops.__all__:
        getattr(jk.ops, name)


def refused(path, load=load_model):
    __tracebackhide__ = True
    caught = None
    with nothing_happens(path):
        try:
            load(path)
        except Exception as error:
            caught = error
    assert type(caught) is ValueError, repr(caught)
    assert 20 < len(str(caught)) < 500
    return str(caught)


def rewritten(source, target, change=None, extra=(), replace=None):
    """A copy of a `.keras` file with another config or members."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json" and change is not None:
                config = json.loads(data)
                change(config)
                data = json.dumps(config).encode()
            new.writestr(name, (replace or {}).get(name, data))
        for name, data in extra:
            new.writestr(name, data)
    return target


@pytest.mark.parametrize(
    "bad,place", [(b, p) for b in BAD for p in PLACES if b != "vocabulary" or p in ("top", "layer")]
)
def test_a_config_names_only_what_is_registered(honest, tmp_path, bad, place):
    folder, _ = honest
    path = rewritten(folder / "m.keras", tmp_path / "m.keras", lambda c: PLACES[place](c, copy.deepcopy(BAD[bad])))
    refused(path)


@pytest.mark.parametrize("place", ["layer", "initializer", "call", "deep", "loss", "metrics", "optimizer_config"])
@pytest.mark.parametrize("bad", ["popen", "eval", "lambda", "get_file", "lambda-layer"])
def test_old_files_neither(honest, tmp_path, place, bad):
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


def test_the_other_ways_from_a_config_keep_the_same_list():
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


def test_no_code_from_files_can_be_reached():
    root = pathlib.Path(jk.__file__).parent
    forbidden = {"pickle", "marshal", "dill", "cloudpickle", "shelve", "importlib", "subprocess", "runpy", "code"}
    for path in [*sorted((root / "saving").glob("*.py")), root / "registry.py", root / "models" / "functional.py"]:
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


# -- HDF5 that reaches outside ----------------------------------------------------------------------------------------
def _links(group, key, outside):
    """Replace a member by something that lies elsewhere, one way after the other."""
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
def test_links_out_of_the_file_are_not_followed(honest, tmp_path, ending, path):
    folder, model = honest
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)  # opening it would wait for ever
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


# -- bombs: files that ask for much more memory than they are large ----------------------------------------------------
HUGE = 200_000_000


def _memory(field):
    """Megabytes: "VmRSS" now, "VmHWM" at most since the last reset."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) / 1024


@contextlib.contextmanager
def little_memory():
    """At most 64 MiB more are needed, and at most five seconds."""
    gc.collect()
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before, start = _memory("VmRSS"), time.monotonic()
    yield
    assert _memory("VmHWM") - before < 64 and time.monotonic() - start < 5


linux = pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="measures memory as Linux counts it")


def _widen(config, units=HUGE):
    config["config"]["layers"][1]["config"]["units"] = units


def _declare(file, key, **storage):
    """In place of an array one of the same kind that is huge, of which nothing is stored."""
    for path in (key, key.replace("kernel", "bias").replace("vars/0", "vars/1")):
        if path in file:
            shape = (*file[path].shape[:-1], HUGE)
            del file[path]
            file.create_dataset(path, shape, "float32", **storage)


STORAGE = {"contiguous": {}, "chunked": {"chunks": True}, "compressed": {"chunks": True, "compression": "gzip"}}


@linux
@pytest.mark.parametrize("storage", STORAGE)
@pytest.mark.parametrize("ending", ["weights.h5", "h5", "keras"])
@pytest.mark.parametrize("agrees", [False, True], ids=["data", "data-and-config"])
def test_huge_arrays_of_which_nothing_is_stored(honest, tmp_path, ending, storage, agrees):
    folder, model = honest
    path = tmp_path / f"m.{ending}"
    inner = tmp_path / "m.weights.h5"
    source = folder / ("m.h5" if ending == "h5" else inner.name)
    target = path if ending == "h5" else inner
    target.write_bytes(source.read_bytes())
    with h5py.File(target, "r+") as file:
        _declare(file, "model_weights/d/d/kernel" if ending == "h5" else "layers/dense/vars/0", **STORAGE[storage])
        if ending == "h5" and agrees:
            config = json.loads(file.attrs["model_config"])
            _widen(config)
            file.attrs["model_config"] = json.dumps(config)
    if ending == "keras":
        replace = {"model.weights.h5": inner.read_bytes()}
        rewritten(folder / "m.keras", path, _widen if agrees else None, replace=replace)
    with little_memory():
        message = refused(path, model.load_weights if ending == "weights.h5" else load_model)
    assert "declares more than it holds" in message or "shapes" in message


@linux
@pytest.mark.parametrize("units", [10**8, 10**12])
@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_huge_layers_without_weights_to_match(honest, tmp_path, ending, units):
    folder, _ = honest
    path = tmp_path / f"m.{ending}"
    if ending == "keras":
        rewritten(folder / "m.keras", path, lambda config: _widen(config, units))
    else:
        path.write_bytes((folder / "m.h5").read_bytes())
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            _widen(config, units)
            file.attrs["model_config"] = json.dumps(config)
    with little_memory():
        assert "'d'" in refused(path)


@linux
@pytest.mark.parametrize("member", ["config.json", "model.weights.h5", "metadata.json", "assets/x"])
def test_members_that_inflate(honest, tmp_path, member):
    folder, _ = honest
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(folder / "m.keras") as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        data = {name: old.read(name) for name in old.namelist()}
        data[member] = data.get(member, b"") + b" " * (200 * 1024**2)
        for name, content in data.items():
            new.writestr(name, content)
    del data, content
    with little_memory():
        assert "declares more than it holds" in refused(path)


def test_many_arrays_that_are_harmless_alone(tmp_path):
    path = tmp_path / "m.weights.h5"
    model = jk.Sequential([L.Input((1000,)), *(L.Dense(1000, use_bias=False) for _ in range(9))])
    with h5py.File(path, "w") as file:
        for i in range(9):
            file.create_dataset(f"layers/dense{f'_{i}' if i else ''}/vars/0", (1000, 1000), "float32")
    assert "declares more than it holds" in refused(path, model.load_weights)
    with pytest.raises(ValueError, match="declares more than it holds"):
        jk.saving.KerasFileEditor(path)


@linux
def test_shapes_and_numbers_in_configs_reserve_nothing(honest, tmp_path):
    """What a layer computes while its graph is built is computed abstractly."""
    folder, _ = honest
    bombs = {
        "RepeatVector": {"n": 10**9}, "Dense": {"units": 10**9}, "Embedding": {"input_dim": 10**9, "output_dim": 9},
        "CategoryEncoding": {"num_tokens": 10**9}, "UnitNormalization": {"axis": -1},
        "RandomRotation": {"factor": 0.1}, "RandomZoom": {"height_factor": 0.1}, "UpSampling2D": {"size": 10**5},
        "Resizing": {"height": 10**6, "width": 10**6}, "ZeroPadding2D": {"padding": 10**6},
    }  # fmt: skip
    images = ("RandomRotation", "RandomZoom", "UpSampling2D", "Resizing", "ZeroPadding2D")

    def change(config, name):
        before, layer = config["config"]["layers"]
        shape = [None, 10**4, 10**5, 3] if name in images else [None, 10**9]
        before["config"]["batch_shape"] = layer["inbound_nodes"][0]["args"][0]["config"]["shape"] = shape
        layer |= {"class_name": name, "config": {"name": "d", **bombs[name]}}
        layer.pop("build_config")

    for name in bombs:
        path = rewritten(folder / "m.keras", tmp_path / "m.keras", lambda c, name=name: change(c, name))
        with little_memory(), contextlib.suppress(ValueError):
            load_model(path)

    def metric(config):
        config["compile_config"]["metrics"] = [{"module": "keras.metrics", "class_name": "AUC", "config": huge}]

    huge = {"num_thresholds": 10**9}
    with little_memory():
        assert "num_thresholds" in refused(rewritten(folder / "m.keras", tmp_path / "m.keras", metric))


def test_honest_files_may_be_compressed(honest, tmp_path):
    folder, model = honest
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(folder / "m.keras") as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert path.stat().st_size < (folder / "m.keras").stat().st_size
    for a, b in zip(load_model(path).get_weights(), model.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_strings_in_place_of_numbers(honest, tmp_path):
    folder, model = honest
    path = tmp_path / "m.weights.h5"
    path.write_bytes((folder / path.name).read_bytes())
    with h5py.File(path, "r+") as file:
        group = file["layers/dense/vars"]
        del group["0"]
        group.create_dataset("0", (3, 2), h5py.string_dtype())
    assert "no array of numbers" in refused(path, model.load_weights)


def test_two_members_of_one_name(honest, tmp_path):
    folder, _ = honest
    path = rewritten(folder / "m.keras", tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as file:
        file.writestr("config.json", "{}")
    assert "two members" in refused(path)


# -- zip members, damage ----------------------------------------------------------------------------------------------
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
def test_cut_files(honest, tmp_path, ending):
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
def test_senseless_arguments(honest, tmp_path, units):
    folder, _ = honest

    def change(config):
        config["config"]["layers"][1]["config"]["units"] = units

    refused(rewritten(folder / "m.keras", tmp_path / "m.keras", change))


def test_members_missing(honest, tmp_path):
    folder, _ = honest
    for name in ("config.json", "model.weights.h5"):
        with zipfile.ZipFile(folder / "m.keras") as old, zipfile.ZipFile(tmp_path / "m.keras", "w") as new:
            for member in old.namelist():
                if member != name:
                    new.writestr(member, old.read(member))
        assert name in refused(tmp_path / "m.keras")
