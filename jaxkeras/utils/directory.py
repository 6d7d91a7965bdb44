"""Datasets of files in folders: find the files and labels, shuffle, split and load them.

Files, labels and the seeded shuffle are the same as in Keras, so the same seed gives the same split.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np

from jaxkeras import registry
from jaxkeras.core.messages import print_message
from jaxkeras.data.dataset import Dataset
from jaxkeras.data.pipeline import THREADS, Batch, Indexed
from jaxkeras.display.progress import progress

_LABEL_MODES = ("int", "categorical", "binary", None)
_SUBSETS = ("training", "validation", "both", None)


class Folder(NamedTuple):
    """The arguments shared by all `..._dataset_from_directory` functions."""

    directory: Any
    labels: Any
    label_mode: str | None
    class_names: Sequence[str] | None
    batch_size: int | None
    shuffle: bool
    seed: int | None
    validation_split: float | None
    subset: str | None
    follow_links: bool
    verbose: bool
    format: str = "tf"


class Files(NamedTuple):
    """Paths and their labels."""

    paths: list[str]
    labels: np.ndarray | None


def _check(folder: Folder) -> None:
    given = folder.labels
    if not (given is None or isinstance(given, (list, tuple, np.ndarray)) or given == "inferred"):
        raise ValueError(
            f"`labels` must be 'inferred' (from the names of the folders), None, or a list with an integer for each "
            f"file; got {given!r}."
        )
    if folder.label_mode not in _LABEL_MODES:
        raise registry.unknown("label_mode", folder.label_mode, _LABEL_MODES)
    if folder.class_names is not None and not (isinstance(given, str) and given == "inferred"):
        raise ValueError("`class_names` is the order of the folders, so it needs labels='inferred'; leave it out.")
    if folder.format not in ("tf", "grain"):
        raise registry.unknown("format", folder.format, ("tf", "grain"))
    share, subset = folder.validation_split, folder.subset
    if subset not in _SUBSETS:
        raise registry.unknown("subset", subset, _SUBSETS)
    if bool(share) != bool(subset):
        raise ValueError(
            f"`validation_split` and `subset` need each other; got {share!r} and {subset!r}. Write "
            "validation_split=0.2, subset='training' (or 'validation', or 'both')."
        )
    if share and not 0 < share < 1:
        raise ValueError(f"`validation_split` must be between 0 and 1; got {share!r}.")
    if share and folder.shuffle and folder.seed is None:
        raise ValueError(
            "With `validation_split` and shuffle=True pass a `seed`, the same for both subsets; otherwise they would "
            "overlap."
        )
    if not os.path.isdir(folder.directory):
        raise ValueError(f"There is no folder {str(folder.directory)!r}.")


def _files_in(
    directory: str, formats: tuple[str, ...], follow_links: bool, advance: Callable[[int], None]
) -> Iterator[str]:
    for root, _, names in sorted(os.walk(directory, followlinks=follow_links), key=lambda entry: entry[0]):
        yield from (os.path.join(root, name) for name in sorted(names) if name.lower().endswith(formats))
        advance(len(names))


def _groups_of_files(folder: Folder, directories: list[str], formats: tuple[str, ...]) -> list[list[str]]:
    """The files in each directory. A long search shows its progress."""
    title = f"Looking for files in {os.fspath(folder.directory)}"
    with progress(title, unit="file") if folder.verbose else nullcontext(lambda count: None) as advance:
        return [list(_files_in(directory, formats, folder.follow_links, advance)) for directory in directories]


def _index(folder: Folder, formats: tuple[str, ...], seed: int) -> tuple[Files, list[str] | None]:
    """All files with their labels, shuffled by the seed, and the names of the classes."""
    directory, labels = os.fspath(folder.directory), folder.labels
    names: list[str] | None
    if isinstance(labels, str):
        found = [
            name for name in sorted(os.listdir(directory))
            if os.path.isdir(os.path.join(directory, name)) and not name.startswith(".")
        ]  # fmt: skip
        names = found if folder.class_names is None else list(folder.class_names)
        if not set(names) <= set(found):
            raise ValueError(f"`class_names` must name folders of {directory!r}, which are {found}; got {names}.")
        groups = _groups_of_files(folder, [os.path.join(directory, name) for name in names], formats)
        paths = [path for group in groups for path in group]
        labels = np.repeat(np.arange(len(groups), dtype=np.int32), [len(group) for group in groups])
    else:
        (paths,) = _groups_of_files(folder, [directory], formats)
        if labels is not None:
            if len(labels) != len(paths):
                raise ValueError(f"There are {len(labels)} `labels`, but {len(paths)} files in {directory!r}.")
            labels = np.array(labels, np.int32)
        names = None if labels is None else [str(label) for label in sorted(set(labels.tolist()))]
    if folder.verbose:
        kinds = "" if names is None else f" belonging to {len(names)} classes"
        print_message(f"Found {len(paths)} files{kinds}.")
    if folder.shuffle:
        np.random.RandomState(seed).shuffle(paths)
        if labels is not None:
            np.random.RandomState(seed).shuffle(labels)
    return Files(paths, labels), names


def _part(files: Files, folder: Folder, subset: str | None) -> Files:
    """The files of a subset; the last ones are for validation."""
    if not folder.validation_split:
        return files
    held_back = int(folder.validation_split * len(files.paths))
    cut = len(files.paths) - held_back
    kept = slice(0, cut) if subset == "training" else slice(cut, None)
    labels = None if files.labels is None else files.labels[kept]
    if folder.verbose:
        print_message(f"Using {len(files.paths[kept])} files for {subset}.")
    return Files(files.paths[kept], labels)


def _encoded(labels: np.ndarray, mode: str, classes: int) -> np.ndarray:
    """Encode labels for `fit`: int32 `(n,)`, float32 `(n, 1)`, or one-hot float32 `(n, classes)`."""
    if mode == "int":
        return labels
    if mode == "binary":
        return labels.astype(np.float32)[:, None]
    return (labels[:, None] == np.arange(classes)).astype(np.float32)


def datasets(
    folder: Folder,
    formats: tuple[str, ...],
    what: str,
    load: Callable[[str], Any],
    stack: Callable[[list[Any]], Any],
) -> Any:
    """Create the dataset of a folder, or with `subset="both"` a list of two.

    Args:
        folder: the arguments of the user.
        formats: endings of file names.
        what: what to call the files in messages.
        load: function from a path to an element; called in threads.
        stack: function from a list of elements to a batch.

    Returns:
        A `Dataset`, or a list of two.

    Raises:
        ValueError: for inconsistent arguments, or if there are no files.
    """
    _check(folder)
    mode = None if folder.labels is None else folder.label_mode
    folder = folder if mode is not None else folder._replace(labels=None)
    seed = int(np.random.randint(int(1e6))) if folder.seed is None else folder.seed
    files, names = _index(folder, formats, seed)
    if mode == "binary" and len(names or ()) != 2:
        raise ValueError(f"label_mode='binary' needs exactly two classes; there are {names}.")

    def dataset(subset: str | None) -> Dataset:
        part = _part(files, folder, subset)
        if not part.paths:
            of = f" for {subset} (validation_split={folder.validation_split})" if subset else ""
            raise ValueError(
                f"There are no {what}{of} in {str(folder.directory)!r}: {len(files.paths)} files with the endings "
                f"{', '.join(formats)} were found."
            )
        targets = None if mode is None or part.labels is None else _encoded(part.labels, mode, len(names or ()))

        def element(i: int) -> Any:
            return load(part.paths[i]) if targets is None else (load(part.paths[i]), targets[i])

        # With subset="both", the validation subset is not reshuffled in each pass.
        shuffled = folder.shuffle and not (folder.subset == "both" and subset == "validation")
        link: Any = Indexed(len(part.paths), element, seed if shuffled else None, THREADS)
        if folder.batch_size is not None:
            link = Batch(link, folder.batch_size, False, stack)
        whole = Dataset(link, names).prefetch()
        whole.file_paths = part.paths
        return whole

    return [dataset("training"), dataset("validation")] if folder.subset == "both" else dataset(folder.subset)
