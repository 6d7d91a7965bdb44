"""Many models at once: `python -m benchmarks.population` compares an epoch of a population with one of a single model.

Everything runs in turns in one process, the least times count, and rates are reported relative to one model. With
`--keras`, the same epochs of Keras on JAX, run in a process of its own, are multiplied by the number of members.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.frameworks.keras_api import compiled
from benchmarks.worker import ROOT
from benchmarks.workloads import WORKLOADS, Workload, draw_data, draw_weights

CASES = {
    "linear": WORKLOADS["linear"],
    "tabular": WORKLOADS["tabular"],
    "mlp-64-64": Workload("mlp-64-64", "dense", (64, 64, 64, 10), "classes", "sgd", 20_000),
}


def epoch_seconds(fit: Callable[..., Any], w: Workload, rounds: int) -> float:
    """The shortest epoch of `rounds` after a warm-up, without the start and the end of `fit`."""
    import importlib

    package = importlib.import_module(fit.__module__.split(".")[0])
    ends: list[float] = []

    class Clock(package.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            ends.append(time.perf_counter())

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            ends.append(time.perf_counter())

    x, y, _ = draw_data(w)
    fit(x, y, batch_size=w.batch, epochs=rounds + 1, verbose=0, callbacks=[Clock()])
    return min(b - a for a, b in zip(ends[2::2], ends[3::2]))


def keras_epoch(name: str, scale: float, rounds: int) -> float:
    """The shortest epoch of Keras on JAX, in a process of its own."""
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "benchmarks.population", "--keras-worker", name]
    command += ["--rounds", str(rounds), "--scale", str(scale)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def _keras_worker(name: str, scale: float, rounds: int) -> None:
    import keras

    w = CASES[name].scaled(scale)
    weights = [array for _, array in draw_weights(w)]
    print(json.dumps(epoch_seconds(compiled(keras, w, weights).fit, w, rounds)))


def measure(name: str, members: int, scale: float, rounds: int, turns: int, with_keras: bool) -> dict[str, float]:
    """Seconds of an epoch of one model, of a population, and of Keras."""
    import jaxkeras as jk

    w = CASES[name].scaled(scale)
    one = compiled(jk, w, [array for _, array in draw_weights(w)])
    rate = float(np.asarray(one.optimizer.learning_rate))
    population = jk.Population(one, seeds=range(members), learning_rate=rate * np.geomspace(0.1, 1, members))
    seconds = {"one": np.inf, "population": np.inf}
    for _ in range(turns):
        seconds["one"] = min(seconds["one"], epoch_seconds(one.fit, w, 4 * rounds))
        seconds["population"] = min(seconds["population"], epoch_seconds(population.fit, w, rounds))
    if with_keras:
        seconds["keras"] = keras_epoch(name, scale, rounds)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--members", type=int, default=32)
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the rows")
    parser.add_argument("--rounds", type=int, default=4, help="epochs measured in each turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--keras", action="store_true")
    parser.add_argument("--keras-worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.keras_worker:
        return _keras_worker(options.keras_worker, options.scale, options.rounds)
    print(json.dumps(machine.facts()))
    print(f"| | one model, ms | {options.members} members, ms | ratio | Keras, one after another, ratio |")
    print("| --- | --- | --- | --- | --- |")
    for name in options.cases:
        s = measure(name, options.members, options.scale, options.rounds, options.turns, options.keras)
        keras = f"{options.members * s['keras'] / s['population']:.1f}" if options.keras else ""
        ratio = s["population"] / s["one"]
        print(f"| {name} | {1e3 * s['one']:.1f} | {1e3 * s['population']:.1f} | {ratio:.1f} | {keras} |", flush=True)


if __name__ == "__main__":
    main()
