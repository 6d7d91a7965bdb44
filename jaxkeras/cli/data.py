"""Data from files: a table, arrays, or a folder of images."""

from __future__ import annotations

import argparse
import pathlib
from typing import Any, NamedTuple

import numpy as np

from jaxkeras.cli.report import CommandError

TABLES = {".csv": "read_csv", ".tsv": "read_table", ".parquet": "read_parquet"}


class Data(NamedTuple):
    """What a file or folder holds.

    Attributes:
        x: inputs: an array, a dict of arrays, or a `Dataset` of batches.
        y: targets, or None.
        classes: names of the classes that integer targets stand for, or None.
        validation: a `Dataset` held out of a folder, or None.
    """

    x: Any
    y: Any = None
    classes: list[str] | None = None
    validation: Any = None


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of commands that read data."""
    parser.add_argument(
        "data", type=pathlib.Path,
        help="a .csv, .tsv or .parquet table, a .npz file with arrays `x` and `y`, or a folder with one folder of "
        "images for each class",
    )  # fmt: skip
    parser.add_argument("--target", help="the column or array with the targets; by default the last column, or `y`")
    parser.add_argument("--batch-size", type=int, default=32, help="rows in a batch (default: 32)")
    parser.add_argument("--image-size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), default=(64, 64),
                        help="size of the images of a folder (default: 64 64)")  # fmt: skip
    parser.add_argument("--grayscale", action="store_true", help="read images with one channel")


def load(options: argparse.Namespace, *, targets: bool = True, classes: list[str] | None = None,
         validation_split: float = 0.0) -> Data:  # fmt: skip
    """Read the data that the arguments name.

    Args:
        options: the parsed arguments.
        targets: whether targets are needed.
        classes: names of the classes, in the order of their numbers; by default found in the data.
        validation_split: fraction of a folder of images to hold out.

    Returns:
        The data.

    Raises:
        CommandError: if the data cannot be read or used.
    """
    path = options.data
    if not path.exists():
        raise CommandError(f"{path} does not exist.")
    if path.is_dir():
        return _images(options, targets, classes, validation_split)
    if path.suffix == ".npz":
        return _arrays(path, options.target, targets)
    if path.suffix in TABLES:
        return _table(path, options.target, targets, classes)
    raise CommandError(f"{path.name}: expected {', '.join(TABLES)}, .npz, or a folder of images.")


def _table(path: pathlib.Path, target: str | None, targets: bool, classes: list[str] | None) -> Data:
    try:
        import pandas
    except ModuleNotFoundError:
        raise CommandError('reading a table needs pandas: pip install "jaxkeras[cli]"') from None
    try:
        frame = getattr(pandas, TABLES[path.suffix])(path)
    except Exception as error:  # a parser's own errors
        raise CommandError(f"{path} cannot be read: {error}") from None
    if target is not None and target not in frame.columns:
        if targets:
            raise CommandError(f"{path} has no column {target!r}; it has {', '.join(map(repr, frame.columns))}.")
        target = None
    if targets and target is None:
        target = frame.columns[-1]
    x = frame.drop(columns=[target]) if target is not None else frame
    words = [name for name in x.columns if x[name].dtype.kind not in "biuf"]
    if words and len(x.columns) > 1:
        raise CommandError(
            f"{path}: columns {', '.join(map(repr, words))} are not numbers. Encode them first, or keep a single "
            "column of text for a model that starts with TextVectorization."
        )
    inputs = x.iloc[:, 0].to_numpy(object) if words else x.to_numpy("float32")
    if not words and np.isnan(inputs).any():
        rows = int(np.isnan(inputs).any(axis=1).sum())
        raise CommandError(f"{path}: {rows} rows have missing values; fill them first.")
    if target is None:
        return Data(inputs)
    return Data(inputs, *_targets(frame[target].to_numpy(), classes))


def _targets(y: np.ndarray, classes: list[str] | None) -> tuple[np.ndarray, list[str] | None]:
    if y.dtype.kind in "biuf":
        return (y.astype("int32") if y.dtype.kind in "biu" else y.astype("float32")), None
    names = classes or sorted({str(v) for v in y})
    unknown = sorted({str(v) for v in y} - set(names))
    if unknown:
        raise CommandError(f"the targets {', '.join(unknown)} are none of the classes {', '.join(names)}.")
    number = {name: i for i, name in enumerate(names)}
    return np.array([number[str(v)] for v in y], "int32"), names


def _arrays(path: pathlib.Path, target: str | None, targets: bool) -> Data:
    try:
        arrays = dict(np.load(path, allow_pickle=False))
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from None
    name = target or "y"
    y = arrays.pop(name, None)
    if targets and y is None:
        raise CommandError(f"{path} has no array {name!r}; it has {', '.join(map(repr, arrays))}.")
    if not arrays:
        raise CommandError(f"{path} has no inputs.")
    return Data(next(iter(arrays.values())) if len(arrays) == 1 else arrays, y)


def _images(options: argparse.Namespace, targets: bool, classes: list[str] | None, validation_split: float) -> Data:
    from jaxkeras.utils.image_dataset import image_dataset_from_directory

    how: dict[str, Any] = {
        "batch_size": options.batch_size,
        "image_size": tuple(options.image_size),
        "color_mode": "grayscale" if options.grayscale else "rgb",
        "verbose": False,
    }
    try:
        if not targets:
            return Data(image_dataset_from_directory(options.data, labels=None, shuffle=False, **how))
        how["class_names"] = classes
        if not validation_split:
            dataset = image_dataset_from_directory(options.data, shuffle=False, **how)
            return Data(dataset, classes=list(dataset.class_names))
        how |= {"seed": options.seed, "validation_split": validation_split}
        training = image_dataset_from_directory(options.data, subset="training", **how)
        validation = image_dataset_from_directory(options.data, subset="validation", **how)
        return Data(training, None, list(training.class_names), validation)
    except (ValueError, ImportError) as error:
        raise CommandError(f"{options.data}: {error}") from None
