"""What to measure on one accelerator, in one run of at most eight minutes.

    python -m benchmarks.accelerator                    # everything, with the frameworks that are installed
    python -m benchmarks.accelerator --parts networks members --minutes 4
    python -m benchmarks.accelerator --tiny             # tiny sizes, to see that it runs; the figures mean nothing

Parts: `networks` (train steps of GPT-2, BERT and airbench's network, tokens or images a second, share of the peak),
`small` (three workloads of `python -m benchmarks`), `predict` (latency of single calls), `members` (populations of 1 to
1,024 small models) and `start` (from the start of a process to the end of its first epoch). Every contestant runs in a
process of its own, one after another, so that each has the device's memory for itself.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine, report, startup
from benchmarks.accelerators.networks import NETWORKS, ConvNet, peak_flops
from benchmarks.comparisons import COMPARISONS
from benchmarks.frameworks import FRAMEWORKS
from benchmarks.measure import compare, spread
from benchmarks.run import RESULTS
from benchmarks.worker import ROOT

CONTESTANTS: dict[str, tuple[str, dict[str, Any]]] = {  # module with `seconds_a_step`, and its options
    "jaxkeras": ("keras_api", {"package": "jaxkeras"}),
    "jax by hand": ("hand_jax", {}),
    "keras-jax": ("keras_api", {"package": "keras"}),
    "torch.compile": ("torch_compiled", {}),
}
NEEDS = {"jaxkeras": "jaxkeras", "jax by hand": "jax-scan", "keras-jax": "keras-jax", "torch.compile": "torch-compile"}
SMALL = ("tabular", "mlp", "cnn")
MEMBERS = (1, 4, 16, 64, 256, 1024)
LIMIT = 100  # seconds for one process


# -- in a process of its own -----------------------------------------------------------------------------------------
def run_network(contestant: str, name: str, tiny: bool) -> dict[str, Any]:
    """Seconds a step, in epochs of one call each."""
    import jax

    module, options = CONTESTANTS[contestant]
    network = NETWORKS[name].tiny() if tiny else NETWORKS[name]
    measure = importlib.import_module(f"benchmarks.accelerators.{module}").seconds_a_step
    seconds = measure(network, steps=2 if tiny else 16, rounds=2 if tiny else 4, **options)
    device = jax.devices()[0].device_kind
    step = min(seconds)
    return {
        "device": device,
        "seconds": spread(seconds),
        "per_second": network.units / step,
        "share_of_peak": network.step_flops / step / peak_flops(device),
    }


def run_predict(tiny: bool) -> dict[str, Any]:
    """Milliseconds of single calls for one row, and of a bare jitted function."""
    import jax
    import numpy as np

    import jaxkeras as jk

    width = 8 if tiny else 512
    model = jk.Sequential([jk.Input((width,)), *(jk.layers.Dense(width, activation="relu") for _ in range(3))])
    x = np.ones((1, width), "float32")
    params, state = model.init(0)
    apply = jax.jit(lambda params, state, x: model.apply(params, state, x)[0])

    def least(call: Callable[[], Any]) -> float:
        call()
        times = []
        for _ in range(5 if tiny else 200):
            since = time.perf_counter()
            call()
            times.append(1e3 * (time.perf_counter() - since))
        return min(times)

    return {
        "a jitted function": least(lambda: np.asarray(apply(params, state, x))),
        "predict_on_batch": least(lambda: model.predict_on_batch(x)),
        "predict": least(lambda: model.predict(x, verbose=0)),
    }


def run_members(tiny: bool) -> dict[str, Any]:
    """Seconds an epoch of populations of a 64-64 network, by number of members."""
    import numpy as np

    import jaxkeras as jk

    draw = np.random.default_rng(0)
    x = draw.standard_normal((256 if tiny else 8_192, 20), dtype="float32")
    y = (x.sum(axis=1, keepdims=True) > 0).astype("float32")
    seconds = {}
    for members in MEMBERS[:2] if tiny else MEMBERS:
        model = jk.Sequential(
            [jk.Input((20,)), *(jk.layers.Dense(64, activation="relu") for _ in range(2)), jk.layers.Dense(1)]
        )
        population = jk.Population(model, seeds=range(members))
        population.compile("adam", jk.losses.BinaryCrossentropy(from_logits=True))
        population.fit(x, y, batch_size=64, epochs=1, verbose=0)
        times = []
        for _ in range(3):
            since = time.perf_counter()
            population.fit(x, y, batch_size=64, epochs=1, verbose=0)
            times.append(time.perf_counter() - since)
        seconds[str(members)] = min(times)
    return seconds


RUNS: dict[str, Callable[..., dict[str, Any]]] = {
    "network": run_network,
    "predict": run_predict,
    "members": run_members,
}


# -- the whole run ---------------------------------------------------------------------------------------------------
class Clock:
    """What is left of the time.

    Args:
        minutes: Of the whole run.
    """

    def __init__(self, minutes: float):
        self._end = time.monotonic() + 60 * minutes

    def left(self) -> float:
        """Seconds."""
        return self._end - time.monotonic()


def in_process(clock: Clock, *arguments: Any) -> dict[str, Any]:
    """Run one of `RUNS` in a process; returns its results, or why there are none under "failed"."""
    limit = min(LIMIT, clock.left())
    if limit < 5:
        return {"failed": "no time left"}
    command = [sys.executable, "-m", "benchmarks.accelerator", "--run", json.dumps(arguments)]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, cwd=ROOT, env=environment)
    except subprocess.TimeoutExpired:
        return {"failed": f"not done in {limit:.0f} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no output"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def networks(clock: Clock, tiny: bool, frameworks: Sequence[str]) -> dict[str, Any]:
    """All networks by all contestants that are installed."""
    results: dict[str, Any] = {}
    for name, network in NETWORKS.items():
        for contestant in CONTESTANTS:
            convolutional = isinstance(network, ConvNet)
            if NEEDS[contestant] in frameworks and not (convolutional and contestant == "torch.compile"):
                result = in_process(clock, "network", contestant, name, tiny)
                results.setdefault(name, {})[contestant] = result
                print(f"  {name}, {contestant}: {result}", flush=True)
    return results


def small(clock: Clock, tiny: bool, frameworks: Sequence[str]) -> dict[str, Any]:
    """Small workloads fused, with the ratio of each contestant's time to ours."""
    chosen = [f for f in ("jaxkeras", "jax-scan", "keras-jax") if f in frameworks]
    results = {}
    for name in SMALL[:1] if tiny else SMALL:
        if clock.left() < 5:
            results[name] = {"failed": "no time left"}
            continue
        done = compare(COMPARISONS[name], chosen, rounds=2 if tiny else 3, scale=1e-3 if tiny else 0.25)
        results[name] = {who: {"seconds": e["seconds"]["min"]} for who, e in done["entries"].items()}
    return results


def start(clock: Clock, tiny: bool, frameworks: Sequence[str]) -> dict[str, Any]:
    """First epochs of new processes."""
    chosen = [f for f in ("jaxkeras", "jax-scan", "keras-jax") if f in frameworks]
    return startup.first_epoch(chosen, ["linear" if tiny else "mlp"], rounds=1, scale=1e-3 if tiny else 0.1)


PARTS: dict[str, Callable[[Clock, bool, Sequence[str]], dict[str, Any]]] = {
    "networks": networks,
    "small": small,
    "predict": lambda clock, tiny, _: in_process(clock, "predict", tiny),
    "members": lambda clock, tiny, _: in_process(clock, "members", tiny),
    "start": start,
}


def markdown(results: dict[str, Any]) -> str:
    """The results as tables."""
    m, parts = results["machine"], results["parts"]
    versions = ", ".join(f"{name} {version}" for name, version in m["versions"].items())
    lines = [f"# On an accelerator: {results['label']}", "", f"{results['device']}; {m['cpu']}, {m['cores']} cores; "
             f"{versions}.{' Tiny sizes: the figures mean nothing.' if results['tiny'] else ''}", ""]  # fmt: skip
    for name, by in parts.get("networks", {}).items():
        work = NETWORKS[name].work
        rows = [
            [who, r["failed"], "", ""]
            if "failed" in r
            else [who, f"{1e3 * r['seconds']['min']:.3g}", f"{r['per_second']:,.0f}",
                  "unknown" if math.isnan(r["share_of_peak"]) else f"{100 * r['share_of_peak']:.0f} %"]
            for who, r in by.items()
        ]  # fmt: skip
        lines += [f"## {name}", "", *report.table(["", "ms a step", f"{work} a second", "of the peak"], rows), ""]
    for part, unit, factor in (("predict", "ms", 1.0), ("members", "ms an epoch", 1e3)):
        if part in parts:
            rows = [[k, v if isinstance(v, str) else f"{factor * v:.3g}"] for k, v in parts[part].items()]
            lines += [f"## {part}", "", *report.table(["", unit], rows), ""]
    if "small" in parts:
        rows = [
            [name, who, f"{1e3 * r['seconds']:.3g}" if isinstance(r, dict) else r]
            for name, by in parts["small"].items()
            for who, r in by.items()
        ]
        lines += ["## small", "", *report.table(["workload", "", "ms an epoch"], rows), ""]
    if "start" in parts:
        rows = [
            [name, who, f"{both['cold']['median']:.2f}", f"{both['warm']['median']:.2f}"]
            for name, by in parts["start"].items()
            for who, both in by.items()
        ]
        lines += ["## start", "", *report.table(["workload", "", "cold, s", "second process, s"], rows), ""]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print and write; returns the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accelerator", description="Time one accelerator.")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--frameworks", nargs="+", choices=sorted(set(NEEDS.values())), default=list(NEEDS.values()))
    parser.add_argument("--minutes", type=float, default=8.0, help="limit of the whole run")
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--output", type=Path, help="output path without suffix; default results/accelerator-<date>")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.run:
        name, *arguments = json.loads(args.run)
        results = RUNS[name](*arguments)
        print(json.dumps(results))
        return results
    clock = Clock(args.minutes)
    present = [name for name in args.frameworks if FRAMEWORKS[name].installed()]
    device = subprocess.run(
        [sys.executable, "-c", "import jax; print(jax.devices()[0].device_kind)"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    output = args.output or RESULTS / f"accelerator-{datetime.date.today().isoformat()}"
    output.parent.mkdir(parents=True, exist_ok=True)
    results = {
        "label": output.name, "machine": machine.facts(), "device": device, "tiny": args.tiny, "parts": {},
    }  # fmt: skip
    for part in args.parts:
        print(f"{part}:", flush=True)
        results["parts"][part] = PARTS[part](clock, args.tiny, present)
        # Keep partial results if a long run is stopped.
        output.with_name(output.name + ".json").write_text(json.dumps(results, indent=1) + "\n")
        output.with_name(output.name + ".md").write_text(markdown(results))
    print(markdown(results))
    return results


if __name__ == "__main__":
    main()
