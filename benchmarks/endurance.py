"""Long runs: memory, threads and open files over many epochs of one `fit`, and over many models made and deleted.

    python -m benchmarks.endurance                                  # 1,000 epochs, 2,000 models; about half an hour
    python -m benchmarks.endurance --epochs 200 --models 100        # a quick look
    python -m benchmarks.endurance --plot endurance.png

Linux only: it reads `/proc/self`. A rate is the slope of a line through the second half of the samples.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np


def sample() -> dict[str, float]:
    """Resident memory in MiB, the number of threads, and of open files."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return {
        "memory": int(status["VmRSS"].split()[0]) / 1024,
        "threads": int(status["Threads"]),
        "files": len(os.listdir("/proc/self/fd")),
    }


def settled() -> dict[str, float]:
    """A sample after garbage is collected and free memory is given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return sample()


def slope(values: list[float], every: int) -> float:
    """The growth a round in the second half of samples that were taken every so many rounds."""
    half = np.asarray(values[len(values) // 2 :])
    return float(np.polyfit(np.arange(len(half)) * every, half, 1)[0]) if len(half) > 1 else float("nan")


def _model() -> Any:
    import jaxkeras as jk

    model = jk.Sequential([jk.layers.Dense(32, activation="relu"), jk.layers.Dropout(0.1), jk.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def _data() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(256, 16)).astype("float32")
    return x, x.sum(1, keepdims=True)


def epochs(count: int, every: int) -> list[dict[str, float]]:
    """Samples during one `fit` with validation and a callback with batch hooks."""
    import jaxkeras as jk

    samples = []

    class Sample(jk.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch % every == 0:
                samples.append(settled())

    x, y = _data()
    _model().fit(x, y, epochs=count, validation_data=(x, y), verbose=0, callbacks=[Sample()])
    return samples


def models(count: int, every: int) -> list[dict[str, float]]:
    """Samples while models are made, compiled, trained and deleted."""
    x, y = _data()
    samples = []
    for i in range(count):
        model = _model()
        model.fit(x, y, verbose=0)
        model.predict(x, verbose=0)
        del model
        if i % every == 0:
            samples.append(settled())
    return samples


def plot(runs: dict[str, tuple[list[dict[str, float]], int]], path: str) -> None:
    """Draw memory, threads and files over the rounds of each run."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(runs), 6), layout="constrained")
    panels = figure.subplots(3, len(runs), squeeze=False, sharex="col")
    for column, (name, (samples, every)) in zip(panels.T, runs.items()):
        for axes, quantity in zip(column, ("memory", "threads", "files")):
            axes.plot(np.arange(len(samples)) * every, [s[quantity] for s in samples])
            axes.set_ylim(0, 1.2 * max(s[quantity] for s in samples))
            axes.set_ylabel(f"{quantity}{' (MiB)' if quantity == 'memory' else ''}")
        column[-1].set_xlabel(name)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--models", type=int, default=2000)
    parser.add_argument("--plot", metavar="FILE", help="draw the samples")
    parser.add_argument("--json", metavar="FILE", help="write the samples")
    arguments = parser.parse_args()
    runs: dict[str, tuple[list[dict[str, float]], int]] = {}
    for name, run, count in (("epochs", epochs, arguments.epochs), ("models", models, arguments.models)):
        if not count:
            continue
        every = max(1, count // 100)
        since = time.perf_counter()
        samples = run(count, every)
        runs[name] = samples, every
        seconds, (first, last) = time.perf_counter() - since, (samples[0], samples[-1])
        rate = 1024 * slope([s["memory"] for s in samples], every)
        print(
            f"{count} {name} in {seconds:.0f} s: memory {first['memory']:.0f} -> {last['memory']:.0f} MiB, {rate:+.2f} "
            f"KiB each; threads {first['threads']} -> {last['threads']}; files {first['files']} -> {last['files']}",
            flush=True,
        )
    if arguments.plot:
        plot(runs, arguments.plot)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({name: samples for name, (samples, _) in runs.items()}))


if __name__ == "__main__":
    main()
