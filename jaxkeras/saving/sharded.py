"""`.weights.json`: weights in several `.weights.h5` files, for models too large for one; the layout is Keras's own."""

from __future__ import annotations

import contextlib
import json
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from jaxkeras.saving import checksum, weights_h5
from jaxkeras.saving.atomic import replacing, scratch


def save(model: Any, path: pathlib.Path, max_shard_size: float, skip: Iterable[Any] = ()) -> None:
    """Write the weights of a model.

    The list of files is written last, so a crash before leaves the old list.

    Args:
        model: a built model.
        path: of the list of files, which ends in `.weights.json`.
        max_shard_size: gigabytes that no file may exceed.
        skip: parts to leave out.

    Raises:
        ValueError: if a single weight is larger than that.
    """
    limit = float(max_shard_size) * 1024**3
    base = path.name.removesuffix(".json").removesuffix(".weights")
    places: dict[str, list[str]] = {}
    names: list[str] = []
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
                    names.append(f"{base}_{len(names):05}.weights.h5")
                    file, filled = opened.enter_context(checksum.created(folder / names[-1])), 0
                filled, total = filled + array.nbytes, total + array.nbytes
                group = file.require_group(group_path)
                group.attrs["name"] = owner
                weights_h5.write_array(group, key, array)
                own = places.setdefault(f"/{group_path}", [])
                if names[-1] not in own:
                    own.append(names[-1])
        opened.close()
        for name in names:
            (folder / name).replace(path.parent / name)
    weight_map = {group: own if len(own) > 1 else own[0] for group, own in places.items()}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": weight_map}, indent=4))


def load(model: Any, path: pathlib.Path, skip_mismatch: bool = False, skip: Iterable[Any] = ()) -> None:
    """Read the weights of a model.

    Args:
        model: a built model.
        path: of the list of files.
        skip_mismatch: leave layers whose weights do not fit as they are, with a warning.
        skip: parts to leave as they are.

    Raises:
        ValueError: for a damaged list, one that names files elsewhere or missing ones, or weights that do not fit.
    """
    weight_map = json.loads(path.read_text())["weight_map"]
    names = {name for own in weight_map.values() for name in (own if isinstance(own, list) else [own])}
    for name in sorted(names):
        if pathlib.PurePath(name).name != name or not name.endswith(".weights.h5"):
            raise ValueError(f"The list '{path.name}' names the file {name!r}, which is not one beside it.")
        if not (path.parent / name).is_file():
            raise ValueError(f"'{path.name}' needs the file '{path.parent / name}', which is missing.")
    with contextlib.ExitStack() as opened:
        files = [opened.enter_context(checksum.opened(path.parent / name)) for name in sorted(names)]
        weights_h5.read(files, model, skip_mismatch, skip)
