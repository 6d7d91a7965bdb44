"""Checks of the arrays in a file against the variables that they are read into."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_KINDS = (jnp.bool_, jnp.integer, jnp.floating, jnp.complexfloating)  # each holds the values of those before it


@contextlib.contextmanager
def all_or_nothing(variables: Sequence[Any]) -> Iterator[None]:
    """Restore the values of variables if the block fails."""
    before = [v.cell() if v.materialized else v._cell for v in variables]
    try:
        yield
    except Exception:
        for v, value in zip(variables, before):
            if isinstance(value, jax.Array):
                v.assign(value)
            else:
                v.set_cell(value)
        raise


class Loaded:
    """Checks of the arrays that are loaded from a file. As a context manager, it warns at the end if some have NaN."""

    def __init__(self) -> None:
        self._with_nan: list[str] = []

    def __enter__(self) -> Loaded:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        if kind is None and self._with_nan:
            more = len(self._with_nan) - 1
            others = f" and in {more} other arrays" if more > 1 else " and in another array" if more else ""
            warnings.warn(f"The file holds NaN in '{self._with_nan[0]}'{others}.", stacklevel=5)

    def check(self, array: Any, variable: Any, path: str) -> Any:
        """Check that a variable can hold the values of an array.

        Args:
            array: the array in the file.
            variable: the `Variable` to load it into.
            path: its path in the file, for messages.

        Returns:
            The array.

        Raises:
            ValueError: if the variable is of a kind that cannot hold such values: real for complex ones, integer for
                real ones, any for text.
        """
        self._check(array, _rank(jnp.dtype(variable.dtype)), path, f"variable '{variable.path}' is {variable.dtype}")
        return array

    def check_store(self, store: Mapping[str, Any], variables: Sequence[Any], path: str) -> None:
        """Check the argument of `load_own_variables`: `{"0": array, ...}`, or arrays under the layer's own names."""
        for key, array in store.items():
            if key.isdecimal() and int(key) < len(variables):
                self.check(array, variables[int(key)], f"{path}/{key}")
            else:
                highest = max((_rank(jnp.dtype(v.dtype)) for v in variables), default=_rank(jnp.dtype("float32")))
                self._check(array, highest, f"{path}/{key}", "the layer has no variable for such values")

    def _check(self, array: Any, highest: int, path: str, otherwise: str) -> None:
        rank = _rank(array.dtype)
        if not 0 <= rank <= highest:
            raise ValueError(f"The file holds values of type {array.dtype} in '{path}', but {otherwise}.")
        if _has_nan(array, rank):
            self._with_nan.append(path)


def _rank(dtype: Any) -> int:
    """Return the position in `_KINDS`, or -1 if the dtype is not numeric."""
    return next((i for i, kind in enumerate(_KINDS) if jnp.issubdtype(dtype, kind)), -1)


def _has_nan(array: Any, rank: int) -> bool:
    if rank < 2 or not array.size:
        return False
    if isinstance(array, jax.Array):
        return bool(jnp.isnan(array).any())
    if array.dtype.kind == "f":
        return bool(np.isnan(np.min(array)))  # `min` propagates NaN and needs no second array
    return bool(np.isnan(array).any())  # complex, or bfloat16 and the like, whose `min` warns
