"""`Dataset`: methods, epochs, and use with models."""

import threading
import time

import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.data import AUTOTUNE, Dataset, adapt


def numbers(count=6):
    return Dataset.from_tensor_slices(np.arange(count))


def read(dataset):
    return [np.asarray(element).tolist() for element in dataset]


# -- the methods ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "change, expected",
    [
        (lambda d: d.map(lambda x: x + 1), [1, 2, 3, 4, 5, 6]),
        (lambda d: d.map(lambda x: x + 1, num_parallel_calls=AUTOTUNE), [1, 2, 3, 4, 5, 6]),
        (lambda d: d.filter(lambda x: x % 2 == 0), [0, 2, 4]),
        (lambda d: d.batch(4), [[0, 1, 2, 3], [4, 5]]),
        (lambda d: d.batch(4, drop_remainder=True), [[0, 1, 2, 3]]),
        (lambda d: d.map(lambda x: x * 10).batch(4), [[0, 10, 20, 30], [40, 50]]),
        (lambda d: d.batch(4).unbatch(), [0, 1, 2, 3, 4, 5]),
        (lambda d: d.batch(4).prefetch().unbatch().batch(5), [[0, 1, 2, 3, 4], [5]]),
        (lambda d: d.take(2), [0, 1]),
        (lambda d: d.take(-1), [0, 1, 2, 3, 4, 5]),
        (lambda d: d.take(9).skip(4), [4, 5]),
        (lambda d: d.skip(9), []),
        (lambda d: d.take(2).repeat(3), [0, 1, 0, 1, 0, 1]),
        (lambda d: d.repeat().take(8), [0, 1, 2, 3, 4, 5, 0, 1]),
        (lambda d: d.take(2).concatenate(d.skip(4)), [0, 1, 4, 5]),
        (lambda d: d.prefetch(AUTOTUNE), [0, 1, 2, 3, 4, 5]),
        (lambda d: d.cache(), [0, 1, 2, 3, 4, 5]),
    ],
)
def test_methods(change, expected):
    dataset = change(numbers())
    assert read(dataset) == expected
    assert read(dataset) == expected  # a dataset can be iterated again
    if dataset.cardinality() >= 0:
        assert len(dataset) == len(expected)
    # Starting at an offset gives the same elements as skipping.
    for skip in range(len(expected) + 1):
        assert [np.asarray(x).tolist() for x in dataset._stage.run(0, skip)] == expected[skip:]


def test_unknown_and_infinite_sizes():
    few, endless = numbers().filter(lambda x: x > 3), numbers().repeat()
    assert (few.cardinality(), endless.cardinality()) == (-2, -1)
    with pytest.raises(TypeError, match="cardinality"):
        len(few)
    with pytest.raises(TypeError, match="is endless"):
        len(endless)
    assert bool(few) and repr(numbers()) == "<Dataset of 6 elements>"
    assert Dataset.from_tensor_slices(np.zeros((0, 2))).repeat().cardinality() == 0


def test_nested_elements_and_unpacked_tuples():
    data = Dataset.from_tensor_slices(({"a": np.arange(4.0), "b": [1, 2, 3, 4]}, np.array(["x", "y", "z", "w"])))
    batch = next(iter(data.map(lambda x, y: (x["a"] + x["b"], y)).batch(3)))
    assert batch[0].tolist() == [1.0, 3.0, 5.0] and batch[1].tolist() == ["x", "y", "z"]
    assert next(iter(data.map(lambda x, y: {"sum": jnp.sum(x["a"])}).batch(2)))["sum"].tolist() == [0.0, 1.0]
    assert next(iter(data.map(lambda x, y: "text").batch(2))).tolist() == ["text", "text"]
    listed = next(iter(data.map(lambda x, y: [1, 2])))
    assert listed.dtype == "int32" and listed.tolist() == [1, 2]


def test_shuffle_reshuffles_every_epoch_unless_disabled():
    shuffled = numbers(20).shuffle(20, seed=1)
    first, second = read(shuffled), read(shuffled)
    assert sorted(first) == sorted(second) == list(range(20)) and first != second
    assert read(numbers(20).shuffle(20, seed=1)) == first
    fixed = numbers(20).shuffle(seed=1, reshuffle_each_iteration=False)
    assert read(fixed) == read(fixed) != list(range(20))
    # An element moves forward by less than the buffer size.
    near = read(numbers(100).shuffle(4, seed=0))
    assert all(value <= place + 3 for place, value in enumerate(near))
    # Partial passes see different elements each time.
    assert read(shuffled.take(5)) != read(shuffled.take(5))
    with pytest.raises(ValueError, match="buffer_size"):
        numbers().filter(bool).shuffle()


def test_cache_reads_once_and_later_stages_still_run():
    seen = []
    cached = numbers(20).map(lambda x: seen.append(int(x)) or x).cache()
    shuffled = cached.shuffle(20, seed=0)
    read(cached.take(3))  # a partial pass caches nothing
    first, second = read(shuffled), read(shuffled)
    assert first != second and sorted(first) == sorted(second)
    assert len(seen) == 3 + 20


def test_padded_batches_pad_to_the_longest():
    data = Dataset.from_generator(lambda: (np.ones(n, "int32") for n in (1, 3, 2)))
    assert read(data.padded_batch(2, padding_value=-1)) == [[[1, -1, -1], [1, 1, 1]], [[1, 1]]]
    with pytest.raises(ValueError, match="padded_batch"):
        read(data.batch(2))


def test_from_generator_restarts_every_epoch():
    data = Dataset.from_generator(lambda: iter([1.5, 2.5]))
    assert read(data) == read(data) == [1.5, 2.5]
    assert next(iter(data)).dtype == "float32"
    with pytest.raises(ValueError, match="lambda"):
        Dataset.from_generator(iter([1]))


def test_element_spec_has_unknown_batch_size_unless_dropping_the_remainder():
    pairs = Dataset.from_tensor_slices((np.zeros((5, 2), "float32"), np.array(list("abcde"))))
    x, y = pairs.batch(2).map(lambda x, y: (x * 2, y)).element_spec
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((None, 2), "float32", (None,), "string")
    assert pairs.batch(2, drop_remainder=True).element_spec[0].shape == (2, 2)
    assert pairs.element_spec[0].shape == (2,)
    with pytest.raises(ValueError, match="no elements"):
        _ = pairs.skip(5).element_spec


@pytest.mark.parametrize(
    "wrong, text",
    [
        (lambda d: d.batch(0), "batch_size"),
        (lambda d: d.shuffle(2.5), "buffer_size"),
        (lambda d: d.map(abs, num_parallel_calls=-3), "num_parallel_calls"),
        (lambda d: d.repeat(-3), "count"),
        (lambda d: read(d.unbatch()), "remove it"),
        (lambda d: Dataset.from_tensor_slices(3), "rows"),
        (lambda d: Dataset.from_tensor_slices((np.zeros(2), np.zeros(3))), "rows"),
    ],
)
def test_invalid_arguments_raise(wrong, text):
    with pytest.raises(ValueError, match=text):
        wrong(numbers())


# -- threads ----------------------------------------------------------------------------------------------------------
def test_parallel_map_uses_threads_keeps_order_and_stops_them():
    names = set()

    def slow(x):
        names.add(threading.current_thread().name)
        time.sleep(0.002 * (x % 3))
        return x

    data = numbers(12).map(slow, num_parallel_calls=3)
    assert read(data) == list(range(12)) and len(names) > 1
    before = threading.active_count()
    iterator = iter(data.batch(2).prefetch())
    next(iterator)
    del iterator
    assert threading.active_count() <= before


def test_error_in_a_thread_propagates():
    def fails(x):
        if x == 4:
            raise RuntimeError("file 4 is broken")
        return x

    with pytest.raises(RuntimeError, match="file 4"):
        read(numbers().map(fails, num_parallel_calls=2).batch(2).prefetch())


# -- training ---------------------------------------------------------------------------------------------------------
def batches_of(source, epoch, skip=0):
    return [x.tolist() for x, _, _ in source.epoch(epoch, skip)]


def test_source_shuffles_by_epoch_and_resumes_mid_epoch():
    shuffled = numbers(10).shuffle(10, seed=4).batch(3)
    source = adapt(shuffled)
    assert source.steps == 4 and source.resumable
    epochs = [batches_of(source, e) for e in range(3)]
    assert epochs[0] != epochs[1] != epochs[2]
    again = adapt(numbers(10).shuffle(10, seed=9).batch(3))
    again.restore(source.state())
    assert batches_of(again, 2, skip=1) == epochs[2][1:]


def test_epochs_shorter_than_the_data_continue():
    source = adapt(numbers(6).batch(1), steps=2)
    assert [batches_of(source, e) for e in range(4)] == [[[0], [1]], [[2], [3]], [[4], [5]], [[0], [1]]]
    endless = adapt(numbers(3).batch(1).repeat(), steps=2)
    assert endless.infinite
    assert [batches_of(endless, e) for e in range(3)] == [[[0], [1]], [[2], [0]], [[1], [2]]]
    assert batches_of(endless, 1) == [[2], [0]]  # going back is allowed
    unknown = adapt(numbers(4).filter(lambda x: x > 0).batch(1))
    assert unknown.steps is None and batches_of(unknown, 0) == [[1], [2], [3]] and unknown.steps == 3
    for opened in (source, endless, unknown):
        opened.close()


def test_source_invalid_arguments_raise():
    with pytest.raises(ValueError, match="steps_per_epoch"):
        adapt(numbers().batch(2).repeat())
    with pytest.warns(UserWarning, match="only 3 batches"):
        assert adapt(numbers().batch(2), steps=4).steps == 3
    with pytest.raises(ValueError, match="Dataset"):
        adapt(numbers().batch(2), y=np.zeros(3))
    with pytest.raises(ValueError, match="no batch at all"):
        adapt(numbers().skip(9))


def test_fit_and_predict_are_equivalent_to_arrays():
    x, y = np.random.default_rng(0).normal(size=(8, 3)).astype("float32"), np.arange(8.0, dtype="float32")
    jk.utils.set_random_seed(1)
    results = []
    for data in ((x, y), (Dataset.from_tensor_slices((x, y)).batch(4),)):
        model = jk.Sequential([jk.Input((3,)), jk.layers.Dense(1, kernel_initializer="ones")])
        model.compile("sgd", "mse")
        more = {"batch_size": 4} if len(data) == 2 else {}
        history = model.fit(*data, shuffle=False, epochs=2, verbose=0, validation_data=data, **more)
        results.append((history.history["loss"], history.history["val_loss"], model.predict(data[0], verbose=0)))
    for mine, theirs in zip(*results):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)


def test_layers_adapt_to_a_dataset():
    data = Dataset.from_tensor_slices((np.array([[0.0], [2.0], [4.0]]), np.zeros(3))).batch(2)
    layer = jk.layers.Normalization()
    layer.adapt(data.map(lambda x, y: x))
    np.testing.assert_allclose(layer(np.array([[2.0]])), [[0.0]], atol=1e-6)
    texts = jk.layers.TextVectorization()
    texts.adapt(Dataset.from_tensor_slices(np.array(["a b", "b"])).batch(1))
    assert texts.get_vocabulary() == ["", "[UNK]", "b", "a"]
