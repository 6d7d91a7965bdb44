"""Bombs: small files that request huge amounts of memory, loaded by another process that measures itself."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras import layers as L
from jaxkeras.saving import load_model
from tests.saving.hostile import refused, rewritten

h5py = pytest.importorskip("h5py")
HUGE = 200_000_000
SCRIPT = pathlib.Path(__file__).with_name("measured_reader.py")


class Reader:
    """Loads files with `measured_reader.py`, restarted after it dies or its peak memory has grown."""

    def __init__(self, folder):
        self.folder, self.process = folder, None

    def ask(self, **request):
        if self.process is None:
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
            command = [sys.executable, "-W", "ignore", SCRIPT, self.folder]
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            assert self.process.stdout.readline() == '{"ready": true}\n', "the reader did not start"
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"grew": np.inf, "seconds": np.inf}
        if answer["grew"] >= 64:  # the peak never decreases and would hide later growth
            self.close()
        return answer

    def read(self, path, quiet=False):
        """Load a file and return the response; growth is limited to 64 MiB over all files, time to five seconds."""
        answer = self.ask(path=str(path), weights=path.name.endswith(".weights.h5"), quiet=quiet)
        assert answer["grew"] < 64 and answer["seconds"] < 5, answer
        return answer

    def refused(self, path):
        answer = self.read(path, quiet=True)
        assert answer["caught"] == "ValueError" and 20 < len(answer["message"]) < 500, answer
        return answer["message"]

    def close(self):
        if self.process is not None:
            self.process.communicate()
            self.process = None


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    reader = Reader(tmp_path_factory.mktemp("reader"))
    yield reader
    reader.close()


def _widen(config, units=HUGE):
    config["config"]["layers"][1]["config"]["units"] = units


def _declare(file, key, **storage):
    """Replace an array with a huge one of the same type whose data is not stored."""
    for path in (key, key.replace("kernel", "bias").replace("vars/0", "vars/1")):
        if path in file:
            shape = (*file[path].shape[:-1], HUGE)
            del file[path]
            file.create_dataset(path, shape, "float32", **storage)


STORAGE = {"contiguous": {}, "chunked": {"chunks": True}, "compressed": {"chunks": True, "compression": "gzip"}}


@pytest.mark.parametrize("storage", STORAGE)
@pytest.mark.parametrize("ending", ["weights.h5", "h5", "keras"])
@pytest.mark.parametrize("agrees", [False, True], ids=["data", "data-and-config"])
def test_huge_arrays_without_stored_data(honest, reader, tmp_path, ending, storage, agrees):
    folder, _ = honest
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
    message = reader.refused(path)
    assert "declares more than it holds" in message or "shapes" in message


@pytest.mark.parametrize("units", [10**8, 10**12])
@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_huge_layers_with_small_weights(honest, reader, tmp_path, ending, units):
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
    assert "'d'" in reader.refused(path)


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5", "metadata.json", "assets/x"])
def test_zip_bombs(honest, reader, tmp_path, member):
    folder, _ = honest
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(folder / "m.keras") as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        data = {name: old.read(name) for name in old.namelist()}
        data[member] = data.get(member, b"") + b" " * (200 * 1024**2)
        for name, content in data.items():
            new.writestr(name, content)
    assert "declares more than it holds" in reader.refused(path)


def test_many_moderate_arrays_without_stored_data(tmp_path):
    path = tmp_path / "m.weights.h5"
    model = jk.Sequential([L.Input((1000,)), *(L.Dense(1000, use_bias=False) for _ in range(9))])
    with h5py.File(path, "w") as file:
        for i in range(9):
            file.create_dataset(f"layers/dense{f'_{i}' if i else ''}/vars/0", (1000, 1000), "float32")
    assert "declares more than it holds" in refused(path, model.load_weights)
    with pytest.raises(ValueError, match="declares more than it holds"):
        jk.saving.KerasFileEditor(path)


def test_huge_sizes_in_configs_allocate_nothing(honest, reader, tmp_path):
    """Layers are traced abstractly while their graph is built."""
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
        assert reader.read(path)["caught"] in (None, "ValueError")

    def metric(config):
        config["compile_config"]["metrics"] = [{"module": "keras.metrics", "class_name": "AUC", "config": huge}]

    huge = {"num_thresholds": 10**9}
    assert "num_thresholds" in reader.refused(rewritten(folder / "m.keras", tmp_path / "m.keras", metric))


def test_compressed_valid_files_load(honest, tmp_path):
    folder, model = honest
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(folder / "m.keras") as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert path.stat().st_size < (folder / "m.keras").stat().st_size
    for a, b in zip(load_model(path).get_weights(), model.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_reader_measures_allocated_memory(reader, tmp_path):
    ballast = np.ones(256 * 1024**2, np.int8)  # must not count towards the reader's peak
    reader.close()
    assert reader.ask(hold=16)["grew"] < 64
    assert 160 <= reader.ask(hold=192)["grew"] < 256
    assert ballast.all() and reader.process is None
