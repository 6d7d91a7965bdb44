"""Train on all devices of all processes: the script that the other files of this folder start."""

import numpy as np

import jaxkeras as jk

jk.distribution.initialize()
jk.distribution.set_distribution("fsdp")
jk.utils.set_random_seed(0)

x = np.random.default_rng(0).normal(size=(4096, 64)).astype("float32")
model = jk.Sequential([jk.Input((64,)), jk.layers.Dense(256, "relu"), jk.layers.Dense(8)])
model.compile("adam", "mse")
backup = jk.callbacks.BackupAndRestore("backup")  # on a file system that all processes share
model.fit(x, x[:, :8], batch_size=256, epochs=3, callbacks=[backup], verbose=2)
model.save("model.keras")  # written by the first process
