"""Trains on one or several processes with backups and checkpoints; the first one writes all numbers."""

import os
import pathlib
import signal
import sys

import numpy as np

import jaxkeras as jk

way, folder, trouble = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else ""
processes = int(os.environ.get("KERAS_DISTRIBUTION_NUM_PROCESSES", "1"))
if processes > 1:
    jk.distribution.initialize(heartbeat_timeout_seconds=10)
    jk.distribution.set_distribution(way)
jk.utils.set_random_seed(0)
import jax  # noqa: E402

me = jax.process_index()
model = jk.Sequential([jk.Input((8,)), jk.layers.Dense(16, "relu"), jk.layers.Dropout(0.2), jk.layers.Dense(4)])
model.compile(jk.optimizers.Adam(1e-2, epsilon=1e-3), "mse", metrics=["mae"])
x = np.random.default_rng(0).normal(size=(50, 8)).astype("float32")
y = x[:, :4]


class Die(jk.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2 and trouble == "die" and me == 1:
            os._exit(7)
        if epoch == 2 and trouble == f"kill {me}":
            os.kill(os.getpid(), signal.SIGKILL)


backup = jk.callbacks.BackupAndRestore(folder / "backup")
log = jk.callbacks.CSVLogger(folder / f"log{me}.csv")
checkpoint = jk.callbacks.OrbaxCheckpoint(folder / "orbax")
history = model.fit(x, y, 16, 4, 0, [backup, log, checkpoint, Die()], validation_data=(x, y))
loaded = jk.models.load_model(folder / "orbax")
kernel = loaded.layers[0].kernel.value
assert kernel.sharding == model.layers[0].kernel.value.sharding or processes == 1
for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
    np.testing.assert_array_equal(a, b)
evaluated = model.evaluate(x, y, 16, 0)
predicted = model.predict(x, 16, 0)
model.fit(((x[i : i + 8], y[i : i + 8]) for i in range(0, 48, 8)), verbose=0)
model.save(folder / "model.keras")
weights = [np.asarray(w) for w in model.get_weights()]
if me == 0:
    logs = [np.array(v) for v in history.history.values()]
    np.savez(folder / "numbers.npz", *weights, *logs, evaluated, predicted)
    print("ok", processes, jax.device_count())
