"""The command line: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine, report, startup
from benchmarks.comparisons import COMPARISONS
from benchmarks.frameworks import FRAMEWORKS
from benchmarks.measure import compare
from benchmarks.workloads import WORKLOADS

RESULTS = Path(__file__).parent / "results"
STARTUP = {"first-epoch": tuple(WORKLOADS), "imports": ()}


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Time jaxkeras and other frameworks.")
    names = [*COMPARISONS, *STARTUP]
    parser.add_argument("--workloads", nargs="+", choices=names, default=names, metavar="NAME",
                        help=f"what to compare: {', '.join(names)}")  # fmt: skip
    parser.add_argument("--frameworks", nargs="+", choices=list(FRAMEWORKS), default=list(FRAMEWORKS), metavar="NAME",
                        help=f"frameworks to include, if installed: {', '.join(FRAMEWORKS)}")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=5, help="measured epochs of each framework")
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the rows")
    parser.add_argument("--output", type=Path, help="output path without suffix; default results/<date>")
    return parser.parse_args(argv)


def _write(results: dict[str, Any], output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    output.with_name(output.name + ".json").write_text(json.dumps(results, indent=1) + "\n")
    output.with_name(output.name + ".md").write_text(report.markdown(results))


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print and write; returns the results."""
    args = _arguments(argv)
    output = args.output or RESULTS / datetime.date.today().isoformat()
    present = [name for name in args.frameworks if FRAMEWORKS[name].installed()]
    for name in args.frameworks:
        if name not in present:
            print(f"{name}: not installed")
    results: dict[str, Any] = {
        "label": output.name,
        "machine": machine.facts(),
        "rounds": args.rounds,
        "scale": args.scale,
        "frameworks": {name: FRAMEWORKS[name].about for name in present},
        "comparisons": {},
    }
    for name in args.workloads:
        if name in COMPARISONS:
            print(f"{name}:", flush=True)
            result = compare(COMPARISONS[name], present, args.rounds, args.scale, _say)
            results["comparisons"][name] = result
            print("\n".join(report.comparison(name, result)), flush=True)
            _write(results, output)  # keep partial results if a long run is stopped
    if "first-epoch" in args.workloads:
        chosen = [w for w in STARTUP["first-epoch"] if w in WORKLOADS]
        results["first_epoch"] = startup.first_epoch(present, chosen, min(args.rounds, 3), args.scale, _say)
    if "imports" in args.workloads:
        results["imports"] = startup.imports(present, args.rounds)
    _write(results, output)
    print(report.markdown(results))
    return results


def _say(line: str) -> None:
    print(line, flush=True)
