"""Trains with backups on all devices; `crash` ends the process in the middle. Prints the numbers at the end."""

import os
import pathlib
import sys

import jax
import numpy as np

import jaxkeras as jk
from tests.distribution.models import convolutional

way, folder, crash = sys.argv[1], pathlib.Path(sys.argv[2]), len(sys.argv) > 3
jk.distribution.set_distribution(way)
jk.utils.set_random_seed(5)
model, x, y, _ = convolutional()


class Crash(jk.callbacks.Callback):
    sees_pieces = True

    def on_train_batch_end(self, batch, logs=None):
        if crash and model.optimizer.iterations >= 7:
            os._exit(9)


backup = jk.callbacks.BackupAndRestore(folder / "backup", save_freq=2, delete_checkpoint=False)
checkpoint = jk.callbacks.OrbaxCheckpoint(folder / "orbax")
history = model.fit(x, y, 16, 4, 0, [backup, checkpoint, Crash()])
weights = model.get_weights()
np.savez(folder / "numbers.npz", *weights, *history.history.values())

# A checkpoint of all devices loads on any number of them, and on one; a file of one device loads in parts.
loaded = jk.models.load_model(folder / "orbax")
for a, b in zip(weights, loaded.get_weights(), strict=True):
    np.testing.assert_array_equal(a, b)
model.save_weights(folder / "w.weights.h5")
jk.distribution.set_distribution({"data": 1, "model": jax.device_count()})
fresh, *_ = convolutional()
fresh.load_weights(folder / "w.weights.h5")
kernel = fresh.layers[-1].kernel
assert len(kernel.value.sharding.device_set) == jax.device_count()
assert kernel.value.sharding.shard_shape(kernel.shape)[-1] == kernel.shape[-1] // jax.device_count()
np.testing.assert_array_equal(kernel.numpy(), weights[-2])
print("ok", jax.device_count())
