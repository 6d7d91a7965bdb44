"""Trees of plain values and arrays in one checksummed file: a zip of JSON and raw arrays."""

from __future__ import annotations

import json
import pathlib
import zipfile
from typing import Any

import jax
import numpy as np

from jaxkeras.core.placement import to_host
from jaxkeras.saving.errors import reading

_ARRAY, _TUPLE, _PAIRS = "__array__", "__tuple__", "__pairs__"


def write(path: Any, tree: Any) -> None:
    """Write a tree.

    Args:
        path: the file.
        tree: dicts, lists and tuples of None, booleans, numbers, strings and arrays.

    Raises:
        TypeError: if the tree holds anything else.
    """
    arrays: list[np.ndarray] = []
    text = json.dumps(_encoded(tree, arrays))
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("tree.json", text)
        for i, array in enumerate(arrays):
            with file.open(f"{i}", "w", force_zip64=True) as member:
                member.write(np.ascontiguousarray(array).tobytes())


def read(path: Any) -> Any:
    """Read a tree that `write` wrote. Arrays are bit-identical NumPy arrays.

    Args:
        path: the file.

    Raises:
        ValueError: if the file is damaged.
    """
    with reading(path), zipfile.ZipFile(pathlib.Path(path)) as file:
        return _decoded(json.loads(file.read("tree.json")), file)


def _encoded(value: Any, arrays: list[np.ndarray]) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (np.ndarray, np.generic, jax.Array)):
        array = to_host(value)
        if array.dtype.kind not in "OSUM":
            arrays.append(array)
            scalar = isinstance(value, np.generic)
            return {_ARRAY: [len(arrays) - 1, array.dtype.name, list(array.shape), scalar]}
    if isinstance(value, list):
        return [_encoded(item, arrays) for item in value]
    if isinstance(value, tuple):
        return {_TUPLE: [_encoded(item, arrays) for item in value]}
    if isinstance(value, dict):
        return {_PAIRS: [[_encoded(k, arrays), _encoded(v, arrays)] for k, v in value.items()]}
    raise TypeError(f"Only numbers, strings, arrays, lists, tuples and dicts can be saved; got {value!r:.200}.")


def _decoded(value: Any, file: zipfile.ZipFile) -> Any:
    if isinstance(value, list):
        return [_decoded(item, file) for item in value]
    if not isinstance(value, dict):
        return value
    if _TUPLE in value:
        return tuple(_decoded(item, file) for item in value[_TUPLE])
    if _PAIRS in value:
        return {_decoded(k, file): _decoded(v, file) for k, v in value[_PAIRS]}
    i, dtype, shape, scalar = value[_ARRAY]
    array = np.frombuffer(bytearray(file.read(f"{i}")), jax.numpy.dtype(dtype)).reshape(shape)
    return array[()] if scalar else array
