"""Scaling of the cost of an epoch: `python -m benchmarks.scaling`.

One quantity is varied at a time. The slope of log(seconds) over log(quantity) is fitted to the larger half of the
values, where fixed costs matter less: 1 means proportional, 0 means constant.
"""

from __future__ import annotations

import argparse
import datetime
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine, report
from benchmarks.frameworks import FRAMEWORKS
from benchmarks.measure import in_turns
from benchmarks.run import RESULTS
from benchmarks.worker import Worker
from benchmarks.workloads import Workload, write_data

BASE = Workload("dense", "dense", (64, 128, 128, 10), "classes", "sgd", 8_192)
TINY = Workload("linear", "dense", (2, 1), "mse", "sgd", 32)


@dataclass(frozen=True)
class Axis:
    """One quantity, and the workload for each of its values."""

    name: str
    about: str
    workloads: dict[int, Workload]


AXES = (
    Axis("batch", "rows in a batch; 8,192 rows", {b: replace(BASE, batch=b) for b in (8, 16, 32, 64, 128, 256, 512)}),
    Axis(
        "width", "units of two hidden layers; 2,048 rows",
        {u: replace(BASE, sizes=(64, u, u, 10), rows=2_048) for u in (16, 32, 64, 128, 256, 512, 1024)},
    ),
    Axis(
        "depth", "hidden layers of 128 units; 2,048 rows",
        {d: replace(BASE, sizes=(64, *(128,) * d, 10), rows=2_048) for d in (1, 2, 4, 8, 16)},
    ),
    Axis("rows", "rows of the data", {n: replace(BASE, rows=n) for n in (1_024, 2_048, 4_096, 8_192, 16_384, 32_768)}),
    Axis("steps", "steps of a linear model", {n: replace(TINY, rows=32 * n) for n in (10, 100, 1_000, 10_000)}),
)  # fmt: skip


def slope(quantity: Sequence[float], seconds: Sequence[float]) -> float:
    """The slope of log(seconds) over log(quantity), for the larger half of the values."""
    first = len(quantity) // 2
    return float(np.polyfit(np.log(quantity[first:]), np.log(seconds[first:]), 1)[0])


def measure(w: Workload, frameworks: Sequence[str], rounds: int) -> dict[str, dict[str, float]]:
    """Seconds and CPU seconds of the fastest epoch of each framework."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data.npz")
        write_data(w, data)
        workers = {f: Worker(f, "fit", data, w) for f in frameworks}
        try:
            epochs = in_turns(workers, rounds, frozenset())
        finally:
            for worker in workers.values():
                worker.kill()
    return {f: {k: min(e[k] for e in all_) for k in ("seconds", "cpu_seconds")} for f, all_ in epochs.items()}


def plot(results: dict[str, Any], path: Path) -> None:
    """Plot all axes side by side."""
    from matplotlib import pyplot

    axes = results["axes"]
    figure, panels = pyplot.subplots(1, len(axes), figsize=(3.2 * len(axes), 3.2), squeeze=False)
    for panel, (name, axis) in zip(panels[0], axes.items()):
        for framework, seconds in axis["seconds"].items():
            label = f"{framework} ({axis['slopes'][framework]:.2f})"
            panel.loglog(axis["values"], seconds, "o-", label=label, markersize=3)
        panel.set(title=name, xlabel=axis["about"], ylabel="seconds per epoch" if name == "batch" else None)
        panel.legend(fontsize=7, title="slope", title_fontsize=7)
        panel.grid(alpha=0.3, which="both")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def markdown(results: dict[str, Any]) -> str:
    m = results["machine"]
    lines = [
        f"# Scaling: {results['label']}", "",
        f"{m['cpu']}, {m['cores']} cores; load average at the start {m['load_average_at_start']}. Seconds of the "
        f"fastest of {results['rounds'] + 2} epochs.", "",
    ]  # fmt: skip
    for name, axis in results["axes"].items():
        rows = [
            [framework, *(f"{s * 1000:.3g} ms" for s in seconds), f"{axis['slopes'][framework]:.2f}"]
            for framework, seconds in axis["seconds"].items()
        ]
        lines += [f"## {name}", "", f"{axis['about']}.", ""]
        lines += report.table(["", *(f"{v:,}" for v in axis["values"]), "slope"], rows) + [""]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, plot and write; returns the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description="Scaling of the time per epoch.")
    parser.add_argument("--axes", nargs="+", choices=[a.name for a in AXES], default=[a.name for a in AXES])
    parser.add_argument("--frameworks", nargs="+", choices=list(FRAMEWORKS), default=["jaxkeras", "jax-scan"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="output path without suffix; default results/scaling-<date>")
    args = parser.parse_args(argv)
    output = args.output or RESULTS / f"scaling-{datetime.date.today().isoformat()}"
    results: dict[str, Any] = {
        "label": output.name, "machine": machine.facts(), "rounds": args.rounds, "axes": {},
    }  # fmt: skip
    for axis in AXES:
        if axis.name not in args.axes:
            continue
        values = list(axis.workloads)
        cells = [measure(w, args.frameworks, args.rounds) for w in axis.workloads.values()]
        seconds = {f: [cell[f]["seconds"] for cell in cells] for f in args.frameworks}
        results["axes"][axis.name] = {
            "about": axis.about,
            "values": values,
            "seconds": seconds,
            "cpu_seconds": {f: [cell[f]["cpu_seconds"] for cell in cells] for f in args.frameworks},
            "slopes": {f: slope(values, s) for f, s in seconds.items()},
        }
        print(f"{axis.name}: {results['axes'][axis.name]['slopes']}", flush=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.with_name(output.name + ".json").write_text(json.dumps(results, indent=1) + "\n")
    output.with_name(output.name + ".md").write_text(markdown(results))
    plot(results, output.with_name(output.name + ".png"))
    return results


if __name__ == "__main__":
    main()
