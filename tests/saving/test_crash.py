"""Saving is atomic: after any failure the complete old or new file is there, and no leftovers."""

from __future__ import annotations

import os
import pathlib
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras import layers as L
from jaxkeras.saving import load_model

ENDINGS = ("keras", "h5", "weights.h5")


def make(value=1.0, width=4):
    model = jk.Sequential([L.Input((width,)), L.Dense(width)])
    model.compile("sgd", "mse")
    model.set_weights([np.full_like(w, value) for w in model.get_weights()])
    return model


def save(model, path, **kwargs):
    (model.save_weights if path.name.endswith(".weights.h5") else model.save)(path, **kwargs)


def content(path):
    """The single value of all weights in a file."""
    if path.name.endswith(".weights.h5"):
        model = make(0.0)
        model.load_weights(path)
    else:
        model = load_model(path)
    (value,) = {float(v) for w in model.get_weights() for v in np.unique(w)}
    return value


@pytest.mark.parametrize("ending", [*ENDINGS, "weights.json", "folder"])
def test_killed_while_saving(tmp_path, ending):
    script = pathlib.Path(__file__).with_name("kill_loop.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script, tmp_path, ending, "10"],
        env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    saves, leftovers = (int(part.split("=")[1]) for part in done.stdout.split())
    assert saves >= 10 and leftovers >= 3, "no save was interrupted"


class Failing(L.Dense):
    """Fails when its weights are written."""

    def save_own_variables(self, store):
        store["0"] = np.ones(3)
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("ending", ["keras", "weights.h5"])
def test_error_while_saving_keeps_the_old_file(tmp_path, ending):
    path = tmp_path / f"model.{ending}"
    save(make(3.0), path)
    model = jk.Sequential([L.Input((4,)), Failing(4)])
    with pytest.raises(OSError, match="No space left"):
        save(model, path)
    assert content(path) == 3.0 and os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("ending", ENDINGS)
def test_full_disk_keeps_the_old_file(tmp_path, ending):
    path = tmp_path / f"model.{ending}"
    save(make(3.0), path)
    large = make(4.0, 300)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError):
            save(large, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert content(path) == 3.0 and os.listdir(tmp_path) == [path.name]
    save(make(5.0), path)
    assert content(path) == 5.0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("ending", ENDINGS)
def test_read_only_folder_keeps_the_old_file(tmp_path, ending):
    path = tmp_path / f"model.{ending}"
    save(make(3.0), path)
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(OSError):
            save(make(4.0), path)
        assert content(path) == 3.0 and os.listdir(tmp_path) == [path.name]
    finally:
        tmp_path.chmod(0o755)


@pytest.mark.parametrize("ending", ENDINGS)
def test_overwrite_and_missing_folders(tmp_path, ending):
    path = tmp_path / f"model.{ending}"
    save(make(3.0), path)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        save(make(4.0), path, overwrite=False)
    assert content(path) == 3.0
    elsewhere = tmp_path / "none" / path.name
    save(make(4.0), elsewhere)  # creates the folder, as in Keras
    assert content(elsewhere) == 4.0
    shutil.rmtree(elsewhere.parent)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / path.name).mkdir()
    with pytest.raises(ValueError, match="is a folder"):
        save(make(4.0), tmp_path / "folder" / path.name)
    assert sorted(os.listdir(tmp_path)) == sorted(["folder", path.name])


def test_only_own_leftovers_of_dead_processes_are_removed(tmp_path):
    alive = tmp_path / f".model.keras.{os.getppid()}.tmp"
    other = tmp_path / ".other.keras.1.tmp"
    dead = tmp_path / ".model.keras.999999999.tmp"
    for path in (alive, other, dead):
        path.write_text("x")
    (tmp_path / ".model.keras.999999999.parts").mkdir()
    save(make(), tmp_path / "model.keras")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["model.keras", alive.name, other.name])
