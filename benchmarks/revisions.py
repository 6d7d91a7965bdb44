"""Compare this checkout with another one, epoch by epoch in turns.

    git worktree add --detach /tmp/before HEAD~1
    python -m benchmarks.revisions /tmp/before                        # all workloads
    python -m benchmarks.revisions /tmp/before --workloads linear cnn --rounds 9 --scale 0.3
    python -m benchmarks.revisions /tmp/before --workloads resnet gpt:predict
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.comparisons import COMPARISONS, Comparison
from benchmarks.measure import in_turns, spread
from benchmarks.networks import NETWORKS
from benchmarks.worker import ROOT, Worker
from benchmarks.workloads import WORKLOADS, write_data

# Named as in `COMPARISONS`; of these, what jaxkeras does.
OTHERS = ("fit-call", "train-on-batch", "evaluate", "predict", "predict-one")
# The networks that both checkouts have: training, and prediction.
_NETWORKS = {
    name + suffix: Comparison(name + suffix, w, (("jaxkeras", task),))
    for name, w in NETWORKS.items()
    for suffix, task in (("", "fit"), (":predict", "predict"))
}
ALL = {**COMPARISONS, **_NETWORKS}


def compare(name: str, other: Path, rounds: int, scale: float) -> dict[str, float]:
    """Time both checkouts on one comparison.

    Args:
        name: a name in `ALL`.
        other: the other checkout.
        rounds: measured epochs of each.
        scale: fraction of the rows.

    Returns:
        The seconds of the fastest epochs, and ratios of this checkout to the other: the median within a round, and that
        of the fastest epochs.
    """
    comparison = ALL[name]
    workload = comparison.workload.scaled(scale)
    task = comparison.entries[0][1]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data.npz")
        write_data(workload, data)
        uncached = {"JAXKERAS_PROGRAM_CACHE": "0"}
        workers = {
            "this": Worker("jaxkeras", task, data, workload, uncached),
            "other": Worker("jaxkeras", task, data, workload, uncached, other),
        }
        try:
            epochs = in_turns(workers, rounds, frozenset(), None)
        finally:
            for worker in workers.values():
                worker.kill()
    times = {who: [e["seconds"] for e in epochs[who][-rounds:]] for who in workers}
    return {
        "this": min(times["this"]),
        "other": min(times["other"]),
        "median": spread([a / b for a, b in zip(times["this"], times["other"])])["median"],
        "fastest": min(times["this"]) / min(times["other"]),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Print a table of ratios; below 1, this checkout is faster."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.revisions", description="Compare two checkouts.")
    parser.add_argument("other", type=Path, help="the other checkout")
    parser.add_argument("--workloads", nargs="*", default=[*WORKLOADS, *OTHERS],
                        choices=[*WORKLOADS, *OTHERS, *_NETWORKS], metavar="NAME")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--scale", type=float, default=0.25, help="fraction of the rows")
    options = parser.parse_args(argv)
    print(f"{ROOT} relative to {options.other}\n")
    print("| comparison | this, fastest | other, fastest | ratio, median | ratio of the fastest |")
    print("| --- | --- | --- | --- | --- |")
    for name in options.workloads:
        r = compare(name, options.other.resolve(), options.rounds, options.scale)
        print(
            f"| {name} | {1e3 * r['this']:.2f} ms | {1e3 * r['other']:.2f} ms | {r['median']:.2f} "
            f"| {r['fastest']:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
