"""Models saved as folders, sharded weights, and skipped objects; exchanged with Keras."""

import json
import os
import pathlib

import keras
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.saving import keras_format

KB = 1 / 1024**2  # in gigabytes


def model(library=jk):
    layers = library.layers
    return library.Sequential(
        [library.Input((8,)), layers.Dense(16, name="a"), layers.Dropout(0.5), layers.Dense(32, name="b")]
    )


def weights_of(network):
    return [np.asarray(w) for w in network.get_weights()]


def same(one, other):
    for x, y in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_array_equal(x, y)


# -- folders ----------------------------------------------------------------------------------------------------------
def test_save_and_load_a_folder(tmp_path):
    text = jk.layers.TextVectorization()
    text.adapt(["a b", "b"])  # adapted, so it is written as an asset
    network = jk.Sequential([jk.Input((1,), dtype="string"), text, jk.layers.Embedding(4, 2)])
    network.save(tmp_path / "folder", zipped=False)
    assert {path.name for path in (tmp_path / "folder").iterdir()} >= {"config.json", "model.weights.h5", "assets"}
    loaded = jk.models.load_model(tmp_path / "folder")
    same(loaded, network)
    assert loaded.layers[0].get_vocabulary() == text.get_vocabulary()
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]
    # Overwrite, and load only the weights.
    other = jk.models.load_model(tmp_path / "folder")
    other.layers[-1].set_weights([np.ones((4, 2))])
    other.save(tmp_path / "folder", zipped=False)
    network.load_weights(tmp_path / "folder")
    same(network, other)


def test_folders_are_exchanged_with_keras(tmp_path):
    theirs = model(keras)
    keras.saving.save_model(theirs, tmp_path / "theirs", zipped=False)
    ours = jk.models.load_model(tmp_path / "theirs")
    same(ours, theirs)
    ours.save(tmp_path / "ours", zipped=False)
    same(keras.saving.load_model(tmp_path / "ours"), ours)


@pytest.mark.parametrize(
    "name, more, error, text",
    [
        ("m.keras", {}, ValueError, "must not end"),
        ("old", {"overwrite": False}, FileExistsError, "overwrite"),
    ],
)
def test_invalid_folders_raise(tmp_path, name, more, error, text):
    network = model()
    network.save(tmp_path / "old", zipped=False)
    with pytest.raises(error, match=text):
        network.save(tmp_path / name, zipped=False, **more)
    with pytest.raises(FileNotFoundError, match="nor a folder"):
        jk.models.load_model(tmp_path)


def test_missing_folders_are_made(tmp_path):
    network = model()
    for name in ("a/m.keras", "b/c/m.weights.h5", "d/m.h5"):
        (network.save_weights if "weights" in name else network.save)(tmp_path / name)
    network.save(tmp_path / "e/m", zipped=False)
    same(jk.models.load_model(tmp_path / "a/m.keras"), jk.models.load_model(tmp_path / "e/m"))


# -- shards -----------------------------------------------------------------------------------------------------------
def test_shards_respect_max_shard_size(tmp_path):
    network = model()
    network.compile("adam", "mse")
    network.fit(np.ones((4, 8)), np.ones((4, 32)), verbose=0)
    network.save_weights(tmp_path / "w.weights.json", max_shard_size=2.5 * KB)
    listed = json.loads((tmp_path / "w.weights.json").read_text())
    files = sorted(path.name for path in tmp_path.glob("*.h5"))
    assert files[0] == "w_00000.weights.h5" and len(files) > 3
    assert listed["weight_map"]["/layers/dense/vars"] == "w_00000.weights.h5"
    assert isinstance(listed["weight_map"]["/optimizer/vars"], list)
    fresh = model()
    fresh.compile("adam", "mse")
    fresh.load_weights(tmp_path / "w.weights.json")
    same(fresh, network)
    assert int(fresh.optimizer.iterations) == 1
    for mine, theirs in zip(fresh.optimizer.variables, network.optimizer.variables):
        np.testing.assert_array_equal(mine, theirs)


def test_sharded_weights_are_exchanged_with_keras(tmp_path):
    theirs, ours = model(keras), model()
    theirs.save_weights(tmp_path / "theirs.weights.json", max_shard_size=2.5 * KB)
    ours.load_weights(tmp_path / "theirs.weights.json")
    same(ours, theirs)
    fresh = model()
    fresh.save_weights(tmp_path / "ours.weights.h5", max_shard_size=2.5 * KB)  # saved as .json, as in Keras
    theirs.load_weights(tmp_path / "ours.weights.json")
    same(fresh, theirs)


def test_overwriting_shards_removes_only_old_shards(tmp_path):
    ours, theirs = model(), model(keras)
    stranger = tmp_path / "w_00007.weights.h5"
    stranger.write_text("not ours")
    for value in range(3):
        ours.set_weights([np.full_like(w, value) for w in weights_of(ours)])
        ours.save_weights(tmp_path / "w.weights.json", max_shard_size=2.5 * KB)
        theirs.load_weights(tmp_path / "w.weights.json")
        same(ours, theirs)
        listed = json.loads((tmp_path / "w.weights.json").read_text())["weight_map"].values()
        assert {p.name for p in tmp_path.iterdir()} == {"w.weights.json", stranger.name, *listed}


class Failing(jk.layers.Dense):
    """Fails when its weights are written."""

    def save_own_variables(self, store):
        raise OSError(28, "No space left on device")


def test_error_while_saving_keeps_the_old_files(tmp_path, monkeypatch):
    old, new = model(), model()
    broken = jk.Sequential([jk.Input((8,)), jk.layers.Dense(16), Failing(32)])
    names = lambda: sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*"))  # noqa: E731
    old.save(tmp_path / "folder", zipped=False)
    old.save_weights(tmp_path / "w.weights.json", max_shard_size=2.5 * KB)
    before = names()

    def check():
        assert names() == before
        same(jk.models.load_model(tmp_path / "folder"), old)
        other = model()
        other.load_weights(tmp_path / "w.weights.json")
        same(other, old)

    for network in (broken, new):
        for save in (
            lambda network=network: network.save(tmp_path / "folder", zipped=False),
            lambda network=network: network.save_weights(tmp_path / "w.weights.json", max_shard_size=2.5 * KB),
        ):
            with monkeypatch.context() as patch:
                if network is new:  # everything is written, but renaming fails
                    patch.setattr(os, "replace", _refuse)
                    patch.setattr(pathlib.Path, "rename", _refuse)
                with pytest.raises(OSError, match="No space"):
                    save()
            check()


def _refuse(*arguments):
    raise OSError(28, "No space left on device")


def test_folder_with_unfinished_renames_loads(tmp_path, monkeypatch):
    old, new, last = model(), model(), model()
    folder = tmp_path / "folder"
    old.save(folder, zipped=False)
    (folder / "notes.txt").write_text("mine")
    with monkeypatch.context() as patch:  # as if the process died here
        patch.setattr(keras_format, "_settle", lambda *arguments: None)
        new.save(folder, zipped=False)
    same(jk.models.load_model(folder), new)
    loaded = model()
    loaded.load_weights(folder)
    same(loaded, new)
    last.save(folder, zipped=False)
    same(jk.models.load_model(folder), last)
    same(keras.saving.load_model(folder), last)
    assert {p.name for p in folder.iterdir()} == {"config.json", "metadata.json", "model.weights.h5", "notes.txt"}


def test_invalid_shard_lists_raise(tmp_path):
    network = model()
    with pytest.raises(ValueError, match="alone has 2,048 bytes"):
        network.save_weights(tmp_path / "w.weights.json", max_shard_size=1 * KB)
    with pytest.raises(ValueError, match="weights.json"):
        network.save_weights(tmp_path / "w.h5", max_shard_size=1)
    assert list(tmp_path.iterdir()) == []
    network.save_weights(tmp_path / "w.weights.json", max_shard_size=1)
    (tmp_path / "w_00000.weights.h5").unlink()
    with pytest.raises(ValueError, match="w_00000"):
        network.load_weights(tmp_path / "w.weights.json")
    (tmp_path / "w.weights.json").write_text('{"weight_map": {"/vars": "../other.weights.h5"}}')
    with pytest.raises(ValueError, match="beside it"):
        network.load_weights(tmp_path / "w.weights.json")
    (tmp_path / "w.weights.json").write_text("[]")
    with pytest.raises(ValueError, match="damaged"):
        network.load_weights(tmp_path / "w.weights.json")
    # Saving over an invalid list removes none of the files it names.
    (tmp_path / "notes").write_text("mine")
    (tmp_path / "w.weights.json").write_text('{"weight_map": {"/vars": ["notes", 1]}}')
    network.save_weights(tmp_path / "w.weights.json", max_shard_size=1)
    network.load_weights(tmp_path / "w.weights.json")
    assert (tmp_path / "notes").read_text() == "mine"


# -- skipped objects --------------------------------------------------------------------------------------------------
def test_objects_to_skip(tmp_path):
    network, other = model(), model()
    network.save_weights(tmp_path / "w.weights.h5")
    before = weights_of(other)
    other.load_weights(tmp_path / "w.weights.h5", objects_to_skip=[other.layers[0]])
    np.testing.assert_array_equal(other.layers[0].kernel, before[0])
    np.testing.assert_array_equal(other.layers[-1].kernel, network.layers[-1].kernel)
    jk.saving.save_weights(network, tmp_path / "part.weights.h5", objects_to_skip=[network.layers[-1]])
    other.load_weights(tmp_path / "part.weights.h5", objects_to_skip=[other.layers[-1]])
    np.testing.assert_array_equal(other.layers[0].kernel, network.layers[0].kernel)
    network.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="objects_to_skip"):
        other.load_weights(tmp_path / "m.keras", objects_to_skip=[other.layers[0]])


def test_h5_file_without_the_optimizer(tmp_path):
    network = model()
    network.compile("adam", "mse")
    network.fit(np.ones((4, 8)), np.ones((4, 32)), verbose=0)
    network.save(tmp_path / "m.h5", include_optimizer=False)
    loaded = jk.models.load_model(tmp_path / "m.h5")
    same(loaded, network)
    assert not loaded.compiled
