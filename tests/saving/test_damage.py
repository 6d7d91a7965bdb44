"""Files with a flipped bit or a truncated end are rejected, or load unchanged."""

from __future__ import annotations

import json
import shutil
import warnings
import zipfile

import keras
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras import layers as L
from jaxkeras.saving import checksum, load_model

FLIPS = 500
ENDINGS = ("keras", "h5", "weights.h5")
WORDS = ["a", "b"]


def make(ending):
    """A model with weights, state, an optimizer and, where the format supports it, an asset."""
    x = L.Input((3,), name="x")
    y = L.Dense(2, name="d")(L.Dropout(0.5, name="drop")(x))
    inputs = [x]
    if ending == "keras":
        lookup = L.StringLookup(name="words")
        lookup.adapt(np.array(WORDS))
        inputs.append(L.Input((1,), dtype="string", name="text"))
        y = L.Concatenate(name="both")([y, L.Embedding(4, 2, name="e")(lookup(inputs[1]))[:, 0]])
    model = jk.Model(inputs if len(inputs) > 1 else x, y)
    model.compile("adam", "mse", metrics=["mae"])
    model.optimizer.build(model.trainable_variables)
    for i, v in enumerate([*model.weights, *model.optimizer.variables]):
        if v.dtype == "float32":
            v.assign(np.linspace(i, i + 1, v.size).reshape(v.shape))
    return model


def content(model):
    """Everything about a model that a file stores."""
    config = json.dumps([model.get_config(), model.get_compile_config()], sort_keys=True)
    words = [layer.get_vocabulary() for layer in model.layers if isinstance(layer, L.StringLookup)]
    arrays = [np.asarray(v.cell()).tobytes() for v in [*model.variables, *model.optimizer.variables]]
    return config, words, arrays


@pytest.fixture(scope="module", params=ENDINGS)
def saved(request, tmp_path_factory):
    ending = request.param
    path = tmp_path_factory.mktemp("damage") / f"m.{ending}"
    model = make(ending)
    (model.save_weights if ending == "weights.h5" else model.save)(path)
    return ending, path, model


def loaded(path, model):
    """The content of a file, loaded into a copy of `model` where the file has no architecture."""
    if not path.name.endswith(".weights.h5"):
        return content(load_model(path))
    other = jk.Model.from_config(model.get_config())
    other.compile_from_config(model.get_compile_config())
    other.load_weights(path)
    return content(other)


def unharmed_or_refused(path, data, model, expected, label):
    """Whether a damaged file is rejected; otherwise it must load unchanged and without a warning."""
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = loaded(path, model)
        except ValueError as error:
            assert len(str(error)) < 500, label
            return True
    assert found == expected, f"{label}: silently loaded a different model"
    return False


def test_flipped_bits(saved, tmp_path):
    ending, source, model = saved
    expected, data = loaded(source, model), source.read_bytes()
    assert expected[1:] == content(model)[1:]
    path = tmp_path / source.name
    refused = 0
    for place in np.random.default_rng(0).integers(0, 8 * len(data), FLIPS).tolist():
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        refused += unharmed_or_refused(path, bytes(flipped), model, expected, f"bit {place}")
    assert refused > 0.9 * FLIPS


def test_truncated_files(saved, tmp_path):
    ending, source, model = saved
    expected, data = loaded(source, model), source.read_bytes()
    path = tmp_path / source.name
    for missing in [*range(1, 60), *np.linspace(60, len(data), 20).astype(int)]:
        refused = unharmed_or_refused(path, data[: len(data) - missing], model, expected, f"{missing} bytes less")
        # If most of the checksum is cut off, the content is still complete.
        assert refused or 40 < missing <= 48 and ending != "keras", missing


@pytest.mark.parametrize("ending", ["h5", "weights.h5"])
def test_flipped_bits_in_the_checksum(tmp_path, ending):
    path, model = tmp_path / f"m.{ending}", make(ending)
    (model.save_weights if ending == "weights.h5" else model.save)(path)
    expected, data = loaded(path, model), path.read_bytes()
    for place in range(len(data) - 48, len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1
        unharmed_or_refused(path, bytes(flipped), model, expected, f"byte {place}")


def test_missing_member_raises(tmp_path):
    model = make("keras")
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as old, zipfile.ZipFile(tmp_path / "less.keras", "w") as new:
        for name in old.namelist():
            if not name.startswith("assets/"):
                new.writestr(name, old.read(name))
    with pytest.raises(ValueError, match="vocabulary.txt' is no longer in it"):
        load_model(tmp_path / "less.keras")


def test_flipped_bits_in_folders_and_shards(tmp_path):
    model = make("keras")
    folder = tmp_path / "folder"
    model.save(folder, zipped=False)
    expected = content(model)
    assert content(load_model(folder)) == expected
    names = [p.relative_to(folder) for p in folder.rglob("*") if p.is_file()]
    assert len(names) == 4
    rng = np.random.default_rng(1)
    for name in names:
        for _ in range(20):
            copy = tmp_path / "copy"
            shutil.copytree(folder, copy, dirs_exist_ok=True)
            flipped = bytearray((copy / name).read_bytes())
            flipped[rng.integers(len(flipped))] ^= 1 << int(rng.integers(8))
            (copy / name).write_bytes(flipped)
            try:
                assert content(load_model(copy)) == expected, name
            except ValueError:
                pass
    model.save_weights(tmp_path / "w.weights.json", max_shard_size=1e-7)
    shard = tmp_path / "w_00001.weights.h5"
    flipped = bytearray(shard.read_bytes())
    flipped[len(flipped) // 2] ^= 4
    shard.write_bytes(flipped)
    with pytest.raises(ValueError, match="SHA-256"):
        model.load_weights(tmp_path / "w.weights.json")


def test_files_edited_by_other_programs_lose_their_checksum(tmp_path):
    h5py = pytest.importorskip("h5py")
    path, model = tmp_path / "m.weights.h5", make("weights.h5")
    model.save_weights(path)
    size = path.stat().st_size
    with h5py.File(path, "r+") as file:
        file["layers/dense/vars/1"][...] = [7.0, 8.0]
    assert path.stat().st_size == size - 48
    model.load_weights(path)
    np.testing.assert_array_equal(model.get_layer("d").bias, [7.0, 8.0])


def test_keras_files_have_no_checksum(tmp_path):
    theirs = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    for ending in ENDINGS:
        path = tmp_path / f"m.{ending}"
        (theirs.save_weights if ending == "weights.h5" else theirs.save)(path)
        checksum.check(path)
        ours = jk.Sequential([L.Input((3,)), L.Dense(2)])
        ours.load_weights(path)
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
