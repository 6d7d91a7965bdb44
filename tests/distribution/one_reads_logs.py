"""Callbacks that read logs on one of two processes only, of several devices each: no process waits for the other."""

import sys

import jax
import numpy as np

import jaxkeras as jk

jk.distribution.initialize()
me = jax.process_index()
x = np.random.default_rng(0).normal(size=(64, 8)).astype("float32")


class Reader(jk.callbacks.Callback):
    """Reads all logs on the last process, at once or at the end."""

    def __init__(self, late):
        super().__init__()
        self.late, self.held, self.read = late, [], []

    def see(self, logs):
        if me == jax.process_count() - 1:
            self.held.append(logs)
            if not self.late:
                self.read.append(dict(logs))

    def on_train_batch_end(self, batch, logs=None):
        self.see(logs)

    def on_test_batch_end(self, batch, logs=None):
        self.see(logs)

    def on_epoch_end(self, epoch, logs=None):
        self.see(logs)

    def on_test_end(self, logs=None):
        self.see(logs)

    def on_train_end(self, logs=None):
        self.see(logs)
        self.read += [dict(held) for held in self.held] if self.late else []


for way in ("data", "fsdp", {"data": 2, "model": 2}):
    for late in (False, True):
        jk.distribution.set_distribution(way)
        jk.utils.set_random_seed(0)
        model = jk.Sequential([jk.Input((8,)), jk.layers.Dense(16, "relu"), jk.layers.Dense(2)])
        model.compile("sgd", "mse", metrics=["mae", jk.metrics.MeanSquaredError()])
        reader = Reader(late)
        others = [jk.callbacks.EarlyStopping("val_loss", patience=5), jk.callbacks.ReduceLROnPlateau("loss")]
        model.fit(x, x[:, :2], 16, 2, 0, [reader, *others], validation_data=(x[:24], x[:24, :2]))
        if me == jax.process_count() - 1:
            losses = [float(logs["loss"]) for logs in reader.read if "loss" in logs]
            assert len(losses) >= 10 and np.isfinite(losses).all(), losses
        if me == 0:
            print(way, "late" if late else "at once", flush=True)
            assert not reader.read
jk.distribution.set_distribution("data")
bar = jk.callbacks.ProgbarLogger() if me == 0 else jk.callbacks.Callback()  # the callbacks of one process
model.fit(x, x[:, :2], 16, 2, int(me == 0), [bar])
print("ok", file=sys.stdout)
