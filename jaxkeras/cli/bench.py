"""`jaxkeras bench`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from typing import Any

from jaxkeras.cli.model import default_loss, load_model
from jaxkeras.cli.report import CommandError, Report, table
from jaxkeras.display.progress import track


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("model", help="a .keras file, or module:function that returns a model with known input shapes")
    parser.add_argument("--batch-size", type=int, default=32, help="rows in a batch (default: 32)")
    parser.add_argument("--steps", type=int, default=100, help="steps of an epoch (default: 100)")
    parser.add_argument("--rounds", type=int, default=5, help="epochs to measure, after one that compiles (default: 5)")


def run(options: argparse.Namespace) -> Report:
    """Time epochs and predictions on random data."""
    model = load_model(options.model)
    x = _random_inputs(model, options.batch_size * options.steps)
    y = _random_targets(model, options.batch_size * options.steps)
    if not model.compiled:
        loss, metrics = default_loss(model, y, None)
        model.compile("adam", loss, metrics=metrics)
    how = {"batch_size": options.batch_size, "verbose": 0}
    try:
        first = _seconds(lambda: model.fit(x, y, **how))
    except ValueError as error:
        raise CommandError(f"random data do not fit the model: {error}") from None
    fit = sorted(_seconds(lambda: model.fit(x, y, **how)) for _ in _rounds(options, "Training"))
    model.predict(x, **how)
    predict = sorted(_seconds(lambda: model.predict(x, **how)) for _ in _rounds(options, "Predicting"))
    rows = options.batch_size * options.steps
    values = {
        "batch_size": options.batch_size,
        "first_epoch_seconds": first,
        "step_ms": 1e3 * fit[0] / options.steps,
        "step_ms_median": 1e3 * fit[len(fit) // 2] / options.steps,
        "train_rows_per_second": rows / fit[0],
        "predict_rows_per_second": rows / predict[0],
        "parameters": model.count_params(),
    }
    lines = [
        ("model", f"{model.name}, {values['parameters']:,} parameters, batches of {options.batch_size}"),
        ("first epoch", f"{first:.2f} s, with compilation"),
        ("step", f"{values['step_ms']:.3f} ms at best, {values['step_ms_median']:.3f} ms in the median"),
        ("training", f"{values['train_rows_per_second']:,.0f} rows a second"),
        ("prediction", f"{values['predict_rows_per_second']:,.0f} rows a second"),
    ]
    return Report(values, table(lines))


def _rounds(options: argparse.Namespace, title: str) -> Iterable[int]:
    rounds = range(options.rounds)
    return rounds if options.json else track(rounds, title, options.rounds, "round")


def _seconds(function: Any) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _random_inputs(model: Any, rows: int) -> Any:
    import jax
    import numpy as np

    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise CommandError("the shapes of the model's inputs are not known: begin it with an Input.")
    rng = np.random.default_rng(0)

    def draw(spec: Any) -> Any:
        if any(size is None for size in spec.shape[1:]):
            raise CommandError(f"the input {spec.name!r} has shape {spec.shape}; only the batch may be unknown.")
        shape = (rows, *spec.shape[1:])
        if np.dtype(spec.dtype).kind in "iu":
            return rng.integers(0, 2, shape).astype(spec.dtype)
        return rng.normal(size=shape).astype(spec.dtype)

    return jax.tree.map(draw, inputs[0] if len(inputs) == 1 else list(inputs))


def _random_targets(model: Any, rows: int) -> Any:
    import numpy as np

    if len(model.outputs) != 1:
        raise CommandError("`bench` needs a model with one output.")
    (output,) = model.outputs
    loss = str(getattr(model, "loss", None) or "")
    rng = np.random.default_rng(0)
    if "sparse" in loss.lower():
        return rng.integers(0, output.shape[-1], (rows, *output.shape[1:-1])).astype("int32")
    return rng.uniform(size=(rows, *output.shape[1:])).astype("float32")
