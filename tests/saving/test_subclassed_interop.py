"""Weights of subclassed models, whose paths in Keras files depend on attribute names."""

from __future__ import annotations

import numpy as np
import pytest

import jaxkeras as jk

keras = pytest.importorskip("keras")
h5py = pytest.importorskip("h5py")
X = np.ones((2, 3), "float32")


def later_attributes(k):
    """A nested model with attributes that sort before and after `layers`."""

    class Inner(k.Model):
        def __init__(self):
            super().__init__()
            self.first = k.layers.Dense(3)
            self.out = k.layers.Dense(3)

        def call(self, x):
            return self.out(self.first(x))

    class Outer(k.Model):
        def __init__(self):
            super().__init__()
            self.alpha = k.layers.Dense(3)
            self.tower = Inner()
            self.out = k.layers.Dense(3)

        def call(self, x):
            return self.out(self.tower(self.alpha(x)))

    model = Outer()
    model(X)
    return model


def lists_of_lists(k):
    class Blocks(k.Model):
        def __init__(self):
            super().__init__()
            self.blocks = [(k.layers.Dense(3), k.Sequential([k.layers.Dense(3)])) for _ in range(2)]
            self.out = k.layers.Dense(2)

        def call(self, x):
            for dense, stacked in self.blocks:
                x = stacked(dense(x))
            return self.out(x)

    model = Blocks()
    model(X)
    return model


@pytest.mark.parametrize("make", [later_attributes, lists_of_lists])
def test_keras_files_are_read(tmp_path, make):
    theirs, ours = make(keras), make(jk)
    theirs.save_weights(tmp_path / "m.weights.h5")
    ours.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_allclose(ours(X), np.asarray(theirs(X)), rtol=1e-5)


def test_keras_reads_our_files(tmp_path):
    theirs, ours = later_attributes(keras), later_attributes(jk)
    ours.save_weights(tmp_path / "m.weights.h5")
    theirs.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_allclose(ours(X), np.asarray(theirs(X)), rtol=1e-5)


def test_layer_missing_in_the_file_raises(tmp_path):
    ours = later_attributes(jk)
    path = tmp_path / "m.weights.h5"
    ours.save_weights(path)
    with h5py.File(path, "r+") as file:
        del file["out"]
    with pytest.raises(ValueError, match="'out/' in the file"):
        ours.load_weights(path)
