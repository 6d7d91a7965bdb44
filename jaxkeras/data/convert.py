"""Conversion of the user's data to NumPy or JAX arrays, with the dtypes that models compute in.

A structure is any nesting of dicts, lists and tuples; everything else, None included, is a leaf.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core import config
from jaxkeras.core.sparse import densify
from jaxkeras.core.sparse import is_sparse as is_jax_sparse
from jaxkeras.data import checks

_TEXT_KINDS = "UST"


def is_structure(value: Any) -> bool:
    """Whether a value is a dict, a list or a tuple rather than a leaf."""
    return _is_dict(value) or isinstance(value, (list, tuple))


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict) and not is_sparse(value)  # a DOK matrix of SciPy is a dict, too


def map_leaves(function: Callable[[Any, str], Any], label: str, tree: Any) -> Any:
    """Apply `function(leaf, name)` to each leaf, keeping the structure. Names look like `x['image']`."""
    if _is_dict(tree):
        return {key: map_leaves(function, f"{label}[{key!r}]", part) for key, part in tree.items()}
    if isinstance(tree, (list, tuple)):
        parts = [map_leaves(function, f"{label}[{i}]", part) for i, part in enumerate(tree)]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return function(tree, label)


def named_leaves(label: str, tree: Any) -> list[tuple[str, Any]]:
    """Return the leaves of a structure with their names."""
    leaves: list[tuple[str, Any]] = []
    map_leaves(lambda leaf, name: leaves.append((name, leaf)), label, tree)
    return leaves


def same_structure(a: Any, b: Any) -> bool:
    """Whether two structures are equal except for their leaves."""
    if _is_dict(a) and _is_dict(b):
        return a.keys() == b.keys() and all(same_structure(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same_structure, a, b))
    return not is_structure(a) and not is_structure(b)


def is_sparse(value: Any) -> bool:
    """Whether a value is a SciPy sparse matrix or array."""
    return type(value).__module__.startswith("scipy.sparse") and hasattr(value, "tocsr")


def is_text(value: Any) -> bool:
    """Whether an array holds strings, which stay on the host for preprocessing layers."""
    return isinstance(value, np.ndarray) and value.dtype.kind in _TEXT_KINDS + "O"


def is_array_like(value: Any) -> bool:
    """Whether a leaf has rows: an array, a tensor of another framework, a table or a sparse matrix; also None."""
    return value is None or hasattr(value, "__array__") or is_sparse(value) or is_jax_sparse(value)


def to_array(value: Any, name: str) -> Any:
    """Convert a leaf to an array of a dtype that models take.

    Floats become `floatx()`, and 64-bit integers become 32-bit ones if all values fit (unless JAX's x64 mode is on).
    Booleans, small integers and strings are kept. A pandas Series becomes a column `(rows, 1)`, as in Keras.

    Args:
        value: None, an array, a tensor of torch or TensorFlow, a DataFrame or Series, a sparse matrix of SciPy or JAX.
        name: the name of the leaf in messages.

    Returns:
        None, a NumPy array, a JAX array if `value` is one, or a SciPy CSR matrix (whose batches become dense).

    Raises:
        ValueError: if `value` is not an array, has no rows, or has a dtype or values that models do not take.
    """
    if value is None:
        return None
    if not is_array_like(value):
        raise checks.not_an_array(name, value)
    if is_jax_sparse(value):
        value = _jax_sparse_to_host(value)
    elif is_sparse(value):
        value = value.tocsr()
    elif not isinstance(value, (np.ndarray, jax.Array)):
        value = foreign_to_numpy(value, name)
    checks.has_rows(name, value)
    dtype = _model_dtype(value, name)
    return value if dtype == value.dtype else value.astype(dtype)


def _jax_sparse_to_host(value: Any) -> Any:
    """A sparse matrix of JAX as one of SciPy, whose rows can be taken; sparse arrays of other ranks become dense."""
    if value.ndim != 2 or type(value).__name__ != "BCOO":
        return np.asarray(densify(value))
    from scipy.sparse import csr_matrix

    from jaxkeras.ops._sparse.layout import with_layout

    value = with_layout(value)
    rows, columns = np.asarray(value.indices).T
    inside = (rows < value.shape[0]) & (columns < value.shape[1])  # what is not is padding
    return csr_matrix((np.asarray(value.data)[inside], (rows[inside], columns[inside])), value.shape)


def foreign_to_numpy(value: Any, name: str) -> np.ndarray:
    """Convert a tensor of another framework, a table, or any object with `__array__`; `name` is for messages."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        return _table_to_numpy(value, name)
    if pandas is not None and isinstance(value, pandas.Series):
        return _table_to_numpy(value.to_frame(), name)
    if type(value).__module__.partition(".")[0] == "torch":
        value = value.detach().cpu()
        return (value.float() if "bfloat16" in str(value.dtype) else value).numpy()
    return np.asarray(value)


def _table_to_numpy(table: Any, name: str) -> np.ndarray:
    array = table.to_numpy()
    if array.dtype != object or all(isinstance(cell, str) for cell in array.flat):
        return array
    numeric = sys.modules["pandas"].api.types.is_numeric_dtype
    if not all(numeric(dtype) for dtype in table.dtypes):
        raise checks.text_columns(name, {str(column): str(d) for column, d in table.dtypes.items() if not numeric(d)})
    # Booleans beside floats, or pandas's nullable dtypes.
    return table.to_numpy(dtype=config.floatx(), na_value=np.nan)


def _model_dtype(value: Any, name: str) -> Any:
    dtype = value.dtype
    if dtype.name in ("int32", config.floatx()) and dtype.itemsize <= 4:
        return dtype  # the common case
    if jnp.issubdtype(dtype, np.floating):
        return jax.dtypes.canonicalize_dtype(config.floatx())
    if dtype.kind in _TEXT_KINDS:
        return dtype
    if dtype.kind == "O":
        checks.object_is_text(name, value)
        return dtype
    if dtype.kind not in "biuc":
        raise checks.bad_dtype(name, value)
    narrow = jax.dtypes.canonicalize_dtype(dtype)
    if narrow != dtype and dtype.kind in "iu":
        checks.fits(name, value, narrow)
    return narrow
