"""The datasets bundled with the package."""

from pathlib import Path

import numpy as np
import pytest

from jaxkeras import datasets


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("no download expected")

    monkeypatch.setattr("urllib.request.urlopen", refuse)


def test_digits_equal_scikit_learn():
    sklearn_datasets = pytest.importorskip("sklearn.datasets")
    (x_train, y_train), (x_test, y_test) = datasets.digits.load_data()
    assert (x_train.shape, y_train.shape, x_test.shape, y_test.shape) == ((1437, 8, 8), (1437,), (360, 8, 8), (360,))
    assert (x_train.dtype, y_train.dtype) == (np.uint8, np.int32) and x_train.max() == 16
    theirs = sklearn_datasets.load_digits()
    rows = lambda x, y: sorted(map(bytes, np.c_[x.reshape(-1, 64), y].astype(np.uint8)))  # noqa: E731
    assert rows(np.r_[x_train, x_test], np.r_[y_train, y_test]) == rows(theirs.images, theirs.target)


def test_movie_snippets():
    (x_train, y_train), (x_test, y_test) = datasets.movie_snippets.load_data()
    assert (x_train.shape, y_train.shape, x_test.shape, y_test.shape) == ((8484,), (8484,), (2121,), (2121,))
    assert x_train.dtype.kind == "U" and y_train.dtype == np.int32
    assert y_train.sum() + y_test.sum() == 5242
    assert min(map(len, x_train)) > 0 and not any("\t" in x or "\n" in x for x in x_train)

    (same, ratings), _ = datasets.movie_snippets.load_data(label_mode="rating")
    assert np.array_equal(same, x_train) and ratings.dtype == np.float32
    assert np.array_equal(ratings > 0, y_train) and -4 <= ratings.min() < -3 and 3 < ratings.max() <= 4
    rating = dict(zip(same.tolist(), ratings.tolist()))
    assert rating["Effective but too tepid biopic"] == pytest.approx(-0.6)


@pytest.mark.parametrize("name", ["digits", "movie_snippets"])
def test_split_depends_only_on_the_seed(name):
    load = getattr(datasets, name).load_data
    (first, _), _ = load()
    (again, _), _ = load(seed=113)
    (other, _), _ = load(seed=1)
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    (everything, _), (nothing, _) = load(test_split=0)
    assert len(nothing) == 0 and set(map(str, first)) <= set(map(str, everything))
    with pytest.raises(ValueError, match="test_split=1"):
        load(test_split=1)


def test_default_split_never_changes():
    """Golden first rows: a different order would change users' results."""
    (_, digits), _ = datasets.digits.load_data()
    (snippets, _), _ = datasets.movie_snippets.load_data()
    assert digits[:8].tolist() == [1, 0, 9, 1, 1, 2, 3, 0]
    assert snippets[1].startswith("So beautifully acted and directed")


def test_unknown_label_mode_raises():
    with pytest.raises(ValueError, match="'stars'.*'rating'"):
        datasets.movie_snippets.load_data(label_mode="stars")


def test_licences_are_packaged():
    folder = Path(datasets.__file__).parent / "embedded"
    data = {path.name.split(".")[0] for path in folder.iterdir() if not path.name.startswith("LICENSE")}
    assert data == {"digits", "movie_snippets"}
    for name in data:
        assert len((folder / f"LICENSE.{name}.txt").read_text()) > 400
