"""Networks that people train, in all installed frameworks: `python -m benchmarks.networks`.

    python -m benchmarks.networks --networks resnet gpt --peers jaxkeras keras-tf --rounds 5
    python -m benchmarks.networks --quick
    python -m benchmarks.networks --networks unet --output results/zen4-networks    # adds to the results that are there

Unlike `python -m benchmarks`, one process a framework trains, evaluates and predicts in turn; a training epoch is a
whole call of `fit(epochs=1)`. A run keeps what its output file has of other networks and frameworks, so a table can be
measured one network at a time.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import machine, report
from benchmarks.frameworks import FRAMEWORKS
from benchmarks.measure import spread
from benchmarks.run import RESULTS
from benchmarks.worker import TURNS, Worker
from benchmarks.workloads import Workload, write_data

OURS, KERAS = "jaxkeras", "keras-jax"
OTHERS = (KERAS, "keras-tf", "torch", "torch-compile")
BY_HAND = ("jax-loop", "jax-scan")
GROUPS = {"best framework": OTHERS, "Keras on JAX": (KERAS,), "hand-written JAX": BY_HAND}
TASKS = (*TURNS, "first epoch", "peak_bytes")


def _network(name: str, *args: Any, **options: Any) -> Workload:
    return Workload(name, "network", *args, **options)


def _convolutions(*args: Any) -> Workload:
    """On XLA:CPU the plain gradient of a convolution is tens of times slower inside a loop."""
    return _network(*args, slow=("jax-scan",))


# Image networks: side, channels, classes, filters. Sequences: vocabulary, time, width, and what the model reads.
NETWORKS = {
    w.name: w
    for w in (
        _convolutions("resnet", (24, 3, 10, 24, 48), "classes", "momentum", 3_200, 64),
        _convolutions("bottleneck", (24, 3, 10, 12, 24), "classes", "momentum", 1_600, 32),
        _convolutions("depthwise", (24, 3, 10, 16, 32, 64, 96), "classes", "momentum", 3_200, 32),
        _convolutions("mobilenet", (32, 3, 10, 12, 12, 20, 20, 32, 32), "classes", "adam", 1_024, 32),
        _convolutions("efficientnet", (32, 3, 10, 12, 20, 20, 40), "classes", "adam", 1_024, 32),
        _convolutions("unet", (32, 1, 4, 12, 24, 48), "classes", "adam", 512, 8),
        _convolutions("convnext", (32, 3, 10, 24, 48), "classes", "adam", 512, 32),
        _convolutions("densenet", (16, 3, 10, 24, 12), "classes", "momentum", 1_600, 32),
        _convolutions("wavenet", (64, 128, 32, 6), "classes", "adam", 512, 8),
        _network("bidirectional-lstm", (5_000, 60, 48, 48), "binary", "adam", 1_600, 32),
        _network("bidirectional-gru", (5_000, 60, 48, 48), "binary", "adam", 1_600, 32),
        _network("gpt", (256, 64, 96, 2, 4), "classes", "adam", 1_024, 32),
        _network("encoder", (5_000, 80, 64, 2, 4), "binary", "adam", 1_024, 32),
        _network("tabular-transformer", (12, 32, 2, 4), "binary", "adam", 8_192, 256),
        _convolutions("autoencoder", (28, 1, 1, 16, 32), "mse", "adam", 3_200, 64),
        _network("recommender", (20_000, 4, 16, 64), "binary", "adam", 51_200, 256),
        _network("batch-normed-mlp", (64, 128, 128, 10), "classes", "adam", 20_000, 32, dropout=0.2),
        _network("gan", (16, 64, 32), "gan", "adam", 12_800, 64),
        _convolutions("resnet-1", (24, 3, 10, 24, 48), "classes", "momentum", 100, 1),
    )
}
QUICK = ("resnet", "bidirectional-gru", "gpt")


def measure(w: Workload, frameworks: Iterable[str], rounds: int, say: Any = print) -> dict[str, Any]:
    """Time all frameworks on one network.

    Args:
        w: the network.
        frameworks: names of installed frameworks; those that do not have this network are left out.
        rounds: measured rounds.
        say: called with lines of progress.

    Returns:
        For each framework the seconds of "fit", "evaluate" and "predict", those of the first epoch, from the start of
        its process, and the peak memory.
    """
    workers: dict[str, Worker] = {}
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data.npz")
        write_data(w, data)
        environment = {"JAXKERAS_PROGRAM_CACHE": "0"}
        try:
            for name in (f for f in frameworks if f not in w.slow):  # in turn: none compiles while another one starts
                worker = Worker(name, "turns", data, w, environment)
                try:
                    for _ in range(len(TURNS) * 2):
                        worker.epoch()
                except RuntimeError as error:
                    say(f"  {name}: {str(error).strip().splitlines()[-1]}")
                    continue
                workers[name] = worker
                found[name] = {"first epoch": worker.startup, **{turn: [] for turn in TURNS}}
            names = list(workers)
            for i in range(rounds):
                for name in names[i % len(names) :] + names[: i % len(names)]:
                    for turn in TURNS:
                        found[name][turn].append(workers[name].epoch()["seconds"])
            for name, worker in workers.items():
                found[name]["peak_bytes"] = worker.stop()["peak_bytes"]
        finally:
            for worker in workers.values():
                worker.kill()
    for times in found.values():
        for turn in TURNS:
            times[turn] = spread(times[turn])
    return found


def ratio(found: dict[str, Any], task: str, peers: Iterable[str]) -> float | None:
    """How many times faster than the fastest of these peers we are; least times."""

    def least(name: str) -> float:
        value = found[name][task]
        return value["min"] if isinstance(value, dict) else value

    there = [least(name) for name in peers if name in found]
    return min(there) / least(OURS) if there and OURS in found else None


def added(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The results of an earlier run with those of a new one, whose frameworks replace earlier ones of the same name.

    Raises:
        ValueError: if they are of different machines or versions.
    """
    if any(old["machine"][key] != new["machine"][key] for key in ("cpu", "cores", "versions")):
        raise ValueError(
            f"The output has results of another machine or of other versions:\n  {old['machine']}\nThis run is of\n"
            f"  {new['machine']}\nWrite to another --output."
        )
    networks = dict(old["networks"])
    for name, row in new["networks"].items():
        before = networks.get(name, {"frameworks": {}})
        same = all(before.get(key) == row[key] for key in ("rows", "batch"))
        kept = before["frameworks"] if same else {}
        networks[name] = {**row, "frameworks": {**kept, **row["frameworks"]}}
    return {**new, "networks": networks}


def _ratios(networks: dict[str, Any], task: str, peers: Sequence[str]) -> dict[str, float]:
    return {n: r for n, row in networks.items() if (r := ratio(row["frameworks"], task, peers))}


def summary(networks: dict[str, Any]) -> list[str]:
    """Geometric mean and worst over the networks."""
    rows = []
    for task in TASKS:
        for title, peers in GROUPS.items():
            if values := _ratios(networks, task, peers):
                mean = math.exp(sum(map(math.log, values.values())) / len(values))
                worst = min(values, key=lambda n: values[n])
                rows.append([task, title, str(len(values)), f"{mean:.2f}", f"{values[worst]:.2f} ({worst})"])
    return report.table(["times better", "than", "networks", "geometric mean", "worst"], rows)


def by_network(networks: dict[str, Any]) -> list[str]:
    """How many times better than the best framework, Keras on JAX, and hand-written JAX, for each network."""
    columns = {task: [_ratios(networks, task, peers) for peers in GROUPS.values()] for task in TASKS}
    rows = [
        [name, *(" / ".join(f"{v[name]:.2f}" if name in v else "-" for v in values) for values in columns.values())]
        for name in networks
    ]
    return report.table(["/".join(GROUPS), *columns], rows)


def markdown(results: dict[str, Any]) -> str:
    m = results["machine"]
    versions = ", ".join(f"{k} {v}" for k, v in m["versions"].items())
    rows = []
    for network, row in results["networks"].items():
        size = f"{row['rows']} in {row['batch']}"
        for name, times in row["frameworks"].items():
            seconds = [f"{times[turn]['min']:.3f}" for turn in TURNS]
            peak = f"{times['peak_bytes'] / 2**20:.0f}"
            rows.append([network, size, name, *seconds, f"{times['first epoch']:.1f}", peak])
    return "\n".join([
        f"# Networks: {results['label']}", "",
        f"{m['cpu']}, {m['cores']} cores; load average at the start {m['load_average_at_start']}; {versions}. Least "
        f"seconds of {results['rounds']} rounds; first epoch from the start of the process, without caches.", "",
        *summary(results["networks"]), "", *by_network(results["networks"]), "",
        *report.table(["network", "rows", "framework", *TURNS, "first epoch", "peak MiB"], rows), "",
    ])  # fmt: skip


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, write and return the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.networks", description="Networks that people train.")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), metavar="NAME", help=", ".join(NETWORKS))
    peers = [OURS, *OTHERS, *BY_HAND]
    parser.add_argument("--peers", nargs="+", choices=list(FRAMEWORKS), default=peers, metavar="NAME")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the rows")
    parser.add_argument("--batch", type=int, help="another batch size for all networks")
    parser.add_argument("--quick", action="store_true", help="a few networks, few rows, 3 rounds")
    parser.add_argument("--output", type=Path, help="without a suffix; default results/networks-<date>; added to")
    args = parser.parse_args(argv)
    names = args.networks or (QUICK if args.quick else tuple(NETWORKS))
    rounds, scale = (min(args.rounds, 3), min(args.scale, 0.25)) if args.quick else (args.rounds, args.scale)
    output = args.output or RESULTS / f"networks-{datetime.date.today().isoformat()}"
    present = [name for name in args.peers if FRAMEWORKS[name].installed()]
    run: dict[str, Any] = {"label": output.name, "machine": machine.facts(), "rounds": rounds, "networks": {}}
    stored = output.with_name(output.name + ".json")
    results = added(json.loads(stored.read_text()), run) if stored.exists() else run
    output.parent.mkdir(parents=True, exist_ok=True)
    for name in names:
        w = replace(NETWORKS[name], batch=args.batch or NETWORKS[name].batch).scaled(scale)
        title = f"{name}, batch {w.batch}" if args.batch else name
        print(title, flush=True)
        found = measure(w, present, rounds)
        row = {"rows": w.rows, "batch": w.batch, "frameworks": found}
        results = added(results, {**run, "networks": {title: row}})
        for framework, times in found.items():
            seconds = ", ".join(f"{turn} {times[turn]['min']:.3f} s" for turn in TURNS)
            print(f"  {framework}: {seconds}, first epoch {times['first epoch']:.1f} s", flush=True)
        stored.write_text(json.dumps(results, indent=1) + "\n")
        output.with_name(output.name + ".md").write_text(markdown(results))
    print("\n".join(summary(results["networks"])))
    return results


if __name__ == "__main__":
    main()
