"""`.keras`: a zip, or a folder, of `config.json`, `metadata.json`, `model.weights.h5` and `assets/`."""

from __future__ import annotations

import datetime
import json
import pathlib
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterable
from typing import Any

from jaxkeras import registry
from jaxkeras.core.tracking import walk
from jaxkeras.saving import checksum, weights_h5
from jaxkeras.saving.archive import STAGED, WEIGHTS, digests_of, names_in, opened
from jaxkeras.saving.atomic import put, replacing, scratch, sync

_FORMAT = "3.15.1"  # the version of Keras whose layout this is


def save(model: Any, filepath: Any) -> None:
    """Save a model as a zip file, given its path or a file open for writing."""
    if hasattr(filepath, "write"):
        with tempfile.TemporaryDirectory() as folder:
            _write_zip(model, pathlib.Path(folder), filepath)
        return
    with replacing(filepath) as temporary, scratch(filepath) as folder:
        _write_zip(model, folder, temporary)


def _write_zip(model: Any, folder: pathlib.Path, target: Any) -> None:
    _write_parts(model, folder)
    with zipfile.ZipFile(target, "w") as archive:
        for name in sorted(names_in(folder), key=lambda name: name.startswith("assets/")):
            archive.write(folder / name, name)


def save_folder(model: Any, dirpath: Any) -> None:
    """Save a model as a folder, which is created if needed. Other files in it are kept.

    A folder cannot be replaced atomically. So all new parts are first moved, complete, into a subfolder by a single
    rename. From then on the subfolder is read, while its files are put in their places one by one.
    """
    target = pathlib.Path(dirpath)
    with scratch(target) as folder:
        parts = folder / "new"
        parts.mkdir()
        _write_parts(model, parts)
        for part in [*parts.rglob("*"), parts]:
            sync(part)
        if target.exists():
            _settle(target, folder / "before")
            parts.rename(target / STAGED)
            sync(target)
            _settle(target, folder / "after")
        else:
            parts.rename(target)
            sync(target.parent)


def _settle(target: pathlib.Path, scrap: pathlib.Path) -> None:
    """Put the staged parts of a folder, if any, in their places, and then move the subfolder away."""
    staged = target / STAGED
    if not staged.is_dir():
        return
    shutil.rmtree(target / "assets", ignore_errors=True)
    for name in names_in(staged):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        put(staged / name, target / name)  # linked, not moved, so that the subfolder stays complete until the end
    staged.rename(scrap)
    sync(target)


def _write_parts(model: Any, folder: pathlib.Path) -> None:
    config = json.dumps(model_config(model))
    (folder / "config.json").write_text(config)
    with checksum.created(folder / WEIGHTS) as file:
        weights_h5.write(file, model)
    save_assets(model, folder / "assets")
    date = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    # Keras ignores unknown keys.
    metadata = {"keras_version": _FORMAT, "date_saved": date, "sha256": digests_of(folder)}
    (folder / "metadata.json").write_text(json.dumps(metadata))


def model_config(model: Any) -> dict[str, Any]:
    """Return the config of a model, without the arguments of `compile` if these cannot be serialized."""
    reason: Any = "a lambda is among them."
    with registry.ObjectSharingScope():
        try:
            config = registry.serialize(model)
        except (TypeError, ValueError) as error:
            reason = error
            compiled, model.compiled = model.compiled, False
            try:
                config = registry.serialize(model)
            finally:
                model.compiled = compiled
        else:
            if not registry.holds_lambda(config.get("compile_config")):
                return config
            del config["compile_config"]
    warnings.warn(
        f"The arguments of `compile` cannot be saved, so compile the model again after loading: {reason}", stacklevel=4
    )
    return config


def load(filepath: Any, custom_objects: Any, compile: bool, safe_mode: bool) -> Any:
    """Load a model.

    Raises:
        ValueError: if the file is not a `.keras` file, or if its config names an unknown object.
    """
    with opened(filepath) as archive:
        names = archive.namelist()
        missing = [n for n in ("config.json", WEIGHTS) if n not in names]
        if missing:
            raise ValueError(f"'{filepath}' is not a .keras file or folder: it holds no {missing[0]}.")
        config = json.loads(archive.read("config.json"))
        if not isinstance(config, dict):
            raise ValueError(f"'{filepath}' is damaged: its config is not an object.")
        if not compile:
            config.pop("compile_config", None)
        with registry.ObjectSharingScope():
            model = registry.deserialize(config, custom_objects, safe_mode, kind="keras.models")
        with archive.weights() as file:
            weights_h5.read(file, model)
        names = [name.removeprefix("assets/") for name in names if name.startswith("assets/")]
        load_assets(model, names, lambda name: archive.read(f"assets/{name}"))
    return model


def load_weights(model: Any, filepath: Any, skip_mismatch: bool) -> None:
    """Load only the weights of a `.keras` file."""
    with opened(filepath) as archive, archive.weights() as file:
        weights_h5.read(file, model, skip_mismatch)


def save_assets(model: Any, folder: pathlib.Path) -> None:
    """Save the files of layers, such as vocabularies, each in a subfolder named by the path of the layer."""
    for path, part in walk(model):
        if hasattr(part, "save_assets"):
            own = folder.joinpath(*path)
            own.mkdir(parents=True)
            part.save_assets(str(own))


def load_assets(model: Any, names: Iterable[str], read: Callable[[str], bytes]) -> None:
    """Load the files of layers.

    Args:
        model: the model.
        names: names of the files: the path of the layer, then the path in its folder, separated by slashes.
        read: returns the content of a file.

    Raises:
        ValueError: for a name that points outside its folder.
    """
    files = [name for name in names if not name.endswith("/")]
    for path, part in walk(model):
        prefix = "/".join(path) + "/"
        own = [name for name in files if name.startswith(prefix)]
        if not own or not hasattr(part, "load_assets"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            for name in own:
                relative = pathlib.PurePosixPath(name[len(prefix) :])
                if relative.is_absolute() or ".." in relative.parts:
                    raise ValueError(f"The file holds an asset outside its folder: {name!r}.")
                target = pathlib.Path(folder, *relative.parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(read(name))
            part.load_assets(folder)
