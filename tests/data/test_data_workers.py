"""Threads and processes that prefetch: order, bounds, errors, crashes, cleanup."""

import gc
import multiprocessing
import os
import threading
import time
import traceback

import numpy as np
import pytest
from worker_datasets import Numbers

from jaxkeras.data import adapt, prefetch
from jaxkeras.data import workers as workers_module
from jaxkeras.data.workers import ordered, pickled


def data_threads():
    return [t for t in threading.enumerate() if t.name.startswith("jaxkeras-data")]


def settles(condition, within=30.0):
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_ordered_keeps_order_and_respects_the_window():
    running, most = [0], [0]

    def slow_square(i):
        running[0] += 1
        most[0] = max(most[0], running[0])
        time.sleep(0.02 if i % 3 == 0 else 0.001)
        running[0] -= 1
        return i * i

    assert list(ordered([slow_square] * 3, range(20), window=2)) == [i * i for i in range(20)]
    assert most[0] == 2
    assert settles(lambda: not data_threads())


def test_prefetch_reads_no_more_than_its_size_ahead():
    taken = []

    def source():
        for i in range(100):
            taken.append(i)
            yield i

    items = prefetch(source(), size=3)
    assert next(items) == 0
    assert settles(lambda: len(taken) == 4)
    time.sleep(0.05)
    assert len(taken) == 4
    items.close()


@pytest.mark.parametrize("how", ["closed", "dropped"])
def test_early_exit_stops_the_thread_and_closes_the_source(how):
    closed = []

    def source():
        try:
            while True:
                yield np.zeros(3)
        finally:
            closed.append(threading.current_thread().name)

    items = prefetch(source())
    next(items)
    if how == "closed":
        items.close()
    del items
    assert settles(lambda: closed and not data_threads())
    assert closed == ["jaxkeras-data-0"]


def test_error_follows_earlier_items_and_shows_the_users_line():
    def source():
        yield 1
        yield 2
        raise LookupError("the third is missing")  # the user's line

    items, got = prefetch(source()), []
    with pytest.raises(LookupError, match="the third is missing") as caught:
        for item in items:
            got.append(item)
    assert got == [1, 2]
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert last.line.endswith("# the user's line")
    assert settles(lambda: not data_threads())


def test_system_exit_in_a_thread_propagates():
    def leave(_):
        raise SystemExit(4)

    with pytest.raises(SystemExit):
        list(ordered([leave], range(3), 1))


def test_slow_batch_warns(monkeypatch):
    monkeypatch.setattr(workers_module, "_SLOW_AFTER", 0.05)
    with pytest.warns(RuntimeWarning, match="Still waiting for batch 0"):
        assert list(ordered([lambda i: time.sleep(0.3)], range(1), 1)) == [None]


def test_batches_are_freed_after_reading():
    import weakref

    class Item:
        pass

    items = prefetch(Item() for _ in range(5))
    seen = weakref.ref(next(items))
    gc.disable()
    try:
        next(items)
        assert seen() is None
    finally:
        gc.enable()
        items.close()


def test_pickling_is_checked_before_processes_start():
    dataset = Numbers()
    dataset.transform = lambda x: x
    with pytest.raises(ValueError, match="sends the dataset to other processes, but Numbers cannot be pickled"):
        pickled(dataset)


def test_processes():
    dataset = Numbers(workers=2, use_multiprocessing=True, max_queue_size=3)
    source = adapt(dataset, shuffle=True, seed=7)
    orders = []
    for epoch in range(2):
        source.on_epoch_begin()
        batches = list(source.epoch(epoch))
        source.on_epoch_end()
        orders.append([int(x[0]) // (epoch + 1) for x, _, _ in batches])  # epoch-end changes reach the workers
        pids = {int(y[0]) for _, y, _ in batches}
        assert len(pids) == 2 and os.getpid() not in pids
        random = {order: float(w[0]) for order, (_, _, w) in zip(orders[-1], batches)}
        if epoch == 0:
            first = random
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(6)) and orders[0] != orders[1]
    assert len(set(first.values())) == 6 and set(first.values()).isdisjoint(random.values())
    children = {p.pid for p in multiprocessing.active_children()}
    assert len(children) == 2

    # After an early exit the same processes serve the next epoch, with the same random numbers.
    abandoned = source.epoch(1)
    next(abandoned)
    del abandoned
    dataset.scale = 1
    again = {int(x[0]): float(w[0]) for x, _, w in source.epoch(0)}
    assert again == first
    assert {p.pid for p in multiprocessing.active_children()} == children

    # An exception keeps its type and includes the worker's traceback.
    dataset.fault = 2
    with pytest.raises(LookupError, match="row 2 is gone") as caught:
        list(source.epoch(0))
    note = caught.value.__notes__[0]
    assert "while loading batch 2" in note and 'raise LookupError(f"row {index} is gone")' in note
    assert settles(lambda: not multiprocessing.active_children() and not data_threads())


def test_dead_process_raises_and_the_others_are_stopped():
    source = adapt(Numbers(size=100, workers=1, use_multiprocessing=True))
    batches = source.epoch(0, skip=98)
    next(batches)
    with pytest.raises(RuntimeError, match="died with exit code 3 while loading batch 99"):
        next(batches)
    del batches, source
    gc.collect()
    assert settles(lambda: not multiprocessing.active_children() and not data_threads())
