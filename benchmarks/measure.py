"""Runs the contestants of a comparison in turns."""

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
    """Median, smallest and largest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def in_turns(workers: dict[str, Worker], rounds: int, once: frozenset[str], say: Any = None) -> dict[str, list[Any]]:
    """Epochs by worker: all warm up, then everyone runs one epoch a round, each round started by another.

    Args:
        workers: by name.
        rounds: how many.
        once: those too slow for that: one epoch, the first, which includes compiling.
        say: called with a line of progress.
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
        c: what to compare.
        frameworks: those to take, of those that are installed.
        rounds: measured epochs of each contestant.
        scale: fraction of the rows.
        say: called with lines of progress.

    Returns:
        For each contestant seconds, ratios to the first one round by round, the last loss, peak memory; and how
        jaxkeras stands to the target.
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
    """jaxkeras less 3 ms an epoch, in units of the version by hand; 1.05 is allowed."""
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
