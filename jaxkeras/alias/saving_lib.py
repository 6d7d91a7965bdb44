"""Functions on `.keras` archives with Keras's private signatures, and a store of arrays in HDF5."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxkeras import saving


def save_model(model: Any, filepath: Any, weights_format: str = "h5", zipped: bool = True) -> None:
    """`saving.save_model`, with an argument for compatibility.

    Args:
        model: the model.
        filepath: the name of the file, or a binary file open for writing.
        weights_format: ignored: weights are HDF5.
        zipped: False to write a folder.
    """
    saving.save_model(model, filepath, zipped=zipped)


class _Entry:
    """The arrays at one path of a store."""

    def __init__(self, group: Any):
        self._group = group

    def __setitem__(self, key: str, value: Any) -> None:
        self._group[key] = np.asarray(value)

    def __getitem__(self, key: str) -> Any:
        return self._group[key]

    def __contains__(self, key: str) -> bool:
        return key in self._group

    def __len__(self) -> int:
        return len(self._group)

    def keys(self) -> Any:
        return self._group.keys()

    def items(self) -> Any:
        return self._group.items()

    def values(self) -> Any:
        return self._group.values()


class H5IOStore:
    """Arrays in an HDF5 file, by path and name, as in a `.weights.h5` file.

    Args:
        path: the name of the file.
        archive: not supported; give a file.
        mode: `"r"` or `"w"`.

    Example:

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "values.h5")
    >>> store = H5IOStore(path, mode="w")
    >>> store.make("lora/3")["rank"] = 4
    >>> store.close()
    >>> int(H5IOStore(path).get("lora/3")["rank"][()])
    4
    """

    def __init__(self, path: Any, archive: Any = None, mode: str = "r"):
        import h5py

        if archive is not None:
            raise ValueError("H5IOStore reads and writes a file; archives are handled by keras.saving.")
        self.mode = mode
        self.h5_file = h5py.File(path, mode)

    def make(self, path: str, metadata: dict[str, Any] | None = None) -> _Entry:
        """The entry at a path, to be written."""
        group = self.h5_file.require_group(path).require_group("vars") if path else self.h5_file.require_group("vars")
        for key, value in (metadata or {}).items():
            group.attrs[key] = value
        return _Entry(group)

    def get(self, path: str) -> _Entry | dict[str, Any]:
        """The entry at a path; empty if there is none."""
        group = self.h5_file.get(f"{path}/vars" if path else "vars")
        return {} if group is None else _Entry(group)

    def close(self) -> None:
        """Write what is left, and close the file."""
        self.h5_file.close()
