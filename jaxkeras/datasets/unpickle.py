"""Read the few pickles that datasets come in, without running anything that they name.

A pickle is a program that may import and call. Here its imports resolve to the inert stand-ins below: a data type that
is only a string, and an array that is only a buffer with a shape, both checked before NumPy sees them. Any other name
is refused. What can come out is numbers, strings, bytes, lists, tuples, dicts and arrays of plain numbers or of these.
"""

from __future__ import annotations

import math
import pickle
import re
from typing import IO, Any

import numpy as np

_NDARRAY = object()


def _text(value: str | bytes) -> str:
    # Pickles by Python 2 hold its strings, which are bytes here.
    return value.decode("ascii") if isinstance(value, bytes) else value


class _DType:
    """Stands in for `numpy.dtype`; accepts plain numbers and objects."""

    def __init__(self, code: str | bytes, align: bool = False, copy: bool = True):
        self.code = _text(code)
        self.order = "|"
        if not re.fullmatch(r"[iuf][1248]|b1|O[48]?", self.code):
            raise pickle.UnpicklingError(f"Expected an array of plain numbers or objects, got the dtype {self.code!r}.")

    def __setstate__(self, state: tuple) -> None:
        _, order, *structure = state
        self.order = _text(order)
        # Sub-array, names, fields: what a plain number has none of.
        if self.order not in ("|", "<", ">", "=") or any(part is not None for part in structure[:3]):
            raise pickle.UnpicklingError(f"Expected the state of a plain dtype, got {state!r}.")

    def numpy(self) -> np.dtype:
        return np.dtype(self.order.replace("|", "=") + self.code)


class _Array:
    """Stands in for `numpy.ndarray` while it is unpickled."""

    value: np.ndarray

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, column_major, content = state
        if not isinstance(dtype, _DType) or not all(isinstance(size, int) and size >= 0 for size in shape):
            raise pickle.UnpicklingError("Expected the state of an array: shape, dtype, order and content.")
        if dtype.code[0] == "O":
            if len(content) != math.prod(shape):
                raise pickle.UnpicklingError(f"{len(content)} objects do not fill an array of shape {shape}.")
            flat = np.empty(len(content), object)
            for index, item in enumerate(content):
                flat[index] = _finished(item)
            self.value = flat.reshape(shape)  # NumPy lists objects row by row, whatever the order flag says
        else:
            self.value = np.frombuffer(content, dtype.numpy()).reshape(shape, order="F" if column_major else "C")


def _reconstruct(kind: object, shape: tuple, code: str | bytes) -> _Array:
    if kind is not _NDARRAY:
        raise pickle.UnpicklingError("Expected a plain numpy.ndarray, not a subclass.")
    return _Array()


_STAND_INS = {
    "numpy.ndarray": _NDARRAY,
    "numpy.dtype": _DType,
    "numpy.core.multiarray._reconstruct": _reconstruct,
    "numpy._core.multiarray._reconstruct": _reconstruct,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full not in _STAND_INS:
            raise pickle.UnpicklingError(
                f"Refused to load {full!r} from a dataset's file: arrays and plain containers are all that belongs "
                "there. The file is damaged or malicious; delete it."
            )
        return _STAND_INS[full]


def _finished(item: Any) -> Any:
    if isinstance(item, _Array):
        return item.value
    if isinstance(item, dict):
        return {key: _finished(value) for key, value in item.items()}
    return item


def read_pickle(stream: IO[bytes]) -> Any:
    """Read a pickled array, or dict of arrays and lists, from a binary stream.

    Returns:
        What was pickled; strings pickled by Python 2 come as bytes. Arrays may be read-only.

    Raises:
        pickle.UnpicklingError: if the pickle names anything but NumPy's arrays and dtypes.
    """
    return _finished(_Reader(stream, encoding="bytes").load())
