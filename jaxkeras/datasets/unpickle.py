"""Read the pickles in some datasets without executing anything they name.

A pickle is a program that may import and call anything. Here its imports resolve to the inert stand-ins below: a dtype
that is only a string, and an array that is only a buffer with a shape, both checked before they reach NumPy. Any other
name is refused. The result can hold numbers, strings, bytes, lists, tuples, dicts, and arrays of numbers or of these.
"""

from __future__ import annotations

import math
import pickle
import re
from typing import IO, Any

import numpy as np

_NDARRAY = object()


def _text(value: str | bytes) -> str:
    # Strings pickled by Python 2 are read as bytes.
    return value.decode("ascii") if isinstance(value, bytes) else value


class _DType:
    """Stand-in for `numpy.dtype`; accepts dtypes of plain numbers and objects."""

    def __init__(self, code: str | bytes, align: bool = False, copy: bool = True):
        self.code = _text(code)
        self.order = "|"
        if not re.fullmatch(r"[iuf][1248]|b1|O[48]?", self.code):
            raise pickle.UnpicklingError(f"Expected an array of plain numbers or objects, got the dtype {self.code!r}.")

    def __setstate__(self, state: tuple) -> None:
        _, order, *structure = state
        self.order = _text(order)
        # Subarray, names and fields must be absent: the dtype is that of plain numbers.
        if self.order not in ("|", "<", ">", "=") or any(part is not None for part in structure[:3]):
            raise pickle.UnpicklingError(f"Expected the state of a plain dtype, got {state!r}.")

    def numpy(self) -> np.dtype:
        return np.dtype(self.order.replace("|", "=") + self.code)


class _Array:
    """Stand-in for `numpy.ndarray` during unpickling."""

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
            self.value = flat.reshape(shape)  # NumPy pickles objects in row-major order, regardless of the order flag
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
                f"Refused to load {full!r} from the file of a dataset, which should hold only arrays and plain "
                "containers. The file is damaged or malicious; delete it."
            )
        return _STAND_INS[full]


def _finished(item: Any) -> Any:
    if isinstance(item, _Array):
        return item.value
    if isinstance(item, dict):
        return {key: _finished(value) for key, value in item.items()}
    return item


def read_pickle(stream: IO[bytes]) -> Any:
    """Read a pickled array, or a dict of arrays and lists, from a binary stream.

    Returns:
        The unpickled object; strings pickled by Python 2 become bytes. Arrays may be read-only.

    Raises:
        pickle.UnpicklingError: if the pickle names anything but NumPy's arrays and dtypes.
    """
    return _finished(_Reader(stream, encoding="bytes").load())
