"""Types as strings, and how they combine."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core import config, jax_config

_ALIASES = {"int": "int32", "float": None, "bool": "bool", "str": "string", "string": "string", "object": "string"}


def standardize_dtype(dtype: Any) -> str:
    """Return the name of a dtype; `None` and `float` mean `floatx()`.

    Args:
        dtype: a string, a NumPy or JAX dtype, a Python scalar type, or None.

    Raises:
        ValueError: for something that names no dtype.

    Example:

    >>> standardize_dtype(np.float64), standardize_dtype(None)
    ('float64', 'float32')
    """
    if dtype is None:
        return stored_dtype(config.floatx())
    if isinstance(dtype, type) and dtype in (int, float, bool, str):
        dtype = dtype.__name__
    if isinstance(dtype, str) and dtype in _ALIASES:
        return _ALIASES[dtype] or stored_dtype(config.floatx())
    if isinstance(dtype, str) and dtype.startswith("float8"):
        return dtype
    name = getattr(dtype, "name", None)
    if name is None or not isinstance(dtype, np.dtype):
        try:
            name = jnp.dtype(dtype).name
        except TypeError:
            text = str(dtype)
            if text.startswith("torch."):  # a torch dtype, met when data comes from a DataLoader
                return text.removeprefix("torch.")
            raise ValueError(f"Invalid dtype: {dtype!r}. Give a name such as 'float32', 'int32' or 'bool'.") from None
    return name


def stored_dtype(name: str) -> str:
    """The dtype of arrays that JAX makes of a float dtype: float32 of `"float64"` unless `jax_enable_x64` is set."""
    return "float32" if name == "float64" and not jax_config.settings.jax_enable_x64 else name


def is_float_dtype(dtype: Any) -> bool:
    """Whether a dtype is a (real) floating-point type, bfloat16 and float8 included."""
    return "float" in standardize_dtype(dtype)


def is_int_dtype(dtype: Any) -> bool:
    """Whether a dtype is a signed or unsigned integer type."""
    name = standardize_dtype(dtype)
    return name.startswith(("int", "uint"))


def result_type(*dtypes: Any) -> str:
    """The dtype that values of these dtypes combine to, under JAX's promotion with 32-bit limits.

    Args:
        *dtypes: names or dtypes; a Python scalar type counts as weak.

    Example:

    >>> result_type("int32", float), result_type("float16", "bfloat16")
    ('float32', 'float32')
    """
    if not dtypes:
        return config.floatx()
    weak = {int: 0, float: 0.0, bool: False}
    args = [weak[d] if isinstance(d, type) and d in weak else jnp.dtype(standardize_dtype(d)) for d in dtypes]
    return jax.dtypes.canonicalize_dtype(jnp.result_type(*args)).name
