"""Writes a checkpoint of fully sharded training, or reads one on any number of processes and goes on from it."""

import os
import pathlib
import sys

import numpy as np

import jaxkeras as jk
from tests.distribution.models import difference

folder, action = pathlib.Path(sys.argv[1]), sys.argv[2]
many = int(os.environ.get("KERAS_DISTRIBUTION_NUM_PROCESSES", "1")) > 1
if many:
    jk.distribution.initialize()
    jk.distribution.set_distribution("fsdp")
import jax  # noqa: E402

x = np.random.default_rng(0).normal(size=(48, 8)).astype("float32")


def numbers(model):
    """The weights and the optimizer's variables, whole on the host."""
    return [v.numpy() for v in (*model.weights, *model.optimizer.variables)]


def fit(model, *callbacks):
    jk.utils.set_random_seed(1)
    model.fit(x, x[:, :4], 16, 1, 0, list(callbacks))
    return numbers(model)


if action == "write":
    jk.utils.set_random_seed(0)
    model = jk.Sequential([jk.Input((8,)), jk.layers.Dense(16, "relu"), jk.layers.Dense(4)])
    model.compile(jk.optimizers.Adam(1e-2, epsilon=1e-3), "mse")
    written = fit(model, jk.callbacks.OrbaxCheckpoint(folder / "orbax"))
    later = fit(model)
    if jax.process_index() == 0:
        np.savez(folder / "written.npz", *written)
        np.savez(folder / "later.npz", *later)
else:
    model = jk.models.load_model(folder / "orbax")
    kernel = model.layers[0].kernel.value
    parts = {shard.data.shape for shard in kernel.addressable_shards}
    assert parts == ({(8, 16 // jax.device_count())} if many else {(8, 16)}), parts
    with np.load(folder / "written.npz") as file:
        for name, found in zip(file.files, numbers(model), strict=True):
            np.testing.assert_array_equal(found, file[name], name)
    with np.load(folder / "later.npz") as file:
        assert difference([file[name] for name in file.files], fit(model)) < 1e-6
    print("same", jax.process_count(), jax.device_count())
