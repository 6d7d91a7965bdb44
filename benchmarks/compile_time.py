"""Processor time to trace and compile, in this checkout relative to another one.

    git worktree add --detach /tmp/before HEAD~1
    python -m benchmarks.compile_time /tmp/before --workloads mlp resnet

The networks are those of this checkout, also for the other one. Each is compiled in a process of its own, without
caches: the seconds of all threads from the call of `fit` (and of `predict`) on two batches to its end, less those of
the same call again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.networks import NETWORKS
from benchmarks.worker import ROOT
from benchmarks.workloads import WORKLOADS, draw_data, draw_weights

ALL = {**WORKLOADS, **NETWORKS}
TASKS = ("fit", "predict")


def measure(name: str) -> dict[str, float]:
    """Processor seconds to trace and compile the programs of `fit` and of `predict`."""
    import jaxkeras
    from benchmarks.frameworks.keras_api import compiled

    w = replace(ALL[name], rows=2 * ALL[name].batch)
    x, y, _ = draw_data(w)
    model = compiled(jaxkeras, w, [a for _, a in draw_weights(w)])
    calls = {
        "fit": lambda: model.fit(x, y, batch_size=w.batch, verbose=0),
        "predict": lambda: model.predict(x, batch_size=w.batch, verbose=0),
    }

    def seconds(task: str) -> float:
        before = time.process_time()
        calls[task]()
        return time.process_time() - before

    return {task: seconds(task) - seconds(task) for task in TASKS}


def _measured_in(root: Path, name: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "jaxkeras").symlink_to(root / "jaxkeras")
        env = {**os.environ, "JAXKERAS_PROGRAM_CACHE": "0", "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
        command = [sys.executable, "-P", "-m", "benchmarks.compile_time", "--measure", name]
        done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(argv: Sequence[str] | None = None) -> None:
    """Print a table of least seconds and ratios; below 1, this checkout compiles faster."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compile_time", description="Compare two checkouts.")
    parser.add_argument("other", type=Path, nargs="?", help="the other checkout")
    parser.add_argument("--workloads", nargs="*", default=list(ALL), choices=list(ALL), metavar="NAME")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    if options.other is None:
        parser.error("name the other checkout")
    print("| | " + " | ".join(f"{task}: this | other | ratio" for task in TASKS) + " |")
    print("| --- |" + " --- |" * 3 * len(TASKS))
    for name in options.workloads:
        roots = ROOT, options.other.resolve()
        found = [[_measured_in(root, name) for root in roots] for _ in range(options.rounds)]
        cells = []
        for task in TASKS:
            this, other = (min(both[i][task] for both in found) for i in range(2))
            cells += [f"{this:.2f}", f"{other:.2f}", f"{this / other:.2f}"]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
