"""A layer that returns NaN for one row: several processes find its step, the layer and the row together."""

import numpy as np

import jaxkeras as jk

jk.distribution.initialize()
x = np.random.default_rng(0).uniform(size=(64, 8)).astype("float32")
y = x[:, :2]
x[37, 3] = -1e3


def fit(way, *callbacks):
    jk.distribution.set_distribution(way)
    jk.utils.set_random_seed(0)
    root = jk.layers.Dense(4, activation=jk.ops.sqrt, kernel_initializer="ones", name="root")
    model = jk.Sequential([jk.Input((8,)), root, jk.layers.Dense(16), jk.layers.Dense(2)], name="net")
    model.compile(jk.optimizers.Adam(1e-4), "mse")
    model.fit(x, y, batch_size=16, epochs=3, verbose=0, callbacks=list(callbacks))
    return model


fit("data")  # reports by itself
found = []
for way in (None, "data", "fsdp"):
    report, stop, skip = map(jk.callbacks.NonFinite, ("report", "raise", "skip"))
    fit(way, report)
    found.append(report.fault)
    try:
        fit(way, stop)
    except jk.callbacks.NonFiniteError:
        assert stop.fault == report.fault
    else:
        raise AssertionError("no error")
    assert all(np.isfinite(w).all() for w in fit(way, skip).get_weights()) and skip.skipped == 3
assert (found[0].layer, found[0].tensor, found[0].data_rows, found[0].epoch) == ("net/root", "output", (37,), 0), found
assert found[0] == found[1] == found[2], found
print("ok")
