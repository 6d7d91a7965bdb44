"""The comparisons: workloads, frameworks and tasks.

What one "epoch" of each task is:
- `fit`: an epoch within a call of `fit`; shuffled, with the running loss and accuracy that `fit` reports.
- `fit_call`: a whole call of `fit(epochs=1)`.
- `generator`, `pydataset`: an epoch from a stream of batches.
- `train_on_batch`: all batches in order, one call each, which returns its numbers.
- `evaluate`, `predict`: all rows. `predict_one`: all rows, one call each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmarks.frameworks import FRAMEWORKS
from benchmarks.workloads import WORKLOADS, Workload

_EVERYONE = ("jaxkeras", "jax-scan", "keras-jax", "keras-tf", "torch")


@dataclass(frozen=True)
class Comparison:
    """Frameworks and tasks to compare on one workload.

    Attributes:
        name: name in tables and on the command line.
        workload: what they train or run.
        entries: pairs (framework, task); ratios are relative to the first.
        target: the hand-written (framework, task) that jaxkeras is to match, or None.
    """

    name: str
    workload: Workload
    entries: tuple[tuple[str, str], ...]
    target: tuple[str, str] | None = None


def _all(name: str, workload: str, task: str, frameworks: tuple[str, ...], rows: int | None = None) -> Comparison:
    w = WORKLOADS[workload]
    return Comparison(name, replace(w, rows=rows) if rows else w, tuple((f, task) for f in frameworks))


_FITS = tuple((f, "fit") for f in FRAMEWORKS if f != "torch-compile")
_WORKLOADS = [Comparison(w.name, w, _FITS, ("jax-loop" if w.slow else "jax-scan", "fit")) for w in WORKLOADS.values()]

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
