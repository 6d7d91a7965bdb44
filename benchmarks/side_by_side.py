"""The same program with Keras and with jaxkeras, each in fresh processes: `python -m benchmarks.side_by_side`.

The first process of jaxkeras fills its program cache; Keras keeps nothing between processes.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.worker import ROOT

PROGRAM = """
import {library} as keras
from {library} import layers
import numpy as np
import sklearn.datasets

data = sklearn.datasets.load_digits()
x, y = (data.images / 16).astype("float32")[..., None], data.target.astype("int32")
keras.utils.set_random_seed(0)
model = keras.Sequential([
    keras.Input((8, 8, 1)),
    layers.Conv2D(32, 3, padding="same", activation="relu"),
    layers.MaxPooling2D(),
    layers.Conv2D(64, 3, padding="same", activation="relu"),
    layers.Flatten(),
    layers.Dropout(0.3),
    layers.Dense(10, activation="softmax"),
])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x[:1437], y[:1437], epochs=20, verbose=0)
print(model.evaluate(x[1437:], y[1437:], verbose=0)[1])
"""


def run(library: str, cache: str) -> tuple[float, float]:
    """Seconds of a process from start to end, and the accuracy that it printed."""
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAXKERAS_PROGRAM_CACHE": cache, "PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    command = [sys.executable, "-c", PROGRAM.format(library=library)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return time.perf_counter() - start, float(done.stdout.split()[-1])


def main(rounds: int = 3) -> None:
    """Print the median seconds of each."""
    with tempfile.TemporaryDirectory() as cache:
        first = [run("jaxkeras", cache)]
        keras, again = [], []
        for _ in range(rounds):
            keras.append(run("keras", cache))
            again.append(run("jaxkeras", cache))
    for name, results in {"Keras on JAX": keras, "jaxkeras, first": first, "jaxkeras, again": again}.items():
        seconds, accuracy = (statistics.median(values) for values in zip(*results))
        print(f"{name:>16}: {seconds:.1f} s, accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
