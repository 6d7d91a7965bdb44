"""`KerasFileEditor`: inspect, edit and reload files of jaxkeras and Keras."""

import keras
import numpy as np
import pytest

import jaxkeras as jk

RNG = np.random.default_rng(0)


def model(library=jk, units=3):
    layers = library.layers
    inner = library.Sequential([library.Input((units,)), layers.Dense(2, name="inner_dense")], name="inner")
    return library.Sequential(
        [
            library.Input((4,)),
            layers.Dense(units, name="first"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            inner,
        ]
    )


@pytest.fixture
def editor(tmp_path):
    model().save_weights(tmp_path / "a.weights.h5")
    return jk.saving.KerasFileEditor(tmp_path / "a.weights.h5")


def test_summary_shows_a_tree(tmp_path, capsys):
    network = model()
    network.save(tmp_path / "a.keras")
    editor = jk.saving.KerasFileEditor(tmp_path / "a.keras")
    assert "Saved with Keras 3" in capsys.readouterr().out and editor.config["class_name"] == "Sequential"
    editor.summary()
    out = capsys.readouterr().out
    assert "├─ dense ('first')\n" in out and "0: shape=(4, 3), dtype=float32\n" in out
    np.testing.assert_array_equal(editor.weights_dict["layers"]["dense"]["0"], network.layers[0].kernel)
    # Nested layers are included.
    assert editor.weights_dict["layers"]["sequential"]["layers"]["dense"]["0"].shape == (3, 2)


def test_resaved_file_loads(editor, tmp_path):
    editor.save(tmp_path / "b.weights.h5")
    twin = model()
    twin.load_weights(tmp_path / "b.weights.h5")
    np.testing.assert_array_equal(twin.layers[0].kernel, editor.weights_dict["layers"]["dense"]["0"])
    again = jk.saving.KerasFileEditor(tmp_path / "b.weights.h5")
    assert again.object_metadata == editor.object_metadata


def test_edited_keras_files_load_in_keras(tmp_path):
    theirs = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(2)])
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    editor = jk.saving.KerasFileEditor(tmp_path / "theirs.weights.h5")
    bias = np.array([5.0, 6.0], "float32")
    editor.add_weights("dense_1", {"1": bias})
    editor.resave_weights(tmp_path / "edited.weights.h5")
    theirs.load_weights(tmp_path / "edited.weights.h5")
    np.testing.assert_array_equal(theirs.layers[1].bias, bias)


def test_rename_delete_and_add_objects(editor, tmp_path):
    editor.rename_object("layers/dense", "einsum_dense")
    editor.delete_object("batch_normalization")
    editor.add_object("layers/new", weights={"0": np.ones((2, 2))})
    editor.delete_weight("new", "0")
    editor.add_weights("layers/new", {"kernel": np.zeros(3)})
    layers = editor.weights_dict["layers"]
    assert (
        "einsum_dense" in layers
        and "dense" not in layers
        and "batch_normalization" not in layers
        and list(layers["new"]) == ["kernel"]
    )
    assert editor.object_metadata["/layers/einsum_dense"]["name"] == "first"
    editor.save(tmp_path / "b.weights.h5")
    assert "einsum_dense" in jk.saving.KerasFileEditor(tmp_path / "b.weights.h5").weights_dict["layers"]


def test_compare_counts_differences(editor, capsys):
    same = editor.compare(model())
    assert same["status"] == "success" and same["error_count"] == 0 and same["match_count"] >= 8
    wider = editor.compare(model(units=5))
    assert wider["status"] == "error" and wider["error_count"] == 7 and wider["match_count"] == same["match_count"] - 7
    assert "mismatch for /layers/dense/0: (4, 5) in reference model, (4, 3) in saved file" in capsys.readouterr().out
    editor.delete_object("layers/dense")
    editor.add_object("extra", {"0": np.zeros(1)})
    editor.delete_object("seed_generator")  # not written by Keras
    assert editor.compare(model())["error_count"] == 3


@pytest.mark.parametrize(
    "edit, text",
    [
        (lambda e: e.delete_object("nowhere"), "no object 'nowhere'"),
        (lambda e: e.delete_object("layers/nowhere"), "no object 'layers/nowhere'"),
        (lambda e: e.delete_object("dense"), "occurs 2 times"),
        (lambda e: e.rename_object("layers/dense", "a/b"), "last part"),
        (lambda e: e.rename_object("layers/dense", "batch_normalization"), "already"),
        (lambda e: e.add_object("nowhere/dense", {"0": 1}), "no object '/nowhere'"),
        (lambda e: e.add_object("layers/x", [1]), "must be a dict"),
        (lambda e: e.add_weights("layers/dense/0", {"0": 1}), "is a weight"),
        (lambda e: e.delete_weight("layers/dense", "7"), "it has 0, 1"),
        (lambda e: e.save("x.keras"), "weights.h5"),
    ],
)
def test_invalid_edits_raise(editor, edit, text):
    with pytest.raises(ValueError, match=text):
        edit(editor)


def test_unsupported_and_damaged_files_raise(tmp_path):
    with pytest.raises(ValueError, match="reads"):
        jk.saving.KerasFileEditor(tmp_path / "a.h5")
    with pytest.raises(FileNotFoundError, match="no file"):
        jk.saving.KerasFileEditor(tmp_path / "a.keras")
    for name in ("a.keras", "a.weights.h5"):
        (tmp_path / name).write_bytes(b"nonsense")
        with pytest.raises(ValueError, match="damaged"):
            jk.saving.KerasFileEditor(tmp_path / name)


def test_links_are_not_followed(tmp_path):
    import h5py

    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        file["layers"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/")
    with pytest.raises(ValueError, match="link"):
        jk.saving.KerasFileEditor(tmp_path / "a.weights.h5")
