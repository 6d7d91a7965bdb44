"""Measure the entries of a comparison in turns."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.comparisons import Comparison
from benchmarks.worker import Worker
from benchmarks.workloads import Workload, write_data

WARM_UP = 2


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, minimum and maximum."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def in_turns(workers: dict[str, Worker], rounds: int, once: frozenset[str], say: Any = None) -> dict[str, list[Any]]:
    """Run the epochs of all workers: warm-up, then one epoch of each per round, starting with a different worker.

    Args:
        workers: the workers by name.
        rounds: number of rounds.
        once: names of workers that are too slow: they run only the first epoch, which includes compilation.
        say: called with lines of progress.

    Returns:
        The results of each epoch, by worker.
    """
    epochs: dict[str, list[Any]] = {name: [] for name in workers}
    for name, worker in workers.items():
        for _ in range(1 if name in once else WARM_UP):
            epochs[name].append(worker.epoch())
        if say:
            say(f"  {name}: first epoch {epochs[name][0]['seconds']:.3f} s, warm {epochs[name][-1]['seconds']:.4f} s")
    names = list(workers)
    for i in range(rounds):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            if name not in once:
                epochs[name].append(workers[name].epoch())
    return epochs


def compare(c: Comparison, frameworks: Sequence[str], rounds: int, scale: float, say: Any = None) -> dict[str, Any]:
    """Measure one comparison.

    Args:
        c: the comparison.
        frameworks: names of installed frameworks to include.
        rounds: measured epochs of each entry.
        scale: fraction of the rows.
        say: called with lines of progress.

    Returns:
        For each entry seconds, ratios to the first entry by round, the last results and peak memory; and the comparison
        of jaxkeras with the target.
    """
    w = c.workload.scaled(scale)
    workers: dict[str, Worker] = {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data.npz")
        origin = write_data(w, data)
        try:
            for framework, task in c.entries:
                if framework in frameworks:
                    worker = Worker(framework, task, data, w)
                    workers[worker.name] = worker
            epochs = in_turns(workers, rounds, frozenset(w.slow), say)
            peaks = {name: worker.stop()["peak_bytes"] for name, worker in workers.items()}
        except BaseException:
            for worker in workers.values():
                worker.kill()
            raise
    measured = {name: all_[0 if name in w.slow else WARM_UP :] for name, all_ in epochs.items()}
    seconds = {name: [e["seconds"] for e in all_] for name, all_ in measured.items()}
    reference = next(iter(seconds.values()))
    entries = {
        name: {
            "seconds": spread(values),
            "cpu_seconds": spread([e["cpu_seconds"] for e in measured[name]]),
            "ratio": spread([a / b for a, b in zip(values, reference)]),
            "rounds": values,
            "first_epoch_seconds": epochs[name][0]["seconds"],
            "results": {k: v for k, v in epochs[name][-1].items() if k not in ("seconds", "cpu_seconds")},
            "peak_bytes": peaks[name],
        }
        for name, values in seconds.items()
    }
    return {"workload": _described(w, origin), "entries": entries, "target": _target(c, seconds)}


def _described(w: Workload, origin: str) -> dict[str, Any]:
    return {"kind": w.kind, "sizes": w.sizes, "rows": w.rows, "batch": w.batch, "steps": w.rows // w.batch,
            "optimizer": w.optimizer, "loss": w.loss, "dropout": w.dropout, "data": origin}  # fmt: skip


def _target(c: Comparison, seconds: dict[str, list[float]]) -> dict[str, Any] | None:
    """The ratio of jaxkeras, minus 3 ms per epoch, to the hand-written version; the target is at most 1.05."""
    if c.target is None or "jaxkeras" not in seconds or c.target[0] not in seconds:
        return None
    ours, theirs = seconds["jaxkeras"], seconds[c.target[0]]
    ratio = spread([(a - 0.003) / b for a, b in zip(ours, theirs)])
    return {
        "against": c.target[0],
        "ratio": ratio,
        "ratio_of_fastest": (min(ours) - 0.003) / min(theirs),
        "met": ratio["median"] <= 1.05,
    }
