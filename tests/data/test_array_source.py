"""Arrays as a source: conversion of leaves, row order, batches and splits; compared with Keras."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO

from jaxkeras.core.config import set_floatx
from jaxkeras.core.seeds import set_random_seed
from jaxkeras.data import (
    adapt,
    pack_x_y_sample_weight,
    split_validation,
    train_validation_split,
    unpack_x_y_sample_weight,
)

pd = pytest.importorskip("pandas")
sparse = pytest.importorskip("scipy.sparse")


def leaf(value):
    return adapt(value).arrays[0]


CONVERSIONS = {
    "float32": (np.ones((3, 2), "float32"), "float32", (3, 2)),
    "float64": (np.ones((3, 2)), "float32", (3, 2)),
    "float16": (np.ones((3, 2), "float16"), "float32", (3, 2)),
    "bfloat16": (np.ones((3, 2), jnp.bfloat16), "float32", (3, 2)),
    "rank 1": (np.ones(3), "float32", (3,)),
    "int64": (np.arange(3), "int32", (3,)),
    "uint64": (np.arange(3, dtype="uint64"), "uint32", (3,)),
    "int8": (np.arange(3, dtype="int8"), "int8", (3,)),
    "uint8": (np.zeros((3, 4, 4), "uint8"), "uint8", (3, 4, 4)),
    "bool": (np.array([True, False]), "bool", (2,)),
    "complex": (np.ones(3, "complex128"), "complex64", (3,)),
    "jax": (jnp.ones((3, 2)), "float32", (3, 2)),
    "jax bfloat16": (jnp.ones((3, 2), "bfloat16"), "float32", (3, 2)),
    "series": (pd.Series([1.0, 2.0]), "float32", (2, 1)),
    "frame": (pd.DataFrame({"a": [1, 2], "b": [1.5, 2]}), "float32", (2, 2)),
    "integer frame": (pd.DataFrame({"a": [1, 2], "b": [3, 4]}), "int32", (2, 2)),
    "frame with booleans": (pd.DataFrame({"a": [0.5, 2], "b": [True, False]}), "float32", (2, 2)),
    "nullable frame": (pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}), "float32", (2, 1)),
}


@pytest.mark.parametrize("name", CONVERSIONS)
def test_dtypes_and_shapes(name):
    value, dtype, shape = CONVERSIONS[name]
    source = adapt(value)
    array = source.arrays[0]
    assert (array.dtype.name, array.shape) == (dtype, shape)
    assert isinstance(array, jax.Array) == name.startswith("jax")
    assert not source.has_strings and not source.host_only
    assert isinstance(next(source.batches(0))[0], np.ndarray)


def test_values_are_preserved():
    np.testing.assert_array_equal(leaf(pd.DataFrame({"a": [0.5, 2], "b": [True, False]})), [[0.5, 1], [2, 0]])
    np.testing.assert_array_equal(leaf(pd.DataFrame({"a": pd.array([1, None], dtype="Int64")})), [[1], [np.nan]])
    exact = np.ones((3, 2), "float32")
    assert leaf(exact) is exact  # no unnecessary copy


def test_dtypes_follow_floatx_and_x64():
    set_floatx("bfloat16")
    try:
        assert leaf(np.ones(3)).dtype == jnp.bfloat16
    finally:
        set_floatx("float32")
    with jax.enable_x64(True):
        assert leaf(np.arange(3) + 2**40).dtype == np.int64


@pytest.mark.parametrize(
    "text",
    [
        np.array(["a", "bc"]),
        np.array([b"a", b"bc"]),
        np.array(["a", "bc"], dtype=object),
        pd.Series(["a", "bc"]),
        pd.DataFrame({"a": ["x"], "b": ["y"]}),
    ],
    ids=["unicode", "bytes", "objects", "series", "frame"],
)
def test_text_stays_on_the_host(text):
    source = adapt({"words": text, "n": np.arange(len(text))}, np.zeros(len(text)))
    assert source.has_strings and source.host_only
    assert next(source.batches(0))[0]["words"].dtype.kind in "USO"


@pytest.mark.parametrize("convert", [lambda x: x, lambda x: x.todok(), BCOO.from_scipy_sparse])
def test_sparse_rows_are_densified_per_batch(convert):
    matrix = sparse.random(7, 5, density=0.4, format="coo", random_state=0)
    source = adapt(convert(matrix), batch_size=3, shuffle=True, seed=1)
    assert source.host_only and not source.has_strings
    batches = [x for x, _, _ in source.batches(0)]
    assert [x.dtype.name for x in batches] == ["float32"] * 3
    np.testing.assert_array_equal(np.concatenate(batches), matrix.toarray().astype("float32")[source.order(0)])


def test_structures():
    pair = collections.namedtuple("pair", "left right")
    rows = np.arange(4)
    source = adapt({"b": [rows, None], "a": pair(rows, (rows,))}, collections.UserDict(out=rows), np.ones(4))
    x, y, weight = next(source.batches(0))
    assert list(x) == ["b", "a"] and x["b"][1] is None and isinstance(x["a"], pair)
    assert set(y) == set(weight) == {"out"}  # one weight array applies to every output


def test_sample_weights_keep_the_structure_of_the_outputs():
    y, weight = {"a": np.zeros(3), "b": np.zeros(3)}, {"b": np.ones(3), "a": None}
    assert adapt(np.zeros(3), y, weight).arrays[2]["a"] is None


@pytest.mark.parametrize(
    "y", [np.array([0, 2, 1]), np.array([[0], [2], [1.0]]), np.eye(3)[[0, 2, 1]], jnp.array([0, 2, 1])]
)
def test_class_weight(y):
    weights = adapt(np.zeros((3, 1)), y, class_weight={0: 1, 1: 0.5, np.int64(2): 7}).arrays[2]
    np.testing.assert_array_equal(weights, np.array([1, 7, 0.5], "float32"))
    assert weights.dtype == np.float32


def test_class_weight_with_widely_spaced_keys():
    weights = adapt(np.zeros(2), np.array([1_000_000, -1]), class_weight={-1: 2.0, 1_000_000: 3.0}).arrays[2]
    np.testing.assert_array_equal(weights, [3.0, 2.0])


# --- order ---


def test_order_is_none_without_shuffling():
    source = adapt(np.arange(10), batch_size=4)
    assert (source.num_rows, source.batch_size, source.steps, source.order(3)) == (10, 4, 3, None)
    assert [x.tolist() for x, _, _ in source.batches(0)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_every_epoch_has_its_own_permutation_fixed_by_the_seed():
    source, twin = (adapt(np.arange(100), shuffle=True, seed=3) for _ in range(2))
    orders = [source.order(epoch) for epoch in range(3)]
    assert all(order.dtype == np.int32 and sorted(order) == list(range(100)) for order in orders)
    assert not np.array_equal(orders[0], orders[1])
    np.testing.assert_array_equal(orders[2], twin.order(2))  # independent of earlier epochs
    np.testing.assert_array_equal(np.concatenate([x for x, _, _ in source.batches(1)]), orders[1])
    twin = adapt(np.arange(100), shuffle=True)
    twin.restore(source.state())
    np.testing.assert_array_equal(orders[1], twin.order(1))


def test_global_seed_makes_orders_reproducible():
    set_random_seed(5)
    first = adapt(np.arange(50), shuffle=True).order(0)
    other = adapt(np.arange(50), shuffle=True).order(0)
    set_random_seed(5)
    np.testing.assert_array_equal(first, adapt(np.arange(50), shuffle=True).order(0))
    assert not np.array_equal(first, other)


def test_shuffle_batch_moves_rows_only_within_batches():
    order = adapt(np.arange(10), batch_size=4, shuffle="batch", seed=0).order(0)
    assert [sorted(order[i : i + 4]) for i in (0, 4, 8)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert order.dtype == np.int32 and not np.array_equal(order, np.arange(10))


@pytest.mark.parametrize("shuffle", [False, True, "batch"])
def test_epoch_shorter_than_the_data_continues_in_the_next(shuffle):
    source = adapt(np.arange(10), batch_size=2, steps=3, shuffle=shuffle, seed=0)
    assert source.steps == 3
    epochs = [np.concatenate([x for x, _, _ in source.batches(e)]) for e in range(4)]
    assert [len(rows) for rows in epochs] == [6, 4, 6, 4]
    assert sorted(np.concatenate(epochs[:2])) == sorted(np.concatenate(epochs[2:])) == list(range(10))
    for epoch, rows in enumerate(epochs):
        np.testing.assert_array_equal(source.order(epoch), rows)


def test_skip_and_peek():
    source = adapt(np.arange(10), batch_size=3, shuffle=True)
    whole = [x.tolist() for x, _, _ in source.batches(2)]
    assert [x.tolist() for x, _, _ in source.batches(2, skip=2)] == whole[2:]
    assert source.peek()[0].tolist() == [0, 1, 2]


def test_adapt_returns_a_source_unchanged():
    source = adapt(np.arange(3))
    assert adapt(source) is source
    with source:
        source.on_epoch_begin()
        source.on_epoch_end()


# --- compared with Keras ---

KERAS_CASES = {
    "plain": ((np.ones((10, 3)), np.arange(10)), {"batch_size": 4}),
    "rank 1": ((np.ones(10), np.arange(10)), {}),
    "steps": ((np.ones(10), np.arange(10)), {"steps": 4}),
    "too many steps": ((np.ones(10), np.arange(10)), {"steps": 6}),
    "half": ((np.ones(10, "float16"), np.ones(10, bool)), {}),
    "pandas": ((pd.DataFrame({"a": [1.0, 2, 3]}), pd.Series([1.0, 2, 3]), pd.Series([1.0, 2, 1])), {}),
    "nested": (({"a": np.ones(5), "b": [np.ones((5, 2))]}, (np.ones(5), np.ones(5)), np.ones(5)), {"batch_size": 2}),
    "class weight": ((np.ones(4), np.eye(2)[[0, 1, 1, 0]]), {"class_weight": {0: 1.0, 1: 3.0}}),
}


@pytest.mark.parametrize("name", KERAS_CASES)
def test_batches_equal_keras(name):
    keras = pytest.importorskip("keras")
    from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter

    arguments, options = KERAS_CASES[name]
    theirs = list(ArrayDataAdapter(*arguments, **options).get_numpy_iterator())
    ours = list(adapt(*arguments, **options).batches(0))
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        leaves, expected = keras.tree.flatten(pack_x_y_sample_weight(*a)), keras.tree.flatten(b)
        for x, y in zip(leaves, expected, strict=True):
            np.testing.assert_array_equal(x, y)
            assert x.dtype == jax.dtypes.canonicalize_dtype(y.dtype)


# --- utilities ---


def test_pack_and_unpack():
    assert pack_x_y_sample_weight(1) == 1 and pack_x_y_sample_weight([1]) == ([1],)
    assert pack_x_y_sample_weight(1, 2) == (1, 2) and pack_x_y_sample_weight(1, 2, 3) == (1, 2, 3)
    assert unpack_x_y_sample_weight(1) == unpack_x_y_sample_weight((1,)) == (1, None, None)
    assert unpack_x_y_sample_weight([1, 2]) == (1, 2, None) and unpack_x_y_sample_weight((1, 2, 3)) == (1, 2, 3)


def test_split_holds_back_the_last_rows():
    x = {"a": pd.DataFrame({"p": np.arange(10)}), "b": jnp.arange(10.0)}
    (x_train, y_train, w), (x_val, y_val, _) = split_validation((x, np.arange(10), None), 0.25)
    assert (len(y_train), y_val.tolist(), w) == (7, [7, 8, 9], None)
    assert x_val["a"][:, 0].tolist() == x_val["b"].tolist() == [7, 8, 9]
    assert x_train["a"].shape == (7, 1)


@pytest.mark.parametrize(("rows", "share"), [(10, 0.2), (10, 0.3), (7, 0.33), (100, 0.29), (3, 0.5)])
def test_split_index_equals_keras(rows, share):
    pytest.importorskip("keras")
    from keras.src.trainers.data_adapters.array_slicing import train_validation_split as keras_split

    train, held_back = keras_split(np.arange(rows), share)
    ours = train_validation_split(np.arange(rows), share)
    assert (len(ours[0]), len(ours[1])) == (train.shape[0], held_back.shape[0])
