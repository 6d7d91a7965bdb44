"""Inspection and editing of weights files, without the model."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from jaxkeras.core.messages import print_message
from jaxkeras.saving import archive, checksum, weights_h5
from jaxkeras.saving.atomic import replacing
from jaxkeras.saving.budget import Budget
from jaxkeras.saving.errors import reading

Weights = dict[str, Any]


class KerasFileEditor:
    """Inspects and edits the weights in a `.keras` or `.weights.h5` file, to load them into a changed model.

    Args:
        filepath: the file. It is not modified; `save` writes to another file.

    Attributes:
        weights_dict: the weights, nested like the paths in the file: `{"layers": {"dense": {"0": array}}}`.
        object_metadata: `{path: {"name": name}}` of the objects.
        config: config of the model, from a `.keras` file.
        metadata: version and date, from a `.keras` file.

    Raises:
        ValueError: for another extension, or if the file is damaged.
        FileNotFoundError: if the file does not exist.

    Example:

    >>> editor = KerasFileEditor("model.keras")  # doctest: +SKIP
    >>> editor.rename_object("layers/dense_1", "dense")  # doctest: +SKIP
    >>> editor.save("edited.weights.h5")  # doctest: +SKIP
    """

    def __init__(self, filepath: Any):
        path = pathlib.Path(filepath)
        self.filepath = str(filepath)
        self.metadata: dict[str, Any] | None = None
        self.config: dict[str, Any] | None = None
        self.object_metadata: dict[str, dict[str, Any]] = {}
        if not self.filepath.endswith((".keras", ".weights.h5")):
            raise ValueError(f"KerasFileEditor reads '.keras' and '.weights.h5' files; got '{filepath}'.")
        if not path.is_file():
            raise FileNotFoundError(f"There is no file '{path}'.")
        with reading(path):
            if path.suffix == ".keras":
                with archive.opened(path) as parts:
                    self.config = json.loads(parts.read("config.json"))
                    self.metadata = json.loads(parts.read("metadata.json"))
                    with parts.weights() as file:
                        self.weights_dict = self._read(file, "", weights_h5.budget_of([file]))
            else:
                with checksum.opened(path) as file:
                    self.weights_dict = self._read(file, "", weights_h5.budget_of([file]))
        print_message(f"Keras model file '{self.filepath}'")
        if self.metadata is not None:
            print_message(
                f"Saved with Keras {self.metadata.get('keras_version')} - date: {self.metadata.get('date_saved')}"
            )

    def _read(self, group: Any, path: str, budget: Budget) -> Weights:
        """Read a group. Its own weights, in the subgroup `vars`, become siblings of its parts."""
        import h5py

        found: Weights = {}
        for key in group:
            item = weights_h5.plain(group, key)
            if isinstance(item, h5py.Dataset):
                found[key] = weights_h5.read_array(item, budget)
            elif key == "vars" and path:
                found.update(self._read(item, path, budget))
            elif inside := self._read(item, f"{path}/{key}", budget):
                found[key] = inside
        if group.attrs and found:
            self.object_metadata.setdefault(path, {}).update(group.attrs)
        return found

    # -- looking -----------------------------------------------------------------------------------------------------
    def summary(self) -> None:
        """Print the objects and weights as a tree."""
        print_message("\n".join(["Weights structure", *self._lines(self.weights_dict, "  ", "")]))

    def _lines(self, weights: Weights, prefix: str, path: str) -> Iterator[str]:
        for i, (key, value) in enumerate(weights.items()):
            last = i == len(weights) - 1
            begin = f"{prefix}{'└─' if last else '├─'} {key}"
            if not isinstance(value, dict):
                yield f"{begin}: shape={np.shape(value)}, dtype={np.asarray(value).dtype}"
                continue
            name = self.object_metadata.get(f"{path}/{key}", {}).get("name")
            yield begin + (f" ('{name}')" if name else "")
            yield from self._lines(value, prefix + ("    " if last else "│   "), f"{path}/{key}")

    def compare(self, reference_model: Any) -> dict[str, Any]:
        """Print the differences between the file and a model.

        Args:
            reference_model: a built model.

        Returns:
            `{"status": "success" or "error", "error_count": differences, "match_count": matching weights}`.
        """
        wanted, seeds = _shapes_of(reference_model)
        found = dict(_leaves(self.weights_dict))
        errors = []
        for path in sorted(wanted.keys() | found.keys()):
            if path not in found:
                if path not in seeds:  # Keras does not write them
                    errors.append(f"...Weight {path} present in reference model, missing from saved file")
            elif path not in wanted:
                errors.append(f"...Weight {path} present in saved file, missing from reference model")
            elif wanted[path] != np.shape(found[path]):
                errors.append(
                    f"...Weight shape mismatch for {path}: {wanted[path]} in reference model, {np.shape(found[path])} "
                    "in saved file"
                )
        matches = sum(path in found and np.shape(found[path]) == shape for path, shape in wanted.items())
        if errors:
            verdict = f"Found {len(errors)} differences: the saved file does not fit the reference model."
        else:
            verdict = f"The saved file fits the reference model: {matches} weights match."
        print_message("\n".join(["Comparison of the saved file with the reference model", *errors, verdict]))
        return {"status": "error" if errors else "success", "error_count": len(errors), "match_count": matches}

    # -- changing ----------------------------------------------------------------------------------------------------
    def _owner(self, name: str) -> tuple[Weights, str, str]:
        """Find an object by path or unique name; return the dict that holds it, its key and the dict's path."""
        if "/" in name:
            path, _, key = name.strip("/").rpartition("/")
            owner: Any = self.weights_dict
            for part in filter(None, path.split("/")):
                owner = owner.get(part) if isinstance(owner, dict) else None
            if not isinstance(owner, dict) or key not in owner:
                raise ValueError(f"The file has no object '{name}'; `summary()` shows what it has.")
            return owner, key, f"/{path}" if path else ""
        places = [(owner, path) for owner, path in _dicts(self.weights_dict, "") if name in owner]
        if not places:
            raise ValueError(f"The file has no object '{name}'; `summary()` shows what it has.")
        if len(places) > 1:
            found = ", ".join(f"'{path}/{name}'".replace("'/", "'") for _, path in places[:5])
            raise ValueError(f"'{name}' occurs {len(places)} times in the file ({found}); give a whole path.")
        return places[0][0], name, places[0][1]

    def _object(self, name: str) -> Weights:
        owner, key, _ = self._owner(name)
        if not isinstance(owner[key], dict):
            raise ValueError(f"'{name}' is a weight, not an object; it can be changed with `add_weights`.")
        return owner[key]

    def rename_object(self, object_name: str, new_name: str) -> None:
        """Rename an object.

        Args:
            object_name: its name if unique, or its path, such as `"layers/dense_2"`.
            new_name: the last part of its new path.

        Raises:
            ValueError: if no object or several have this name, or if the new name is taken.
        """
        if "/" in new_name:
            raise ValueError(f"`new_name` must be the last part of a path, without '/'; got '{new_name}'.")
        owner, key, path = self._owner(object_name)
        if new_name in owner:
            raise ValueError(f"There is a '{new_name}' beside '{object_name}' already; delete it or rename it first.")
        for old in [name for name in self.object_metadata if f"{name}/".startswith(f"{path}/{key}/")]:
            new = f"{path}/{new_name}{old[len(f'{path}/{key}') :]}"
            self.object_metadata[new] = self.object_metadata.pop(old)
        renamed = {new_name if name == key else name: value for name, value in owner.items()}
        owner.clear()
        owner.update(renamed)

    def delete_object(self, object_name: str) -> None:
        """Delete an object and its sublayers.

        Args:
            object_name: its name if unique, or its path.
        """
        owner, key, path = self._owner(object_name)
        del owner[key]
        for old in [name for name in self.object_metadata if f"{name}/".startswith(f"{path}/{key}/")]:
            del self.object_metadata[old]

    def add_object(self, object_path: str, weights: Mapping[str, Any]) -> None:
        """Add an object.

        Args:
            object_path: its path, such as `"layers/dense_2"`; the parent must exist.
            weights: `{name: array}`; Keras names the weights of a layer "0", "1" and so on.
        """
        _check_weights(weights)
        path, _, key = object_path.strip("/").rpartition("/")
        owner = self.weights_dict
        if path:
            owner = self._object(f"/{path}")
        owner[key] = dict(weights)

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Delete a weight of an object.

        Args:
            object_name: the name of the object if unique, or its path.
            weight_name: name of the weight, such as `"0"`.
        """
        weights = self._object(object_name)
        if weight_name not in weights:
            raise ValueError(f"Object '{object_name}' has no weight '{weight_name}'; it has {', '.join(weights)}.")
        del weights[weight_name]

    def add_weights(self, object_name: str, weights: Mapping[str, Any]) -> None:
        """Add weights to an object, or replace them.

        Args:
            object_name: the name of the object if unique, or its path.
            weights: `{name: array}`.
        """
        _check_weights(weights)
        self._object(object_name).update(weights)

    def save(self, filepath: Any) -> None:
        """Write the weights to a `.weights.h5` file.

        Args:
            filepath: a name that ends in `.weights.h5`; an existing file is replaced.
        """
        if not str(filepath).endswith(".weights.h5"):
            raise ValueError(f"The name of a weights file must end in '.weights.h5'; got '{filepath}'.")
        with replacing(pathlib.Path(filepath)) as temporary, checksum.created(temporary) as file:
            for weights, path in _dicts(self.weights_dict, ""):
                own = {key: value for key, value in weights.items() if not isinstance(value, dict)}
                if not own:
                    continue
                # The weights of the model itself are in `vars` already.
                group = file.require_group((path or "/") if path in ("", "/vars") else f"{path}/vars")
                for name, value in self.object_metadata.get(path, {}).items():
                    group.attrs[name] = value
                for key, value in own.items():
                    weights_h5.write_array(group, key, np.asarray(value))

    def resave_weights(self, filepath: Any) -> None:
        """The same as `save`."""
        self.save(filepath)


def _check_weights(weights: Any) -> None:
    if not isinstance(weights, Mapping):
        raise ValueError(f"`weights` must be a dict {{name: array}}, such as {{'0': kernel}}; got {weights!r}.")


def _dicts(weights: Weights, path: str) -> Iterator[tuple[Weights, str]]:
    """Iterate over a nested dict and all dicts in it, with their paths."""
    yield weights, path
    for key, value in weights.items():
        if isinstance(value, dict):
            yield from _dicts(value, f"{path}/{key}")


def _leaves(weights: Weights) -> Iterator[tuple[str, Any]]:
    for owner, path in _dicts(weights, ""):
        yield from ((f"{path}/{key}", value) for key, value in owner.items() if not isinstance(value, dict))


def _shapes_of(model: Any) -> tuple[dict[str, tuple[int, ...]], set[str]]:
    """Return `{path: shape}` of the weights that a model would write, and the paths that are seed states."""
    shapes, owners = {}, {f"{path}/vars".lstrip("/") for path, _ in weights_h5.parts(model)}
    seeds = set()
    for path, _, store in weights_h5.entries(model):
        place = "/" + path.removesuffix("/vars")
        for key, value in store.items():
            shapes[f"{place}/{key}"] = np.shape(value)
            if path not in owners:
                seeds.add(f"{place}/{key}")
    return shapes, seeds
