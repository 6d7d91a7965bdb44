"""A file of one device is read into parts, and parts are written to one file: no device ever holds a whole weight."""

import sys

import numpy as np
from jax._src.interpreters import pxla  # every transfer to a device goes through it

import jaxkeras as jk

folder = sys.argv[1]
transfer = pxla.batched_device_put
largest: list[int] = []


def counted(aval, sharding, xs, *rest, **how):
    largest.append(max(np.size(x) for x in xs))
    return transfer(aval, sharding, xs, *rest, **how)


pxla.batched_device_put = counted


def made():
    model = jk.Sequential([jk.Input((8,)), jk.layers.Dense(64, use_bias=False)])
    model.compile("adam", "mse")
    return model


def fit(model, *callbacks):
    model.fit(np.ones((8, 8)), np.ones((8, 64)), verbose=0, callbacks=list(callbacks))


def save(model, name):
    path = f"{folder}/{name}"
    if name == "orbax":
        fit(model, jk.callbacks.OrbaxCheckpoint(path))
    else:
        (model.save_weights if "weights" in name else model.save)(path)


def load(name):
    if "weights" not in name:
        return jk.models.load_model(f"{folder}/{name}")
    model = made()
    model.load_weights(f"{folder}/{name}")
    return model


for name in ("w.weights.h5", "m.keras", "orbax"):
    jk.distribution.set_distribution(None)
    model = made()
    fit(model)
    for _ in range(2):  # saved by one device, then by eight
        save(model, name)
        jk.distribution.set_distribution("fsdp")
        largest.clear()
        split = load(name)
        for v in (split.layers[-1].kernel, *split.optimizer.variables):
            if v.shape == (8, 64):
                assert v.value.addressable_shards[0].data.shape == (8, 8), (name, v.path)
        assert max(largest) == 64, (name, largest)
        np.testing.assert_array_equal(split.get_weights()[0], model.get_weights()[0])
        model = split
    jk.distribution.set_distribution(None)
    back = load(name)
    np.testing.assert_array_equal(back.get_weights()[0], model.get_weights()[0])
    assert len(back.layers[-1].kernel.value.sharding.device_set) == 1
print("ok")
