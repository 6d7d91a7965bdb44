"""`.weights.h5`: one HDF5 group a layer, `<path>/vars/<i>`, under the paths of the params tree."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from jaxkeras.core import pure
from jaxkeras.core.tracking import walk
from jaxkeras.saving.budget import Budget
from jaxkeras.saving.values import Loaded


def parts(model: Any, skip: Iterable[Any] = ()) -> Iterator[tuple[str, Any]]:
    """What a file holds groups of: the parts of a model, each with its path, and the optimizer.

    Args:
        model: the model.
        skip: parts to leave out, with all that is in them.
    """
    left_out = {id(part) for owner in skip for part in [owner, *(p for _, p in walk(owner))]}
    for path, part in walk(model):
        if id(part) not in left_out:
            yield "/".join(path), part
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and id(optimizer) not in left_out:
        yield "optimizer", optimizer


def entries(model: Any, skip: Iterable[Any] = ()) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What a file holds: the path of every group, the name of what it belongs to, and its arrays by name."""
    for path, part in parts(model, skip):
        store: dict[str, Any] = {}
        part.save_own_variables(store)
        yield f"{path}/vars" if path else "vars", part.name, store
        for name, generator in part.own_seeds() if hasattr(part, "own_seeds") else ():
            # Keras leaves these out and draws other dropout masks after loading; it ignores groups it does not know.
            own = f"{path}/{name}/vars" if path else f"{name}/vars"
            yield own, generator.name, {"0": generator.state.cell()}


def budget_of(files: Sequence[Any]) -> Budget:
    """What may be read from open HDF5 files."""
    return Budget(sum(file.id.get_filesize() for file in files))


def _arrays(files: Sequence[Any], path: str, budget: Budget) -> dict[str, np.ndarray]:
    """The arrays of one group, `{name: array}`, which may lie in several files; none if there is no such group."""
    found = {}
    for file in files:
        group = _group(file, path)
        if group is not None:
            found.update({key: read_array(plain(group, key), budget) for key in group})
    return found


def read_array(item: Any, budget: Budget) -> np.ndarray:
    """The array of one dataset."""
    if item.dtype.hasobject:  # of no fixed size, so it could be anything
        raise ValueError(f"Data at '{item.name}' are no array of numbers.")
    budget.take(math.prod(item.shape) * item.dtype.itemsize, f"The array '{item.name}'")
    value = item[()]
    if item.attrs.get("dtype") == "bfloat16":
        import ml_dtypes

        value = value.view(ml_dtypes.bfloat16)
    return value


def has(group: Any, key: str) -> bool:
    """Whether a group has a member; `key in group` would follow a link, and open what it points to."""
    return group.id.links.exists(key.encode())


def plain(group: Any, path: str) -> Any:
    """A member of a group that lies in the file itself: a link elsewhere could read any file of the machine."""
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
    """A group by its path, or None."""
    group = file
    for key in filter(None, path.split("/")):
        if not has(group, key):
            return None
        group = plain(group, key)
    return group


def write(file: Any, model: Any, skip: Iterable[Any] = ()) -> None:
    """Write the weights of a model, and the state of its optimizer, into an open HDF5 file."""
    for path, name, store in entries(model, skip):
        group = file.create_group(path)
        group.attrs["name"] = name
        for key, value in store.items():
            write_array(group, key, np.asarray(value))


def write_array(group: Any, key: str, array: np.ndarray) -> None:
    """Write one array; HDF5 has no bfloat16, so its bits are written, and `read_array` turns them back."""
    if array.dtype.name == "bfloat16":
        group[key] = array.view("uint16")
        group[key].attrs["dtype"] = "bfloat16"
    else:
        group[key] = array


def read(files: Any, model: Any, skip_mismatch: bool = False, skip: Iterable[Any] = ()) -> None:
    """Read the weights of a model, and the state of its optimizer, from an open HDF5 file or from several.

    Raises:
        ValueError: naming the layer whose weights do not fit, and weights in the file that no layer has.
    """
    files = files if isinstance(files, list) else [files]
    budget = budget_of(files)
    found = False
    with Loaded() as loaded:
        for path, part in parts(model, skip):
            group = f"{path}/vars" if path else "vars"
            store = _arrays(files, group, budget)
            found = found or bool(store)
            if part is getattr(model, "optimizer", None):
                _read_optimizer(model, part, store, loaded)
                continue
            try:
                if store or part.own_variables():
                    loaded.check_store(store, part.own_variables(), group)
                    part.load_own_variables(store)
            except ValueError as error:
                if not skip_mismatch:
                    where = f"layer '{part.name}' (at '{path}/' in the file)"
                    raise ValueError(f"Weights of {where} do not fit. {error}") from None
                warnings.warn(f"Skipped the weights of layer '{part.name}': {error}", stacklevel=4)
            for name, generator in part.own_seeds():
                group = f"{path}/{name}/vars"
                if seeds := _arrays(files, group, budget):
                    generator.state.assign(loaded.check(seeds["0"], generator.state, f"{group}/0"))
    if not found and model.weights and not skip:
        raise ValueError("The file holds no weights for this model: none of its layers' paths is in it.")


def _read_optimizer(model: Any, optimizer: Any, store: dict[str, np.ndarray], loaded: Loaded) -> None:
    if not store:
        return
    if not optimizer.built:
        table = pure.table(model)
        optimizer.build(list(table.params.values()), list(table.params))
    try:
        loaded.check_store(store, optimizer.variables, "optimizer/vars")
        optimizer.load_own_variables(store)
    except ValueError as error:
        warnings.warn(f"The state of the optimizer could not be restored, so it starts anew: {error}", stacklevel=4)
