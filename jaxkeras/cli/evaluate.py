"""`jaxkeras evaluate`."""

from __future__ import annotations

import argparse
import json
import pathlib

from jaxkeras.cli.data import add_data_arguments, load
from jaxkeras.cli.model import default_loss, load_model
from jaxkeras.cli.report import CommandError, Report, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("model", help="a .keras file, or module:function that returns a model")
    add_data_arguments(parser)


def classes_of(model: str) -> list[str] | None:
    """The names of the classes, from the report that `train` left beside the model."""
    report = pathlib.Path(model).parent / "report.json"
    return json.loads(report.read_text()).get("classes") if report.exists() else None


def run(options: argparse.Namespace) -> Report:
    """Compute the loss and the metrics."""
    model = load_model(options.model)
    data = load(options, classes=classes_of(options.model))
    if not model.compiled:
        loss, metrics = default_loss(model, data.y, data.classes)
        model.compile("sgd", loss, metrics=metrics)
    try:
        results = model.evaluate(data.x, data.y, batch_size=options.batch_size, verbose=0, return_dict=True)
    except ValueError as error:
        raise CommandError(str(error)) from None
    values = {name: float(value) for name, value in results.items()}
    return Report(values, table([(name, f"{value:.6g}") for name, value in values.items()]))
