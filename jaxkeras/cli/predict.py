"""`jaxkeras predict`."""

from __future__ import annotations

import argparse
import csv
import pathlib
from typing import Any

import numpy as np

from jaxkeras.cli.data import add_data_arguments, load
from jaxkeras.cli.evaluate import classes_of
from jaxkeras.cli.model import load_model
from jaxkeras.cli.report import CommandError, Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("model", help="a .keras file, or module:function that returns a model")
    add_data_arguments(parser)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("predictions.csv"),
                        help="a .csv, .npy or .npz file (default: predictions.csv)")  # fmt: skip
    parser.add_argument("--classes", action="store_true", help="write the likeliest class instead of all outputs")


def run(options: argparse.Namespace) -> Report:
    """Write the outputs of a model for every row."""
    if options.output.suffix not in (".csv", ".npy", ".npz"):
        raise CommandError(f"--output must end in .csv, .npy or .npz; got {options.output}.")
    model = load_model(options.model)
    data = load(options, targets=False)
    try:
        outputs = model.predict(data.x, batch_size=options.batch_size, verbose=0)
    except ValueError as error:
        raise CommandError(str(error)) from None
    names = classes_of(options.model)
    if options.classes:
        if isinstance(outputs, (dict, list, tuple)):
            raise CommandError("--classes needs a model with one output.")
        outputs = outputs.argmax(axis=-1) if outputs.shape[-1] > 1 else (outputs[..., 0] > 0.5).astype(int)
    _write(options.output, outputs, names)
    shapes = {key: value.shape for key, value in _named(outputs).items()}
    rows = len(next(iter(_named(outputs).values())))
    text = f"Wrote {rows} rows to {options.output}."
    return Report({"rows": rows, "output": str(options.output), "shapes": shapes}, text)


def _named(outputs: Any) -> dict[str, np.ndarray]:
    if isinstance(outputs, dict):
        return outputs
    if isinstance(outputs, (list, tuple)):
        return {f"output_{i}": value for i, value in enumerate(outputs)}
    return {"output": outputs}


def _write(path: pathlib.Path, outputs: Any, classes: list[str] | None) -> None:
    named = _named(outputs)
    if path.suffix == ".npz":
        arrays: dict[str, Any] = named
        np.savez(path, **arrays)
        return
    if len(named) > 1:
        raise CommandError(f"{path}: a model with several outputs needs --output ending in .npz.")
    (values,) = named.values()
    if path.suffix == ".npy":
        np.save(path, values)
        return
    flat = values.reshape(len(values), -1)
    if values.ndim == 1 and classes is not None and values.dtype.kind in "iu":
        flat, header = np.array([[classes[i]] for i in values]), ["class"]
    else:
        wide = classes is not None and flat.shape[1] == len(classes)
        header = list(classes) if wide and classes else [f"output_{i}" for i in range(flat.shape[1])]
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(flat.tolist())
