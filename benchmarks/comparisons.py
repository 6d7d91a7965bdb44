"""What is compared with what.

Tasks, one "epoch" of each:
- `fit`: an epoch inside a running fit; shuffled, with the running loss and accuracy that `fit` reports.
- `fit_call`: a whole call of `fit(epochs=1)`.
- `generator`, `pydataset`: an epoch from a stream of batches.
- `train_on_batch`: all batches in order, one call each, which answers with its numbers.
- `evaluate`, `predict`: all rows. `predict_one`: all rows, one call each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmarks.frameworks import FRAMEWORKS
from benchmarks.workloads import WORKLOADS, Workload

_EVERYONE = ("jaxkeras", "jax-scan", "keras-jax", "keras-tf", "torch")


@dataclass(frozen=True)
class Comparison:
    """Contestants on one workload.

    Attributes:
        name: for tables and the command line.
        workload: what they train or run.
        entries: (framework, task); the first is what ratios refer to.
        target: the (framework, task) by hand that jaxkeras must keep up with, if there is a target.
    """

    name: str
    workload: Workload
    entries: tuple[tuple[str, str], ...]
    target: tuple[str, str] | None = None


def _all(name: str, workload: str, task: str, frameworks: tuple[str, ...], rows: int | None = None) -> Comparison:
    w = WORKLOADS[workload]
    return Comparison(name, replace(w, rows=rows) if rows else w, tuple((f, task) for f in frameworks))


_WORKLOADS = [
    Comparison(w.name, w, tuple((f, "fit") for f in FRAMEWORKS), ("jax-loop" if w.slow else "jax-scan", "fit"))
    for w in WORKLOADS.values()
]

_OTHERS = [
    _all("fit-call", "linear", "fit_call", ("jaxkeras", "keras-jax", "keras-tf")),
    _all("train-on-batch", "tabular", "train_on_batch", ("jaxkeras", "jax-loop", "keras-jax", "keras-tf", "torch")),
    _all("evaluate", "tabular", "evaluate", _EVERYONE),
    _all("predict", "tabular", "predict", _EVERYONE),
    _all("predict-one", "tabular", "predict_one", _EVERYONE, rows=320),
    Comparison(
        "stream",
        WORKLOADS["mlp"],
        (
            ("jaxkeras", "fit"), ("jaxkeras", "generator"), ("jaxkeras", "pydataset"), ("jax-loop", "fit"),
            ("keras-jax", "generator"), ("keras-jax", "pydataset"),
        ),
    ),
]  # fmt: skip

COMPARISONS = {c.name: c for c in [*_WORKLOADS, *_OTHERS]}
