"""`.weights.json`: weights in several `.weights.h5` files (shards), in Keras's layout."""

from __future__ import annotations

import contextlib
import itertools
import json
import pathlib
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from jaxkeras.saving import checksum, weights_h5
from jaxkeras.saving.atomic import put, replacing, scratch


def save(model: Any, path: pathlib.Path, max_shard_size: float, skip: Iterable[Any] = ()) -> None:
    """Save the weights of a model.

    After a crash either the old or the new weights are readable: the files first get unused names and the list is
    replaced by one of these names; then the files get the names that Keras expects and the list is replaced again.

    Args:
        model: a built model.
        path: path of the list of files, which ends in `.weights.json`.
        max_shard_size: maximum size of a file in gigabytes.
        skip: layers to leave out.

    Raises:
        ValueError: if a single weight is larger than `max_shard_size`.
    """
    limit = float(max_shard_size) * 1024**3
    places: dict[str, list[int]] = {}
    pieces: list[pathlib.Path] = []
    total = filled = 0
    with scratch(path) as folder, contextlib.ExitStack() as opened:
        file: Any = None
        for group_path, owner, store in weights_h5.entries(model, skip):
            for key, value in store.items():
                array = np.asarray(value)
                if array.nbytes > limit:
                    raise ValueError(
                        f"Weight '{group_path}/{key}' alone has {array.nbytes:,} bytes, more than "
                        f"max_shard_size={max_shard_size} GB ({limit:,.0f} bytes). Allow larger files."
                    )
                if file is None or filled + array.nbytes > limit:
                    pieces.append(folder / str(len(pieces)))
                    file, filled = opened.enter_context(checksum.created(pieces[-1])), 0
                filled, total = filled + array.nbytes, total + array.nbytes
                group = file.require_group(group_path)
                group.attrs["name"] = owner
                weights_h5.write_array(group, key, array)
                own = places.setdefault(f"/{group_path}", [])
                if len(pieces) - 1 not in own:
                    own.append(len(pieces) - 1)
        opened.close()
        _replace(path, pieces, places, total)


def _replace(path: pathlib.Path, pieces: list[pathlib.Path], places: dict[str, list[int]], total: int) -> None:
    final = _names(path, len(pieces))
    steps = [_free_names(path, len(pieces)), final] if path.exists() else [final]
    ours = re.compile(rf"{re.escape(_base(path))}_\d{{5,}}(\.\d+)?\.weights\.h5")  # the list may name other files
    removable = {name for name in _listed(path) or () if isinstance(name, str) and ours.fullmatch(name)}
    try:
        for names in steps:
            removable |= set(names)
            for piece, name in zip(pieces, names):
                put(piece, path.parent / name)
            weight_map = {
                group: [names[i] for i in own] if len(own) > 1 else names[own[0]] for group, own in places.items()
            }
            with replacing(path) as temporary:
                temporary.write_text(
                    json.dumps({"metadata": {"total_size": total}, "weight_map": weight_map}, indent=4)
                )
    finally:
        _remove_unlisted(path, removable)


def _remove_unlisted(path: pathlib.Path, removable: set[str]) -> None:
    """Remove files that the list does not name: `removable` ones and those left by a killed process."""
    listed = _listed(path)
    if listed is None:
        return
    pattern = re.compile(rf"\.?{re.escape(_base(path))}_\d{{5,}}\.\d+\.weights\.h5(\.\d+\.tmp)?")
    for file in list(path.parent.iterdir()):
        # Only names with our extra number are certainly our own files.
        if file.name not in listed and (file.name in removable or pattern.fullmatch(file.name)):
            file.unlink(missing_ok=True)


def _base(path: pathlib.Path) -> str:
    return path.name.removesuffix(".json").removesuffix(".weights")


def _names(path: pathlib.Path, count: int, number: str = "") -> list[str]:
    return [f"{_base(path)}_{i:05}{number}.weights.h5" for i in range(count)]


def _free_names(path: pathlib.Path, count: int) -> list[str]:
    candidates = (_names(path, count, f".{number}") for number in itertools.count(1))
    return next(names for names in candidates if not any((path.parent / name).exists() for name in names))


def _listed(path: pathlib.Path) -> set[str] | None:
    """Return the files that the list names, or None if it cannot be read."""
    try:
        return _names_of(json.loads(path.read_text())) if path.exists() else set()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _names_of(content: Any) -> set[str]:
    return {name for own in content["weight_map"].values() for name in (own if isinstance(own, list) else [own])}


def load(model: Any, path: pathlib.Path, skip_mismatch: bool = False, skip: Iterable[Any] = ()) -> None:
    """Load the weights of a model.

    Args:
        model: a built model.
        path: path of the list of files.
        skip_mismatch: whether to skip layers whose weights do not fit, with a warning.
        skip: layers that are not loaded.

    Raises:
        ValueError: if the list is damaged, names missing files or files elsewhere, or if weights do not fit.
    """
    names = _names_of(json.loads(path.read_text()))
    for name in sorted(names):
        if pathlib.PurePath(name).name != name or not name.endswith(".weights.h5"):
            raise ValueError(f"The list '{path.name}' names the file {name!r}, which is not one beside it.")
        if not (path.parent / name).is_file():
            raise ValueError(f"'{path.name}' needs the file '{path.parent / name}', which is missing.")
    with contextlib.ExitStack() as opened:
        files = [opened.enter_context(checksum.opened(path.parent / name)) for name in sorted(names)]
        weights_h5.read(files, model, skip_mismatch, skip)
