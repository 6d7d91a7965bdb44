"""`split_dataset`: sizes and shuffles as in Keras, for every type of data."""

import random

import numpy as np
import pytest
from keras.src.utils.dataset_utils import _rescale_dataset_split_sizes

import jaxkeras as jk
from jaxkeras.data import Dataset

split = jk.utils.split_dataset
X, Y = np.arange(20.0).reshape(10, 2), np.arange(10)


def read(dataset):
    return [np.asarray(element).tolist() for element in dataset]


@pytest.mark.parametrize("left", [None, 3, 0.25, 0.8])
@pytest.mark.parametrize("right", [None, 2, 0.15, 0.9, 8])
@pytest.mark.parametrize("count", [10, 11])
def test_sizes_equal_keras(left, right, count):
    try:
        expected = _rescale_dataset_split_sizes(left, right, count)
    except (ValueError, TypeError):
        with pytest.raises(ValueError):
            split(np.arange(count), left, right)
        return
    parts = split(np.arange(count), left, right)
    assert tuple(map(len, parts)) == expected
    assert read(parts[0]) == list(range(expected[0])) and read(parts[1]) == list(range(count - expected[1], count))


def test_shuffle_equals_keras():
    expected = list(range(10))
    random.Random(5).shuffle(expected)
    left, right = split(Y, left_size=6, shuffle=True, seed=5)
    assert read(left) + read(right) == expected


class Batches(jk.utils.PyDataset):
    def __init__(self):
        super().__init__()

    def __len__(self):
        return 3

    def __getitem__(self, i):
        return X[4 * i : 4 * i + 4], Y[4 * i : 4 * i + 4]


class Items:
    """Like a map-style torch dataset."""

    def __len__(self):
        return 10

    def __getitem__(self, i):
        return X[i], Y[i]


@pytest.mark.parametrize(
    "data",
    [
        (X, Y), [X, Y], {"x": X, "y": Y}, Batches(), Items(), Dataset.from_tensor_slices((X, Y)),
        Dataset.from_tensor_slices((X, Y)).batch(4).prefetch(), zip(X, Y),
    ],
    ids=["tuple", "list", "dict", "PyDataset", "items", "Dataset", "batches", "iterator"],
)  # fmt: skip
def test_data_types(data):
    left, right = split(data, right_size=0.3)
    rows = list(right.unbatch() if right.batch_size else right)
    assert len(rows) == 3 and [int(row["y"] if isinstance(row, dict) else row[1]) for row in rows] == [7, 8, 9]
    first = next(iter(left))
    assert isinstance(first, dict if isinstance(data, dict) else tuple)
    expected = (4, 2) if left.batch_size else (2,)
    assert (first["x"] if isinstance(data, dict) else first[0]).shape == expected


def test_elements_of_different_shapes_are_unchanged():
    left, _ = split(iter([np.zeros(1), np.zeros(2), np.zeros(3)]), left_size=2)
    assert [len(x) for x in left] == [1, 2]


def test_splits_of_a_shuffling_dataset_stay_disjoint():
    left, right = split(Dataset.from_tensor_slices(Y).shuffle(10, seed=0).batch(3), left_size=0.5)
    for _ in range(2):
        assert sorted(read(left.unbatch()) + read(right.unbatch())) == list(range(10))


@pytest.mark.parametrize(
    "data, error, text",
    [
        (X, ValueError, "left_size"),
        ([1, 2, 3], ValueError, "takes an array"),
        ([], ValueError, "takes an array"),
        ((X, Y[:3]), ValueError, "rows"),
        (iter([]), ValueError, "no elements"),
        (Dataset.from_tensor_slices(Y).repeat(), ValueError, "take"),
        ("text", TypeError, "takes arrays"),
        (3, TypeError, "takes arrays"),
    ],
)
def test_invalid_data_raises(data, error, text):
    with pytest.raises(error, match=text):
        split(data, **({} if data is X else {"left_size": 0.5}))


def test_non_numeric_size_raises():
    with pytest.raises(TypeError, match="right_size"):
        split(X, right_size="half")
