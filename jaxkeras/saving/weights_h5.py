"""`.weights.h5`: one HDF5 group a layer, `<path>/vars/<i>`, under the paths of the params tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from jaxkeras.core.tracking import walk


def _parts(model: Any) -> Iterator[tuple[str, Any]]:
    for path, part in walk(model):
        yield "/".join(path), part
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        yield "optimizer", optimizer


class _Store(Mapping):
    """The variables of one group, read only when asked for."""

    def __init__(self, group: Any):
        self._group = group

    def __getitem__(self, key: str) -> Any:
        item = _plain(self._group, key)
        value = item[()]
        if item.attrs.get("dtype") == "bfloat16":
            import ml_dtypes

            value = value.view(ml_dtypes.bfloat16)
        return value

    def __iter__(self):
        return iter(self._group.keys() if self._group is not None else ())

    def __len__(self) -> int:
        return len(self._group) if self._group is not None else 0


def _plain(group: Any, key: str) -> Any:
    """A member of a group that lies in the file itself: a link elsewhere could read any file of the machine."""
    import h5py

    link = group.get(key, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise ValueError(f"The file holds a link at '{group.name}/{key}', which is not followed; it may be malicious.")
    item = group[key]
    if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
        raise ValueError(f"Data at '{item.name}' lie in another file, which is not opened; the file may be malicious.")
    return item


def _group(file: Any, path: str) -> Any:
    group = file
    for key in path.split("/"):
        if key:
            if group is None or group.get(key, getlink=True) is None:
                return None
            group = _plain(group, key)
    return group


def write(file: Any, model: Any) -> None:
    """Write the weights of a model, and the state of its optimizer, into an open HDF5 file."""
    for path, part in _parts(model):
        group = file.create_group(f"{path}/vars" if path else "vars")
        group.attrs["name"] = part.name
        store: dict[str, Any] = {}
        part.save_own_variables(store)
        for key, value in store.items():
            _write_array(group, key, np.asarray(value))
        for name, generator in part.own_seeds() if hasattr(part, "own_seeds") else ():
            # Keras leaves these out and draws other dropout masks after loading; it ignores groups it does not know.
            seeds = file.create_group(f"{path}/{name}/vars" if path else f"{name}/vars")
            seeds.attrs["name"] = generator.name
            seeds["0"] = np.asarray(generator.state.cell())


def _write_array(group: Any, key: str, array: np.ndarray) -> None:
    if array.dtype.name == "bfloat16":
        group[key] = array.view("uint16")
        group[key].attrs["dtype"] = "bfloat16"
    else:
        group[key] = array


def read(file: Any, model: Any, skip_mismatch: bool = False) -> None:
    """Read the weights of a model, and the state of its optimizer, from an open HDF5 file.

    Raises:
        ValueError: naming the layer whose weights do not fit, and weights in the file that no layer has.
    """
    import warnings

    found = False
    for path, part in _parts(model):
        store = _Store(_group(file, f"{path}/vars"))
        found = found or len(store) > 0
        if part is getattr(model, "optimizer", None):
            _read_optimizer(model, part, store)
            continue
        try:
            if len(store) or part.own_variables():
                part.load_own_variables(store)
        except ValueError as error:
            if not skip_mismatch:
                raise ValueError(f"Weights at '{path or '/'}' of the file do not fit. {error}") from None
            warnings.warn(f"Skipped the weights of layer '{part.name}': {error}", stacklevel=4)
        for name, generator in part.own_seeds():
            seeds = _Store(_group(file, f"{path}/{name}/vars"))
            if len(seeds):
                generator.state.assign(seeds["0"])
    if not found and model.weights:
        raise ValueError("The file holds no weights for this model: none of its layers' paths is in it.")


def _read_optimizer(model: Any, optimizer: Any, store: _Store) -> None:
    import warnings

    if not len(store):
        return
    if not optimizer.built:
        from jaxkeras.core import pure

        table = pure.table(model)
        optimizer.build(list(table.params.values()), list(table.params))
    try:
        optimizer.load_own_variables(store)
    except ValueError as error:
        warnings.warn(f"The state of the optimizer could not be restored, so it starts anew: {error}", stacklevel=4)
