"""`jaxkeras inspect`."""

from __future__ import annotations

import argparse
import pathlib
from typing import Any

from jaxkeras.cli.model import load_model
from jaxkeras.cli.report import CommandError, Report, file_size, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("model", help="a .keras, .h5 or .weights.h5 file, or module:function that returns a model")
    parser.add_argument("--weights", action="store_true", help="list every weight, not only the layers")


def run(options: argparse.Namespace) -> Report:
    """Describe a model or a file of weights."""
    path = pathlib.Path(options.model)
    if path.name.endswith(".weights.h5"):
        return _weights_file(path)
    model = load_model(options.model)
    parts = [
        {
            "name": layer.name,
            "class": type(layer).__name__,
            "parameters": layer.count_params() if layer.built else None,
            "trainable": layer.trainable,
        }
        for layer in model.layers
    ]
    weights = [{"path": v.path, "shape": list(v.shape), "dtype": v.dtype} for v in model.weights]
    values: dict[str, Any] = {
        "name": model.name,
        "class": type(model).__name__,
        "parameters": model.count_params() if model.built else None,
        "compiled": model.compiled,
        "optimizer": type(model.optimizer).__name__ if model.compiled and model.optimizer is not None else None,
        "layers": parts,
        "weights": weights,
    }
    if path.exists():
        values["file_bytes"] = path.stat().st_size
    lines = [
        ("model", f"{values['name']} ({values['class']})"),
        ("parameters", f"{values['parameters']:,}" if model.built else "not built"),
        ("compiled", f"yes, with {values['optimizer']}" if model.compiled else "no"),
        *([("file", file_size(values["file_bytes"]))] if path.exists() else []),
        *[(f"  {p['name']}", f"{p['class']}, {p['parameters'] or 0:,} parameters") for p in parts],
    ]
    if options.weights:
        lines += [(f"  {w['path']}", f"{w['dtype']} {tuple(w['shape'])}") for w in weights]
    return Report(values, table(lines))


def _weights_file(path: pathlib.Path) -> Report:
    import h5py

    if not path.exists():
        raise CommandError(f"{path} does not exist.")
    found: list[dict[str, Any]] = []

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found.append({"path": name, "shape": list(item.shape), "dtype": str(item.dtype)})

    try:
        with h5py.File(path) as file:
            file.visititems(add)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error}") from None
    values = {"weights": found, "file_bytes": path.stat().st_size}
    rows = [(w["path"], f"{w['dtype']} {tuple(w['shape'])}") for w in found]
    return Report(values, table([("file", file_size(values["file_bytes"])), *rows]))
