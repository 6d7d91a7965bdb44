"""`.weights.h5`: one HDF5 group per layer with datasets `<path>/vars/<i>`, where paths are those of the params tree."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from jaxkeras import registry
from jaxkeras.core.names import to_snake_case, unique
from jaxkeras.core.placement import see_variables, to_host
from jaxkeras.core.tracking import walk
from jaxkeras.layers._base.layer import Layer
from jaxkeras.saving.budget import Budget
from jaxkeras.saving.values import Loaded, all_or_nothing
from jaxkeras.training.state import build_optimizer


def parts(model: Any, skip: Iterable[Any] = ()) -> Iterator[tuple[str, Any]]:
    """Iterate over the objects that have a group in a file: the layers of a model with their paths, and the optimizer.

    Args:
        model: the model.
        skip: layers to leave out, with their sublayers.
    """
    left_out = {id(part) for owner in skip for part in [owner, *(p for _, p in walk(owner))]}
    for path, part in walk(model):
        if id(part) not in left_out:
            yield "/".join(path), part
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and id(optimizer) not in left_out:
        yield "optimizer", optimizer


def entries(model: Any, skip: Iterable[Any] = ()) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Iterate over the groups of a file: path, name of the object, and arrays by name."""
    for path, part in parts(model, skip):
        store: dict[str, Any] = {}
        part.save_own_variables(store)
        yield f"{path}/vars" if path else "vars", part.name, store
        for name, generator in part._own_seeds() if hasattr(part, "_own_seeds") else ():
            # Keras does not save these, so it draws other dropout masks after loading. It ignores unknown groups.
            own = f"{path}/{name}/vars" if path else f"{name}/vars"
            yield own, generator.name, {"0": generator.state.cell()}


def budget_of(files: Sequence[Any]) -> Budget:
    """Return the budget for reading from open HDF5 files."""
    return Budget(sum(file.id.get_filesize() for file in files))


def _arrays(files: Sequence[Any], path: str, budget: Budget) -> dict[str, np.ndarray]:
    """Return the arrays of a group, `{name: array}`, which may be spread over several files; empty if it is missing."""
    found = {}
    for file in files:
        group = _group(file, path)
        if group is not None:
            found.update({key: read_array(plain(group, key), budget) for key in group})
    return found


def read_array(item: Any, budget: Budget) -> np.ndarray:
    """Read the array of a dataset."""
    if item.dtype.hasobject:  # variable-length data, which the budget does not cover
        raise ValueError(f"Data at '{item.name}' are no array of numbers.")
    budget.take(math.prod(item.shape) * item.dtype.itemsize, f"The array '{item.name}'")
    value = item[()]
    if item.attrs.get("dtype") == "bfloat16":
        import ml_dtypes

        value = value.view(ml_dtypes.bfloat16)
    return value


def has(group: Any, key: str) -> bool:
    """Whether a group has a member. Unlike `key in group`, this does not follow links."""
    return group.id.links.exists(key.encode())


def plain(group: Any, path: str) -> Any:
    """Return a member of a group, refusing links: one to another file could read any file of the machine."""
    import h5py

    for key in path.split("/"):
        if not isinstance(group, h5py.Group) or not has(group, key):
            raise ValueError(f"The file holds no '{group.name}/{key[:100]}'.")
        if group.id.links.get_info(key.encode()).type != h5py.h5l.TYPE_HARD:  # pyright: ignore[reportAttributeAccessIssue] (compiled only)
            raise ValueError(f"'{group.name}/{key[:100]}' in the file is a link, which is not followed.")
        group = group[key]
    if isinstance(group, h5py.Dataset) and (group.external or group.is_virtual):
        raise ValueError(f"Data at '{group.name}' lie in another file, which is not opened: it may be malicious.")
    return group


def _group(file: Any, path: str) -> Any:
    """Return the group at a path, or None."""
    group = file
    for key in filter(None, path.split("/")):
        if not has(group, key):
            return None
        group = plain(group, key)
    return group


def _located(files: Sequence[Any], model: Any, skip: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Iterate over `parts` with their paths in open HDF5 files.

    For a subclassed model, Keras visits the list `layers` among the attributes in alphabetical order. So layers in
    attributes that come later (`out`), and before Keras 3.16 those in lists of lists, are saved as `layers/dense_1`.
    A layer that another class called `dense` is found if a property of that name returns it.
    """
    places: dict[str, str] = {}
    visited: list[tuple[str, Any]] = []
    for path, part in parts(model, skip):
        owner = path
        while owner and owner not in places:
            owner = owner.rpartition("/")[0]
        place = places.get(owner, "") + path[len(owner) :] if owner else path
        if not _in_any(files, place):
            other = next((other for other in _other_paths(part, visited) if _in_any(files, other)), place)
            if other != place and "/container" in place:
                warnings.warn(
                    f"Skipping nested container '{place.rpartition('/')[0]}', which the file does not have: layer "
                    f"'{part.name}' is read from '{other}'. Save the model again to have it in its own place.",
                    stacklevel=5,
                )
            place = other
        places[path] = place
        visited.append((place, part))
        yield place, part


def _other_paths(part: Any, owners: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """Paths that a layer may have besides its own, given the layers that may own it, with their paths."""
    for place, owner in owners:
        for name, layer in [*_in_layers(owner), *_properties(owner)]:
            if layer is part:
                yield f"{place}/{name}".lstrip("/")


def _in_layers(part: Any) -> Iterator[tuple[str, Any]]:
    """The layers in the list `layers` of a model, with their paths in it."""
    layers = getattr(part, "layers", None)
    used: dict[str, int] = {}
    for layer in layers if isinstance(layers, (list, tuple)) else ():
        yield f"layers/{unique(to_snake_case(type(layer).__name__), used)}", layer


def _properties(part: Any) -> Iterator[tuple[str, Any]]:
    """The layers that properties of a user's class return, by name."""
    for cls in type(part).__mro__:
        if cls is Layer or registry.is_builtin(cls):
            return
        for name, value in vars(cls).items():
            if isinstance(value, property):
                with contextlib.suppress(Exception):  # it may need what is not there yet
                    layer = getattr(part, name)
                    if isinstance(layer, Layer):
                        yield name, layer


def _in_any(files: Sequence[Any], path: str) -> bool:
    return any(_group(file, path) is not None for file in files)


def write(file: Any, model: Any, skip: Iterable[Any] = ()) -> None:
    """Write the weights of a model, and the state of its optimizer, to an open HDF5 file."""
    for path, name, store in entries(model, skip):
        group = file.create_group(path)
        group.attrs["name"] = name
        for key, value in store.items():
            write_array(group, key, to_host(value))


def write_array(group: Any, key: str, array: np.ndarray) -> None:
    """Write an array. HDF5 has no bfloat16, so its bits are written as uint16; `read_array` converts them back."""
    if array.dtype.name == "bfloat16":
        group[key] = array.view("uint16")
        group[key].attrs["dtype"] = "bfloat16"
    else:
        group[key] = array


def read(files: Any, model: Any, skip_mismatch: bool = False, skip: Iterable[Any] = ()) -> None:
    """Read the weights of a model, and the state of its optimizer, from one or several open HDF5 files.

    Raises:
        ValueError: if weights do not fit a layer, which the message names, or if the file has none for this model.
    """
    files = files if isinstance(files, list) else [files]
    budget = budget_of(files)
    see_variables(model.weights)
    found = False
    with Loaded() as loaded:
        for path, part in _located(files, model, skip):
            group = f"{path}/vars" if path else "vars"
            store = _arrays(files, group, budget)
            found = found or bool(store)
            if part is getattr(model, "optimizer", None):
                _read_optimizer(model, part, store, loaded)
                continue
            try:
                if store or part._own_variables() or _loads_itself(part):
                    loaded.check_store(store, part._own_variables(), group)
                    part.load_own_variables(store)
            except ValueError as error:
                if not skip_mismatch:
                    where = f"layer '{part.name}' (at '{path}/' in the file)"
                    raise ValueError(f"Weights of {where} do not fit. {error}") from None
                warnings.warn(f"Skipped the weights of layer '{part.name}': {error}", stacklevel=4)
            for name, generator in part._own_seeds():
                group = f"{path}/{name}/vars"
                if seeds := _arrays(files, group, budget):
                    generator.state.assign(loaded.check(seeds["0"], generator.state, f"{group}/0"))
    if not found and model.weights and not skip:
        raise ValueError("The file holds no weights for this model: none of its layers' paths is in it.")


def _loads_itself(part: Any) -> bool:
    """Whether a layer overrides `load_own_variables`, which is then called even if the file has nothing for it."""
    return type(part).load_own_variables is not Layer.load_own_variables and not registry.is_builtin(type(part))


def _read_optimizer(model: Any, optimizer: Any, store: dict[str, np.ndarray], loaded: Loaded) -> None:
    if not store:
        return
    if not optimizer.built:
        build_optimizer(model, optimizer)
    try:
        loaded.check_store(store, optimizer.variables, "optimizer/vars")
        with all_or_nothing(optimizer.variables):
            optimizer.load_own_variables(store)
    except ValueError as error:
        warnings.warn(f"The state of the optimizer could not be restored, so it starts anew: {error}", stacklevel=4)
