"""`jaxkeras train`."""

from __future__ import annotations

import argparse
import csv
import json
import pathlib
import time
from typing import Any

from jaxkeras.cli.data import Data, add_data_arguments, load
from jaxkeras.cli.model import default_loss, load_model
from jaxkeras.cli.report import CommandError, Report, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument(
        "model", help="a .keras file, or module:function or file.py:function that returns a model; the function may "
        "take `classes`, the number of classes, and `input_shape`, the shape of a row",
    )  # fmt: skip
    add_data_arguments(parser)
    parser.add_argument("--epochs", type=int, default=10, help="passes over the data (default: 10)")
    parser.add_argument("--validation-split", type=float, default=0.2, metavar="FRACTION",
                        help="rows held out for validation, after a shuffle (default: 0.2)")  # fmt: skip
    parser.add_argument("--optimizer", help="for a model that is not compiled (default: adam)")
    parser.add_argument("--learning-rate", type=float, help="instead of the optimizer's own")
    parser.add_argument("--loss", help="for a model that is not compiled; by default from its last activation")
    parser.add_argument("--metrics", nargs="*", help="for a model that is not compiled")
    parser.add_argument("--patience", type=int,
                        help="stop when the validation loss has not improved for this many epochs")  # fmt: skip
    parser.add_argument("--resume", action="store_true", help="continue a run that was interrupted, in the same output")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights, order and dropout (default: 0)")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("run"),
                        help="folder for the model, curves and report (default: run)")  # fmt: skip


def run(options: argparse.Namespace) -> Report:
    """Train, and leave model, curves and report in a folder."""
    import jaxkeras as jk

    if not 0 <= options.validation_split < 1:
        raise CommandError(f"--validation-split must be at least 0 and below 1; got {options.validation_split}.")
    if options.epochs < 1:
        raise CommandError(f"--epochs must be positive; got {options.epochs}.")
    jk.utils.set_random_seed(options.seed)
    data = load(options, validation_split=options.validation_split)
    model = load_model(options.model, classes=len(data.classes or ()) or None, input_shape=_row_shape(data))
    _compile(model, data, options)
    output = options.output
    output.mkdir(parents=True, exist_ok=True)

    callbacks: list[Any] = []
    monitored = options.validation_split > 0
    if options.patience is not None:
        monitor = "val_loss" if monitored else "loss"
        callbacks.append(jk.callbacks.EarlyStopping(monitor, patience=options.patience, restore_best_weights=True))
    if options.resume:
        callbacks.append(jk.callbacks.BackupAndRestore(output / "backup"))
    start = time.perf_counter()
    try:
        history = model.fit(
            callbacks=callbacks, epochs=options.epochs, verbose=0 if options.json else "auto",
            **_fit_data(data, options),
        )
    except ValueError as error:
        raise CommandError(str(error)) from None
    seconds = time.perf_counter() - start

    logs = {name: [float(v) for v in values] for name, values in history.history.items()}
    files = _write(output, model, logs)
    values = {
        "model": model.name,
        "parameters": model.count_params(),
        "epochs": len(next(iter(logs.values()))),
        "seconds": round(seconds, 3),
        "last": {name: column[-1] for name, column in logs.items()},
        "classes": data.classes,
        "files": [str(f) for f in files],
    }
    (output / "report.json").write_text(json.dumps(values, indent=2) + "\n")
    lines = [
        ("model", f"{model.name}, {values['parameters']:,} parameters"),
        ("epochs", f"{values['epochs']} in {seconds:.1f} s"),
        *[(name, f"{value:.4g}") for name, value in values["last"].items()],
        ("files", ", ".join(str(f) for f in [*files, output / "report.json"])),
    ]
    return Report(values, table(lines))


def _row_shape(data: Data) -> tuple[int, ...] | None:
    return tuple(data.x.shape[1:]) if hasattr(data.x, "shape") else None


def _compile(model: Any, data: Data, options: argparse.Namespace) -> None:
    loss, metrics = default_loss(model, data.y, data.classes)
    if not model.compiled:
        model.compile(options.optimizer or "adam", options.loss or loss, metrics=options.metrics or metrics)
    elif options.loss or options.metrics or options.optimizer:
        raise CommandError("the model is compiled already: leave out --loss, --metrics and --optimizer.")
    if options.learning_rate is not None:
        model.optimizer.learning_rate = options.learning_rate


def _fit_data(data: Data, options: argparse.Namespace) -> dict[str, Any]:
    if data.y is None:  # a folder
        return {"x": data.x, "validation_data": data.validation}
    import jax
    import numpy as np

    # `validation_split` takes the last rows, and a table is often sorted by class.
    order = np.random.default_rng(options.seed).permutation(len(data.y))
    x = jax.tree.map(lambda a: a[order], data.x)
    how = {"x": x, "y": data.y[order], "batch_size": options.batch_size}
    return how | ({"validation_split": options.validation_split} if options.validation_split else {})


def _write(output: pathlib.Path, model: Any, logs: dict[str, list[float]]) -> list[pathlib.Path]:
    files = [output / "model.keras", output / "history.csv"]
    model.save(files[0])
    with open(files[1], "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", *logs])
        writer.writerows([i + 1, *row] for i, row in enumerate(zip(*logs.values())))
    try:
        from jaxkeras.utils import plot_history

        plot_history(logs, to_file=output / "curves.png")
    except ImportError:
        return files  # without matplotlib
    return [*files, output / "curves.png"]
