"""Orbax checkpoints in Keras's layout, with a checksum that Keras ignores.

A checkpoint holds `pytree`, the variables by path; `model_config` and the `assets` of layers, unless it has weights
only; and `written`. That has the digests of the others, since Orbax does not detect flipped bits, and the order of the
variables, since their names depend on the layers created before in the process and on where a layer was built. (Keras
matches by name, and leaves weights unchanged whose names it does not find, as in a `Sequential`.)
"""

from __future__ import annotations

import hashlib
import itertools
import json
import pathlib
import re
import tempfile
import warnings
from typing import Any

import jax
import numpy as np

from jaxkeras import registry
from jaxkeras.core.placement import see_variables, to_host
from jaxkeras.core.tracking import Path, flatten, nest
from jaxkeras.saving.keras_format import load_assets, model_config, save_assets
from jaxkeras.saving.values import Loaded
from jaxkeras.training.state import build_optimizer

_MARKS = ("orbax.checkpoint", "pytree.orbax-checkpoint", "checkpoint_metadata", "_CHECKPOINT_METADATA")
_WEIGHTS = ("trainable_variables", "non_trainable_variables")


def is_checkpoint(path: Any) -> bool:
    """Whether a path is a checkpoint or a folder of checkpoints."""
    path = pathlib.Path(path)
    if not path.is_dir():
        return False
    return any(e.name in _MARKS or e.name.isdigit() and e.is_dir() for e in path.iterdir())


def contents(model: Any, weights_only: bool) -> dict[str, Any]:
    """Return the contents of a checkpoint, as copies that further training does not change."""
    state = {k: v for k, v in model.get_state_tree().items() if not weights_only or k in _WEIGHTS}
    state = jax.tree.map(lambda a: np.array(to_host(a)), state)
    order = {group: [v.path for v in variables] for group, variables in _groups(model).items() if group in state}
    parts: dict[str, Any] = {"pytree": state}
    if not weights_only:
        parts["model_config"] = {"config": json.dumps(model_config(model))}
        if assets := _assets(model):
            parts["assets"] = assets
    text = json.dumps(order)
    digests = {name: _digest(part) for name, part in parts.items()} | {"order": _digest(text)}
    return {**parts, "written": {"sha256": json.dumps(digests), "order": text}}


def load_model(folder: Any, custom_objects: Any, compile: bool, safe_mode: bool) -> Any:
    """Load the model from the newest undamaged checkpoint in a folder.

    Raises:
        ValueError: if there is none, or if it holds only weights.
    """
    parts = _read(pathlib.Path(folder), ("pytree", "model_config", "assets"))
    if "model_config" not in parts:
        raise ValueError(
            f"The checkpoint in '{folder}' holds weights alone: build the model and call model.load_weights(...)."
        )
    config = json.loads(parts["model_config"]["config"])
    if not compile:
        config.pop("compile_config", None)
    model = registry.deserialize(config, custom_objects, safe_mode, kind="keras.models")
    _set(model, parts, folder)
    _load_assets(model, parts.get("assets"))
    return model


def load_weights(model: Any, folder: Any) -> None:
    """Load the variables of a model from a checkpoint, or from the newest undamaged one in a folder."""
    _set(model, _read(pathlib.Path(folder), ("pytree",)), folder)


# -- reading ---------------------------------------------------------------------------------------------------------
def _read(folder: pathlib.Path, wanted: tuple[str, ...]) -> dict[str, Any]:
    steps = sorted((e for e in folder.iterdir() if e.name.isdigit() and e.is_dir()), key=lambda e: -int(e.name))
    damage: list[str] = []
    for step in steps or [folder]:
        try:
            parts = _read_one(step, wanted)
        except Exception as error:  # Orbax raises many kinds for what it cannot read
            damage.append(f"'{step}' is damaged: {str(error)[:300]}")
            continue
        if damage:
            warnings.warn(f"{' '.join(damage)} The checkpoint before it, '{step}', is used.", stacklevel=4)
        return parts
    raise ValueError(" ".join(damage) or f"There is no checkpoint in '{folder}'.")


def _read_one(step: pathlib.Path, wanted: tuple[str, ...]) -> dict[str, Any]:
    from orbax.checkpoint import v1 as ocp

    path = str(step.resolve())
    there = set(ocp.checkpointables_metadata(path).metadata)
    listed = step / "_CHECKPOINT_METADATA"
    if "written" not in there and listed.exists() and "written" in json.loads(listed.read_text())["item_handlers"]:
        raise ValueError("its digests, the folder 'written', are lost.")
    parts = ocp.load_checkpointables(path, {name: None for name in (*wanted, "written") if name in there})
    parts["pytree"] = jax.tree.map(np.asarray, parts["pytree"])
    if "written" in parts:
        digests = json.loads(parts["written"]["sha256"])
        read = {**parts, "order": parts["written"]["order"]}
        for name in digests.keys() & {*wanted, "order"}:
            if name not in read or _digest(read[name]) != digests[name]:
                raise ValueError(f"its {name} is not as it was written (the SHA-256 differs).")
    return parts


def _digest(state: Any) -> str:
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_flatten_with_path(state)[0]:
        array = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype.name} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _set(model: Any, parts: dict[str, Any], folder: Any) -> None:
    order = json.loads(parts["written"]["order"]) if "written" in parts else {}
    if "optimizer_variables" in parts["pytree"] and model._optimizer is not None:
        build_optimizer(model)
    see_variables(model.weights)
    with Loaded() as loaded:
        _set_groups(model, parts, order, folder, loaded)


def _set_groups(model: Any, parts: dict[str, Any], order: dict[str, Any], folder: Any, loaded: Loaded) -> None:
    for group, variables in _groups(model).items():
        saved = flatten(parts["pytree"].get(group, {}))
        if group == "metrics_variables" and len(saved) != len(variables):
            continue  # created, and reset, when training begins
        if group not in parts["pytree"] or group == "optimizer_variables" and model._optimizer is None:
            continue
        if group in order:
            paths = [tuple(path.split("/")) for path in order[group]]
        else:
            paths = _matched([tuple(v.path.split("/")) for v in variables], list(saved))
        for v, path in itertools.zip_longest(variables, paths):
            found = "nothing" if path is None else f"'{'/'.join(path)}' of shape {saved[path].shape}"
            expected = "nothing" if v is None else f"'{v.path}' of shape {tuple(v.shape)}"
            if (
                v is None
                or path is None
                or tuple(v.shape) != saved[path].shape
                or not (group in order or _akin(v.path, path))
            ):
                raise ValueError(
                    f"The checkpoint in '{folder}' does not fit the model: it holds {found} among its {group}; "
                    f"expected {expected}."
                )
        for v, path in zip(variables, paths):
            v.assign(loaded.check(saved[path], v, "/".join((group, *path))))


def _groups(model: Any) -> dict[str, list[Any]]:
    return {
        "trainable_variables": model.trainable_variables,
        "non_trainable_variables": model.non_trainable_variables,
        "optimizer_variables": model._optimizer.variables if model._optimizer is not None else [],
        "metrics_variables": model.metrics_variables,
    }


def _matched(paths: list[Path], saved: list[Path]) -> list[Path]:
    """Return the saved path for each path. Keras's names start where a layer was built and have numbers that depend on
    the layers created before, so names that are not found are matched by their ends."""
    left = sorted(set(saved) - set(paths), key=_order)
    lost = sorted(set(paths) - set(saved), key=_order)
    found = dict(zip(lost, left))
    return [found.get(path, path) for path in paths if path in found or path in saved]


def _akin(path: str, saved: Any) -> bool:
    """Whether two paths end alike, except for the name of the model, which optimizers may prepend."""
    (a,), (b,) = _kin((path.split("/")[-1],)), _kin(saved[-1:])
    return a.endswith(b) or b.endswith(a)


def _kin(path: Path) -> Path:
    return tuple(re.sub(r"_\d+$", "", key) for key in path)


def _order(path: Path) -> Any:
    return _kin(path[-2:]), [int(number.group(1)) if (number := re.search(r"_(\d+)$", key)) else -1 for key in path]


# -- assets ----------------------------------------------------------------------------------------------------------
def _assets(model: Any) -> dict[str, Any]:
    """Return the files of layers as bytes in nested dicts."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        save_assets(model, root)
        files = [file for file in root.rglob("*") if file.is_file()]
        return nest({f.relative_to(root).parts: np.frombuffer(f.read_bytes(), "uint8") for f in files})


def _load_assets(model: Any, assets: dict[str, Any] | None) -> None:
    files = {"/".join(path): content for path, content in flatten(assets or {}).items()}
    load_assets(model, files, lambda name: np.asarray(files[name], "uint8").tobytes())
