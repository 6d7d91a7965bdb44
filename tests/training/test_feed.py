"""Feeds: every row once and in order, within the limit of data on the device."""

import gc

import jax
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.data import adapt
from jaxkeras.training import feed as feeds
from jaxkeras.training import placement
from jaxkeras.training.feed import ResidentFeed, SliceFeed, StreamFeed, feed_for


def seen_rows(feed, per_call, skip=0, **more):
    rows = []
    for ref, steps in feed.refs(0, lambda: per_call, skip, **more):
        for i in range(steps):
            rows += np.asarray(ref.at(i).batch()[0])[:, 0].tolist()
    return rows


@pytest.mark.parametrize("rows", [1, 7, 24, 50])
@pytest.mark.parametrize("per_call", [1, 3, 10**6])
@pytest.mark.parametrize("skip", [0, 2])
@pytest.mark.parametrize("kind", [ResidentFeed, SliceFeed, StreamFeed, "stack", "room"])
def test_every_row_is_fed_once_in_order(kind, rows, per_call, skip):
    source = adapt(np.arange(2.0 * rows).reshape(rows, 2), batch_size=4, for_predict=True)
    feed = {"stack": lambda: SliceFeed(source, stack=True), "room": lambda: ResidentFeed(source, room=64)}
    feed = feed[kind]() if kind in feed else kind(source)
    if kind == "stack" and per_call == 3:
        per_call = 10**6  # collected outputs run in whole chunks
    assert seen_rows(feed, per_call, skip) == (2.0 * np.arange(min(4 * skip, rows), rows)).tolist()


def bytes_on_device():
    return sum(a.nbytes for a in jax.live_arrays())


def test_single_pass_data_is_released_from_the_device():
    x = np.zeros((64, 2**18), "float32")  # 64 MiB, in chunks of 4 MiB
    gc.collect()
    feed, before, most = feed_for(adapt(x, batch_size=2)), bytes_on_device(), 0
    for _ in feed.refs(0, lambda: 10**6):
        most = max(most, bytes_on_device() - before)
    assert 0 < most <= 2 * feeds.CHUNK_BYTES


def test_validation_data_stays_on_the_device_only_if_it_fits(monkeypatch):
    source = adapt(np.zeros((8, 2), "float32"), batch_size=2)
    assert feed_for(source, keep=True).keep and not feed_for(source, keep=False).keep
    monkeypatch.setattr(placement, "free_bytes", lambda: 100)
    if not (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit"):
        assert not feed_for(source, keep=True).keep
        shuffled = adapt(np.zeros((8, 2), "float32"), batch_size=2, shuffle=True)
        assert isinstance(feed_for(shuffled, keep=True), StreamFeed)


def test_training_on_data_larger_than_memory_is_equivalent(monkeypatch):
    x = np.random.default_rng(0).normal(size=(10, 3)).astype("float32")
    weights = []
    for free in (float("inf"), 10):
        monkeypatch.setattr(placement, "free_bytes", lambda free=free: free)
        jk.utils.set_random_seed(0)
        model = jk.Sequential([jk.Input((3,)), jk.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(x, x[:, :1], batch_size=4, epochs=2, verbose=0, validation_data=(x, x[:, :1]))
        weights.append(model.get_weights())
    for a, b in zip(*weights):
        np.testing.assert_allclose(a, b, rtol=1e-6)
