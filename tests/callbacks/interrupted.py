"""A program that trains with a backup; `test_backup_and_restore.py` runs it, kills it, and runs it again.

Arguments: the backup folder, the result file, `save_freq`, and the batch of epoch 2 in which to die (-1: none).
"""

import os
import signal
import sys

import numpy as np

import jaxkeras as jk


def data():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(44, 5)).astype("float32")
    return x, (x.sum(1) > 0).astype("int32")


def make():
    jk.utils.set_random_seed(3)
    model = jk.Sequential(
        [jk.Input((5,)), jk.layers.Dense(8, activation="relu"), jk.layers.BatchNormalization(),
         jk.layers.Dropout(0.4), jk.layers.Dense(3, activation="softmax")]
    )  # fmt: skip
    rate = jk.optimizers.schedules.ExponentialDecay(0.05, 7, 0.8)
    model.compile(jk.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def outcome(model, history):
    numbers = {f"weight {i}": w for i, w in enumerate(model.get_weights())}
    numbers |= {f"optimizer {i}": np.asarray(v.value) for i, v in enumerate(model.optimizer.variables)}
    numbers |= {f"state {i}": np.asarray(v.value) for i, v in enumerate(model.non_trainable_variables)}
    return numbers | {name: np.asarray(values) for name, values in history.history.items()}


class Die(jk.callbacks.Callback):
    def __init__(self, batch):
        super().__init__()
        self.batch = batch

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 2 and batch == self.batch:
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder, result, save_freq, batch):
    model = make()
    x, y = data()
    backup = jk.callbacks.BackupAndRestore(folder, "epoch" if save_freq == "epoch" else int(save_freq))
    history = model.fit(
        x, y, batch_size=8, epochs=4, validation_split=0.2, verbose=0, callbacks=[backup, Die(int(batch))]
    )
    np.savez(result, **outcome(model, history))


if __name__ == "__main__":
    main(*sys.argv[1:])
