"""Weights in a file whose kind of dtype differs from the model's are rejected; NaN loads with one warning."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras import layers as L
from jaxkeras.saving import orbax_format

FORMATS = ["m.keras", "m.weights.h5", "m.h5", "m.weights.json", "folder", "orbax"]


class Add(L.Layer):
    def __init__(self, kind="float32", **kwargs):
        super().__init__(**kwargs)
        self.kind = kind

    def build(self, input_shape):
        self.w = self.add_weight((2, 3), "ones", dtype=self.kind, name="w")

    def call(self, x):
        return x


def model(kind="float32"):
    return jk.Sequential([L.Input((3,)), L.Dense(3, name="d"), Add(kind, name="add")], name="net")


def write(m, folder, name):
    """Save weights in the format given by the name, and return the path to load from."""
    path = folder / name
    if name == "m.weights.json":
        m.save_weights(path, max_shard_size=1)
    elif name == "m.weights.h5":
        m.save_weights(path)
    elif name == "orbax":
        ocp = pytest.importorskip("orbax.checkpoint").v1
        ocp.save_checkpointables(path, orbax_format.contents(m, weights_only=True))
    else:
        m.save(path, zipped=False if name == "folder" else None)
    return path


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("saved", "kind"), [("complex64", "float32"), ("float32", "int32"), ("int32", "bool")])
def test_incompatible_dtypes_raise(tmp_path, name, saved, kind):
    theirs, ours = model(saved), model(kind)
    with pytest.raises(ValueError, match=rf"type {saved} in '[\w/.]*add[\w/.]*', but variable 'net/add/w' is {kind}"):
        ours.load_weights(write(theirs, tmp_path, name))


@pytest.mark.parametrize(
    ("saved", "kind"), [("int32", "float32"), ("float32", "complex64"), ("bool", "int32"), ("float32", "float16")]
)
def test_compatible_dtypes_are_converted(tmp_path, saved, kind):
    theirs, ours = model(saved), model(kind)
    ours.load_weights(write(theirs, tmp_path, "m.weights.h5"))
    np.testing.assert_array_equal(ours.layers[1].w, np.ones((2, 3)))
    assert ours.layers[1].w.dtype == kind


def test_text_raises(tmp_path):
    h5py = pytest.importorskip("h5py")
    m = model()
    path = write(m, tmp_path, "m.weights.h5")
    with h5py.File(path, "r+") as file:
        del file["layers/add/vars/0"]
        file["layers/add/vars/0"] = np.full((2, 3), b"1")
    with pytest.raises(ValueError, match=r"type \|S1 in 'layers/add/vars/0'"):
        m.load_weights(path)


def test_complex_optimizer_state_warns(tmp_path):
    h5py = pytest.importorskip("h5py")
    m = model()
    m.compile("adam", "mse")
    m.optimizer.build(m.trainable_variables)
    path = write(m, tmp_path, "m.weights.h5")
    with h5py.File(path, "r+") as file:
        shape = file["optimizer/vars/2"].shape
        del file["optimizer/vars/2"]
        file["optimizer/vars/2"] = np.full(shape, 1 + 1j)
    with pytest.warns(UserWarning, match="type complex128 in 'optimizer/vars/2'"):
        m.load_weights(path)


@pytest.mark.parametrize("name", FORMATS)
def test_nan_loads_with_one_warning(tmp_path, name):
    theirs, ours = model(), model()
    theirs.layers[0].bias.assign([1.0, np.nan, 2.0])
    theirs.layers[1].w.assign(np.full((2, 3), np.nan))
    path = write(theirs, tmp_path, name)
    with pytest.warns(UserWarning) as caught:
        ours.load_weights(path)
    assert len(caught) == 1
    place = {"m.h5": "d/net/d/bias", "orbax": "net/d/bias"}.get(name, "layers/dense/vars/1")
    assert f"{place}' and in another array." in str(caught[0].message)
    np.testing.assert_array_equal(ours.layers[0].bias, [1.0, np.nan, 2.0])


@pytest.mark.parametrize("kind", ["float32", "bfloat16", "float16", "complex64"])
def test_nan_is_detected_in_every_dtype(tmp_path, kind):
    m = model(kind)
    path = write(m, tmp_path, "m.weights.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        m.load_weights(path)
    m.layers[1].w.assign([[1, 2, np.nan], [0, np.inf, -np.inf]])
    path = write(m, tmp_path, "m.weights.h5")
    with pytest.warns(UserWarning, match=r"NaN in 'layers/add/vars/0'\.$"):
        m.load_weights(path)
