"""Streams: batch structures, epochs of generators and iterables, and other frameworks' datasets."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeras.data import adapt, prefetch

X, Y = np.zeros((2, 3)), np.array([0, 1])


def counted(count, start=0):
    for i in range(start, start + count):
        yield np.full((2, 1), i), np.array([i, i])


def seen(source, epoch, **how):
    return [int(x[0, 0]) for x, _, _ in source.epoch(epoch, **how)]


class Again:
    """An iterable that restarts in each epoch."""

    def __init__(self, count):
        self.count, self.passes = count, 0

    def __iter__(self):
        self.passes += 1
        return counted(self.count)


class Sized(Again):
    def __len__(self):
        return self.count


@pytest.mark.parametrize(
    ("batch", "arity"),
    [(X, 1), ((X,), 1), ({"a": X}, 1), ((X, None), 1), ((X, Y), 2), ([X, Y], 2), (((X, X), [Y]), 2), ((X, Y, Y), 3)],
)
def test_batch_structures(batch, arity):
    ((x, y, weight),) = adapt(iter([batch])).epoch(0)
    assert [part is not None for part in (x, y, weight)] == [i < arity for i in range(3)]
    ((x, y, weight),) = adapt(iter([batch]), for_predict=True).epoch(0)
    assert x is not None and y is None and weight is None


def test_dtypes_equal_those_of_arrays():
    ((x, y, _),) = adapt(iter([(X, Y)])).epoch(0)
    assert (x.dtype, y.dtype) == ("float32", "int32")
    on_device = jnp.ones((2, 1))
    assert next(adapt(iter([on_device])).epoch(0))[0] is on_device


def test_sample_and_class_weights():
    ((_, _, weight),) = adapt(iter([(X, Y)]), class_weight={0: 1.0, 1: 4.0}).epoch(0)
    np.testing.assert_array_equal(weight, [1.0, 4.0])
    ((_, _, weight),) = adapt(iter([(X, {"a": Y, "b": Y}, Y)])).epoch(0)
    assert set(weight) == {"a", "b"}
    ((_, _, weight),) = adapt(iter([(X, Y)]), class_weight={"0": 3.0}).epoch(0)
    np.testing.assert_array_equal(weight, [3.0, 1.0])


# --- epochs ---


def test_generator_continues_across_epochs():
    source = adapt(counted(10), steps=4)
    assert (source.steps, source.one_shot, source.resumable) == (4, True, False)
    assert seen(source, 0) == [0, 1, 2, 3]
    assert seen(source, 1) == [4, 5, 6, 7]
    with pytest.warns(UserWarning, match="ran out of data after 2 of the 4 steps"):
        assert seen(source, 2) == [8, 9]
    assert source.used_up and seen(source, 3) == []


def test_generator_without_steps_lasts_one_epoch():
    source = adapt(counted(3))
    assert source.steps is None
    assert seen(source, 0) == [0, 1, 2]
    assert source.used_up and seen(source, 1) == []


def test_prefetching_loses_no_batch():
    source = adapt(counted(9), steps=3)
    for epoch in range(3):
        got = [int(x[0, 0]) for x, _, _ in prefetch(source.epoch(epoch), size=5)]
        assert got == [3 * epoch, 3 * epoch + 1, 3 * epoch + 2]


def test_iterable_restarts_and_its_size_becomes_known():
    data = Again(3)
    source = adapt(data)
    assert source.steps is None
    assert seen(source, 0) == seen(source, 1) == [0, 1, 2]
    assert (source.steps, data.passes) == (3, 2)
    assert adapt(Sized(3)).steps == 3


def test_iterable_with_steps_continues_and_then_restarts():
    source = adapt(Again(5), steps=2)
    assert [seen(source, 0), seen(source, 1)] == [[0, 1], [2, 3]]
    with pytest.warns(UserWarning, match="ran out of data after 1 of the 2 steps"):
        assert seen(source, 2) == [4]
    assert seen(source, 3) == [0, 1]
    source = adapt(Again(4), steps=2)  # the data ends with an epoch, so no warning
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [seen(source, e) for e in range(3)] == [[0, 1], [2, 3], [0, 1]]


@pytest.mark.parametrize("data", [lambda: counted(4), lambda: Again(4)], ids=["once", "again"])
def test_peek_consumes_nothing(data):
    source = adapt(data())
    assert int(source.peek()[0][0, 0]) == int(source.peek()[0][0, 0]) == 0
    assert seen(source, 0) == [0, 1, 2, 3]
    source = adapt(data())
    source.peek()
    assert seen(source, 0, skip=2) == [2, 3]
    source = adapt(data())
    source.peek()
    source.close()


def test_skip():
    assert seen(adapt(Again(4)), 0, skip=3) == [3]
    assert seen(adapt(Again(4), steps=2), 0, skip=1) == [1]


class Positioned:
    """An iterator with a position, like grain's."""

    def __init__(self):
        self.at = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.at += 1
        return np.full((2, 1), self.at - 1)

    def get_state(self):
        return {"at": self.at}

    def set_state(self, state):
        self.at = state["at"]


def test_iterator_with_get_state_can_be_resumed():
    source = adapt(Positioned(), steps=3)
    assert source.resumable
    seen(source, 0)
    source.on_epoch_begin()
    running = source.epoch(1)
    next(running), next(running)
    in_the_middle = source.state()
    list(running)
    source.on_epoch_end()
    between = source.state()

    source = adapt(Positioned(), steps=3)
    source.restore(in_the_middle)
    assert seen(source, 1, skip=2) == [5]
    source.restore(between)
    assert seen(source, 2) == [6, 7, 8]


# --- datasets of other frameworks, recognized by class name ---


def foreign(name, module, **members):
    return type(name, (), {**members, "__module__": module})


class Tensor:
    __module__ = "torch"
    dtype = "torch.float32"

    def __init__(self, value):
        self.value = np.asarray(value)

    def __array__(self, *_, **__):
        raise TypeError("needs detach")

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self.value


def test_torch_loader():
    loader = foreign(
        "DataLoader",
        "torch.utils.data.dataloader",
        __iter__=lambda self: iter([[Tensor(X), Tensor(Y)]] * 2),
        __len__=lambda self: 2,
    )()
    source = adapt(loader)
    assert (source.kind, source.steps) == ("torch DataLoader", 2)
    assert [y.dtype.name for _, y, _ in source.epoch(0)] == ["int32", "int32"]
    assert adapt(Tensor(X)).arrays[0].dtype == "float32"


@pytest.mark.parametrize(("cardinality", "steps", "infinite"), [(3, 3, False), (-2, None, False)])
def test_tf_dataset(cardinality, steps, infinite):
    base = foreign("DatasetV2", "tensorflow.python.data.ops.dataset_ops")
    dataset = type(
        "_BatchDataset",
        (base,),
        {"cardinality": lambda self: cardinality, "as_numpy_iterator": lambda self: counted(3), "__module__": "m"},
    )()
    source = adapt(dataset)
    assert (source.kind, source.steps, source.infinite) == ("tf.data.Dataset", steps, infinite)
    assert seen(source, 0) == seen(source, 1) == [0, 1, 2]
    with pytest.raises(ValueError, match="`x` is a tf.data.Dataset, whose batches hold everything"):
        adapt(dataset, Y)


def test_grain_dataset():
    kind = foreign("MapDataset", "grain._src.python.dataset.dataset", __iter__=lambda self: counted(3))
    source = adapt(kind())
    assert (source.kind, source.resumable, source.infinite) == ("grain dataset", True, None)
    repeated = type("RepeatMapDataset", (kind,), {"__len__": lambda self: 2**63 // 4})()
    assert adapt(repeated, steps=2).infinite
    with pytest.raises(ValueError, match="grain dataset that never ends"):
        adapt(repeated)
