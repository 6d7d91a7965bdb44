"""Orbax checkpoints in Keras's layout, with a checksum that Keras ignores.

A checkpoint holds `pytree`, the variables by path; `model_config` and the `assets` of layers, unless it has weights
only; and `written`. That has the digests of the others, since Orbax does not detect flipped bits, and the variables in
order, since their names depend on the layers created before in the process and on where a layer was built. (Keras
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
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxkeras import registry
from jaxkeras.core.placement import see_variables, sharding_at_rest
from jaxkeras.core.tracking import Path, flatten, nest
from jaxkeras.saving.arrays import digest, is_spread, spec
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
    """Return the contents of a checkpoint, as copies that further training does not change.

    Arrays that lie on several devices stay there: Orbax writes them in parts, those of each process by itself.
    """
    state = {k: v for k, v in model.get_state_tree().items() if not weights_only or k in _WEIGHTS}
    state = jax.tree.map(lambda a: a if is_spread(a) else np.array(a), state)
    parts: dict[str, Any] = {"pytree": state}
    if not weights_only:
        parts["model_config"] = {"config": json.dumps(model_config(model))}
        if assets := _assets(model):
            parts["assets"] = assets
    groups = {group: [v.path for v in variables] for group, variables in _groups(model).items() if group in state}
    saved = {group: flatten(state[group]) for group in groups}
    arrays = {
        group: {path: _facts(saved[group][tuple(path.split("/"))]) for path in paths} for group, paths in groups.items()
    }
    text = json.dumps({"arrays": arrays, **{name: _digest(parts[name]) for name in parts if name != "pytree"}})
    return {**parts, "written": {"sha256": _digest(text), "text": text}}


def load_model(folder: Any, custom_objects: Any, compile: bool, safe_mode: bool) -> Any:
    """Load the model from the newest undamaged checkpoint in a folder.

    Raises:
        ValueError: if there is none, or if it holds only weights.
    """

    def build(parts: dict[str, Any]) -> Any:
        if "model_config" not in parts:
            raise ValueError(
                f"The checkpoint in '{folder}' holds weights alone: build the model and call model.load_weights(...)."
            )
        config = json.loads(parts["model_config"]["config"])
        if not compile:
            config.pop("compile_config", None)
        return registry.deserialize(config, custom_objects, safe_mode, kind="keras.models")

    model, parts = _load(pathlib.Path(folder), ("model_config", "assets"), build)
    _load_assets(model, parts.get("assets"))
    return model


def load_weights(model: Any, folder: Any) -> None:
    """Load the variables of a model from a checkpoint, or from the newest undamaged one in a folder."""
    _load(pathlib.Path(folder), (), lambda parts: model)


# -- reading ---------------------------------------------------------------------------------------------------------
class _Place(NamedTuple):
    """An array of a checkpoint, and the variable that gets it."""

    variable: Any
    path: Path
    digest: str | None


def _load(folder: pathlib.Path, wanted: tuple[str, ...], model_of: Callable[[Any], Any]) -> tuple[Any, dict[str, Any]]:
    """Read the newest undamaged checkpoint into the model that `model_of` returns for its other parts."""
    steps = sorted((e for e in folder.iterdir() if e.name.isdigit() and e.is_dir()), key=lambda e: -int(e.name))
    damage: list[str] = []
    for step in steps or [folder]:
        try:
            parts, saved = _read_parts(step, wanted)
        except Exception as error:  # Orbax raises many kinds for what it cannot read
            damage.append(f"'{step}' is damaged: {str(error)[:300]}")
            continue
        model = model_of(parts)
        places = _places(model, saved, "written" in parts, folder)
        try:
            arrays = _read_arrays(step, saved, places)
        except Exception as error:
            damage.append(f"'{step}' is damaged: {str(error)[:300]}")
            continue
        if damage:
            warnings.warn(f"{' '.join(damage)} The checkpoint before it, '{step}', is used.", stacklevel=4)
        with Loaded() as loaded:
            for place, array in zip(places, arrays):
                place.variable.assign(loaded.check(array, place.variable, "/".join(place.path)))
        return model, parts
    raise ValueError(" ".join(damage) or f"There is no checkpoint in '{folder}'.")


def _read_parts(step: pathlib.Path, wanted: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parts of a checkpoint other than its arrays, and the `(shape, dtype, digest)` of those by group and path."""
    from orbax.checkpoint import v1 as ocp

    path = str(step.resolve())
    there = ocp.checkpointables_metadata(path).metadata
    listed = step / "_CHECKPOINT_METADATA"
    if "written" not in there and listed.exists() and "written" in json.loads(listed.read_text())["item_handlers"]:
        raise ValueError("its digests, the folder 'written', are lost.")
    parts = ocp.load_checkpointables(path, {name: None for name in (*wanted, "written") if name in there})
    if "written" not in parts:
        tree = there["pytree"]
        return parts, {group: {k: (a.shape, a.dtype, None) for k, a in flatten(tree[group]).items()} for group in tree}
    text = parts["written"]["text"]
    if _digest(text) != parts["written"]["sha256"]:
        raise ValueError("its digests are not as they were written.")
    written = json.loads(text)
    for name in written.keys() & {*wanted}:
        if name not in parts or _digest(parts[name]) != written[name]:
            raise ValueError(f"its {name} is not as it was written (the digest differs).")
    return parts, {
        group: {tuple(path.split("/")): facts for path, facts in arrays.items()}
        for group, arrays in written["arrays"].items()
    }


def _read_arrays(step: pathlib.Path, saved: dict[str, Any], places: list[_Place]) -> list[Any]:
    """Read arrays, those for a variable that is split over devices in such parts."""
    from orbax.checkpoint import v1 as ocp

    specs: dict[Path, Any] = {(group, *path): ocp.PLACEHOLDER for group, paths in saved.items() for path in paths}
    for place in places:
        shape, dtype, _ = saved[place.path[0]][place.path[1:]]
        specs[place.path] = spec(tuple(shape), jax.numpy.dtype(dtype), sharding_at_rest(place.variable))
    tree = {**{group: {} for group in saved}, **nest(specs)}
    read = flatten(ocp.load_checkpointables(str(step.resolve()), {"pytree": tree})["pytree"])
    for place in places:
        if place.digest is not None and digest(read[place.path]) != place.digest:
            raise ValueError("its pytree is not as it was written (the digest differs).")
    return [read[place.path] for place in places]


def _facts(array: Any) -> tuple[Any, str, str]:
    return array.shape, array.dtype.name, digest(array)


def _digest(part: Any) -> str:
    leaves = jax.tree_util.tree_flatten_with_path(part)[0]
    text = "".join(f"{jax.tree_util.keystr(path)} {digest(np.asarray(leaf))}" for path, leaf in leaves)
    return hashlib.sha256(text.encode()).hexdigest()


def _places(model: Any, saved: dict[str, Any], ordered: bool, folder: Any) -> list[_Place]:
    """Find the array of each variable: by order if that was written, else by name.

    Raises:
        ValueError: if the checkpoint is of another model.
    """
    if "optimizer_variables" in saved and model._optimizer is not None:
        build_optimizer(model)
    see_variables(model.weights)
    places: list[_Place] = []
    for group, variables in _groups(model).items():
        arrays = saved.get(group, {})
        if group == "metrics_variables" and len(arrays) != len(variables):
            continue  # created, and reset, when training begins
        if group not in saved or group == "optimizer_variables" and model._optimizer is None:
            continue
        paths = list(arrays) if ordered else _matched([tuple(v.path.split("/")) for v in variables], list(arrays))
        for v, path in itertools.zip_longest(variables, paths):
            found = "nothing" if path is None else f"'{'/'.join(path)}' of shape {tuple(arrays[path][0])}"
            expected = "nothing" if v is None else f"'{v.path}' of shape {tuple(v.shape)}"
            if (
                v is None
                or path is None
                or tuple(v.shape) != tuple(arrays[path][0])
                or not (ordered or _akin(v.path, path))
            ):
                raise ValueError(
                    f"The checkpoint in '{folder}' does not fit the model: it holds {found} among its {group}; "
                    f"expected {expected}."
                )
            places.append(_Place(v, (group, *path), arrays[path][2]))
    return places


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
