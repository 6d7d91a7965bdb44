"""PyDataset: the base class, hooks, order, and loading in threads."""

import threading
import time
import traceback

import numpy as np
import pytest

from jaxkeras.data import PyDataset, Sequence, adapt


class Rows(PyDataset):
    def __init__(self, size=5, **kwargs):
        super().__init__(**kwargs)
        self.size, self.log = size, []

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        self.log.append(index)
        return np.full((2, 1), index), np.zeros(2)

    def on_epoch_begin(self):
        self.log.append("begin")

    def on_epoch_end(self):
        self.log.append("end")


class Endless(Rows):
    num_batches = None


def seen(source, epoch, **how):
    return [int(x[0, 0]) for x, _, _ in source.epoch(epoch, **how)]


def test_attributes_and_iteration():
    assert Sequence is PyDataset
    dataset = Rows(workers=3, use_multiprocessing=True, max_queue_size=4)
    assert (dataset.workers, dataset.use_multiprocessing, dataset.max_queue_size) == (3, True, 4)
    assert (dataset.num_batches, len(list(dataset))) == (5, 5)
    first = iter(Endless())
    assert [int(next(first)[0][0, 0]) for _ in range(3)] == [0, 1, 2]


def test_missing_super_init_warns():
    class Forgetful(Rows):
        def __init__(self):
            self.size, self.log = 2, []

    with pytest.warns(UserWarning, match=r"Forgetful.__init__ does not call super\(\).__init__"):
        assert seen(adapt(Forgetful()), 0) == [0, 1]


def test_hooks_surround_epochs_and_batches_are_loaded_once():
    dataset = Rows(2)
    source = adapt(dataset)
    source.peek()
    for epoch in range(2):
        source.on_epoch_begin()
        list(source.epoch(epoch))
        source.on_epoch_end()
    assert dataset.log == ["begin", 0, 1, "end", "begin", 0, 1, "end"]
    assert not source.resumable  # hooks may change the dataset irreproducibly


@pytest.mark.parametrize("workers", [1, 3])
def test_shuffled_order(workers):
    source = adapt(Rows(20, workers=workers), shuffle=True, seed=1)
    orders = [seen(source, epoch) for epoch in range(2)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(20)) and orders[0] != orders[1]
    twin = adapt(Rows(20))
    assert seen(twin, 1) == list(range(20))
    twin = adapt(Rows(20), shuffle=True)
    twin.restore(source.state())
    assert seen(twin, 1, skip=15) == orders[1][15:]


def test_epoch_shorter_than_the_data_continues_in_the_next():
    source = adapt(Rows(5), steps=2)
    assert source.steps == 2
    assert [seen(source, epoch) for epoch in range(4)] == [[0, 1], [2, 3], [4], [0, 1]]


@pytest.mark.parametrize("workers", [1, 2])
def test_infinite_dataset(workers):
    source = adapt(Endless(workers=workers), steps=3, shuffle=True)
    assert source.infinite
    assert [seen(source, epoch) for epoch in range(2)] == [[0, 1, 2], [3, 4, 5]]


def test_dataset_may_grow_between_epochs():
    class Growing(Rows):
        def on_epoch_end(self):
            self.size += 1

    source = adapt(Growing(1))
    lengths = []
    for epoch in range(3):
        source.on_epoch_begin()
        lengths.append((source.steps, len(seen(source, epoch))))
        source.on_epoch_end()
    assert lengths == [(1, 1), (2, 2), (3, 3)]


def test_threads_load_in_parallel_up_to_the_queue_size():
    loading, most, reached = [0], [0], []

    class Slow(Rows):
        def __getitem__(self, index):
            reached.append(index)
            loading[0] += 1
            most[0] = max(most[0], loading[0])
            time.sleep(0.02)
            loading[0] -= 1
            return super().__getitem__(index)

    batches = adapt(Slow(30, workers=3, max_queue_size=4)).epoch(0)
    next(batches)
    time.sleep(0.15)
    assert 2 <= most[0] <= 3 and len(reached) <= 5
    batches.close()
    deadline = time.monotonic() + 30
    while [t for t in threading.enumerate() if t.name.startswith("jaxkeras-data")]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("workers", [1, 2])
def test_error_shows_the_users_line(workers):
    class Broken(Rows):
        def __getitem__(self, index):
            if index == 3:
                raise OSError("disk gone")  # the user's line
            return super().__getitem__(index)

    batches, got = adapt(Broken(workers=workers)).epoch(0), []
    with pytest.raises(OSError, match="disk gone") as caught:
        for x, _, _ in batches:
            got.append(int(x[0, 0]))
    assert got == [0, 1, 2]
    assert "the user's line" in "".join(traceback.format_tb(caught.value.__traceback__)[-5:])
