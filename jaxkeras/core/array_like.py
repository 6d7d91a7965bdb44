"""Objects that behave like the array they hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.placement import to_host


class ArrayLike:
    """Converts like the array `value`; the operators are set below."""

    value: Any

    def __jax_array__(self) -> jax.Array:
        return self.value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(to_host(self.value), dtype=dtype)

    def __iter__(self):
        return iter(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __index__(self) -> int:
        return self.value.__index__()

    def __float__(self) -> float:
        return float(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __round__(self, ndigits: int | None = None) -> jax.Array:
        return self.value.__round__(ndigits or 0)

    if TYPE_CHECKING:

        def __add__(self, other: Any) -> Any: ...
        def __radd__(self, other: Any) -> Any: ...
        def __sub__(self, other: Any) -> Any: ...
        def __rsub__(self, other: Any) -> Any: ...
        def __mul__(self, other: Any) -> Any: ...
        def __rmul__(self, other: Any) -> Any: ...
        def __truediv__(self, other: Any) -> Any: ...
        def __rtruediv__(self, other: Any) -> Any: ...
        def __pow__(self, other: Any) -> Any: ...
        def __matmul__(self, other: Any) -> Any: ...
        def __rmatmul__(self, other: Any) -> Any: ...
        def __neg__(self) -> Any: ...


def as_array(value: Any, dtype: str | None) -> jax.Array:
    """A JAX array from anything array-like, variables included."""
    return jnp.asarray(as_array_on_host(value, dtype), dtype=dtype)


def as_array_on_host(value: Any, dtype: str | None) -> Any:
    """The same, but what is not an array of JAX yet becomes one of NumPy, if it can."""
    if isinstance(value, ArrayLike):
        value = value.value
    if not isinstance(value, jax.Array) and not hasattr(value, "__jax_array__"):
        try:
            return np.asarray(value, dtype=dtype)  # converting on the host compiles nothing
        except (TypeError, ValueError, jax.errors.TracerArrayConversionError):
            pass
    return value


def _operand(x: Any) -> Any:
    if isinstance(x, ArrayLike):
        return x.value
    return jnp.asarray(x) if isinstance(x, (list, tuple)) else x


def _operator(name: str) -> Callable[..., Any]:
    def method(self, *others):
        return getattr(self.value, name)(*map(_operand, others))

    method.__name__ = name
    return method


def _logical(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self, other):
        other = _operand(other)
        return function(self.value, other) if isinstance(other, _OPERANDS) else NotImplemented

    return method


_OPERANDS = (jax.Array, np.ndarray, np.generic, bool, int, float, complex)

for _name in (
    "add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow matmul rmatmul "
    "neg pos abs invert eq ne lt le gt ge"
).split():
    setattr(ArrayLike, f"__{_name}__", _operator(f"__{_name}__"))
for _name in ("and", "or", "xor"):
    for _side in ("", "r"):
        setattr(ArrayLike, f"__{_side}{_name}__", _logical(getattr(jnp, f"logical_{_name}")))
ArrayLike.__hash__ = object.__hash__  # `==` is elementwise, but containers need identity
del _name, _side
