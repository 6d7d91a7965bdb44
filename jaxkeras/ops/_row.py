"""An op in one line: a `jax.numpy` function under Keras's parameter names.

    sum = row(jnp.sum, "x", "Sum of the elements over axes.", axis=None, keepdims=False)

makes `sum(x, axis=None, keepdims=False)`, with this signature and a docstring, for arrays, nested lists, variables and
KerasTensors alike.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core import config
from jaxkeras.core.dtypes import standardize_dtype
from jaxkeras.core.symbolic import op
from jaxkeras.core.variable import Variable

REQUIRED = inspect.Parameter.empty  # default of a setting that has none

_GLOSSARY = {
    "axes": "axes, in their new order where axes are permuted.",
    "axis": "axis or axes to work along; None for all elements.",
    "axis1": "first axis.",
    "axis2": "second axis.",
    "bins": "bins, as their number or as their edges.",
    "condition": "boolean array.",
    "dtype": "dtype of the result; follows from the arguments by default.",
    "endpoint": "whether `stop` is the last value.",
    "fill_value": "the value.",
    "indices": "integer array.",
    "indices_or_sections": "number of equal parts, or indices at which to cut.",
    "k": "offset of the diagonal: 0 the main one, above it positive.",
    "keepdims": "keep the axes worked along, with size 1.",
    "method": "interpolation between elements: 'linear', 'lower', 'higher', 'midpoint' or 'nearest'.",
    "newshape": "the shape; one size may be -1 and is then inferred.",
    "num": "number of values.",
    "offset": "offset of the diagonal: 0 the main one, above it positive.",
    "q": "scalar or array of levels.",
    "repeats": "how often.",
    "shape": "the shape.",
    "start": "first value.",
    "stop": "last value.",
    "weights": "weights of the elements.",
}


def tensor(x: Any) -> Any:
    """An array-like as what `jax.numpy` takes: a sequence as an array, a variable as its value."""
    if isinstance(x, Variable):
        return x.value
    if not isinstance(x, (list, tuple)):
        return x
    if any(hasattr(leaf, "__jax_array__") or isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(x)):
        return jnp.asarray(jax.tree.map(tensor, x, is_leaf=lambda leaf: isinstance(leaf, Variable)))
    array = np.asarray(x)
    return array.astype(jax.dtypes.canonicalize_dtype(array.dtype))


def as_array(x: Any, dtype: Any = None) -> jax.Array:
    """An array-like as a JAX array. With the dtype given, `jnp.asarray` need not compile for a NumPy array."""
    x = tensor(x)
    if dtype is None and isinstance(x, (np.ndarray, np.generic)):
        dtype = jax.dtypes.canonicalize_dtype(x.dtype)
    return jnp.asarray(x, dtype)


def inexact(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of one array, with integers and booleans cast to `floatx()` first."""

    @functools.wraps(function)
    def call(x: Any, **kwargs: Any) -> Any:
        if hasattr(x, "dtype") and not jnp.issubdtype(x.dtype, jnp.inexact):
            x = jnp.asarray(x, config.floatx())
        return function(x, **kwargs)

    return call


def in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of one array, 16-bit numbers becoming 32-bit ones on the way: for formulas in which steps overflow or
    lose digits although the result is an ordinary number."""

    @functools.wraps(function)
    def call(x: Any, **kwargs: Any) -> Any:
        if getattr(x, "dtype", None) in ("float16", "bfloat16"):
            return function(jnp.asarray(x, "float32"), **kwargs).astype(x.dtype)
        return function(x, **kwargs)

    return call


def unsigned(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of the sizes of two integers, computed without a sign: the most negative integer has no positive
    counterpart of its own type, and a loop that waits for zero would not end with it."""

    @functools.wraps(function)
    def call(x1: Any, x2: Any) -> Any:
        dtype = jnp.result_type(x1, x2)
        if not jnp.issubdtype(dtype, jnp.signedinteger):
            return function(x1, x2)
        sizes = (jnp.abs(jnp.asarray(x, dtype)).astype(f"u{dtype.name}") for x in (x1, x2))
        return function(*sizes).astype(dtype)

    return call


def floatx_by_default(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with a setting `dtype`, None meaning `floatx()`."""

    @functools.wraps(function)
    def call(*args: Any, dtype: Any = None, **kwargs: Any) -> Any:
        return function(*args, dtype=standardize_dtype(dtype), **kwargs)

    return call


def row(
    function: Callable[..., Any], arrays: str, summary: str, /, *, name: str | None = None, **settings: Any
) -> Callable[..., Any]:
    """An op that calls `function(*arrays, **settings)`.

    Args:
        function: over arrays.
        arrays: names of the array parameters, in order: `"x?"` may be None, `"xs*"` is a sequence of arrays.
        summary: first line of the docstring.
        name: of the op; that of `function` by default.
        **settings: the other parameters and their defaults (or `REQUIRED`), in order.

    Returns:
        The op.
    """
    converters: dict[str, Callable[[Any], Any]] = {}
    parameters = []
    for word in arrays.split():
        key = word.rstrip("?*")
        converters[key] = (lambda xs: [tensor(x) for x in xs]) if word.endswith("*") else tensor
        default = None if word.endswith("?") else REQUIRED
        parameters.append(inspect.Parameter(key, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default))
    parameters += [
        inspect.Parameter(key, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
        for key, default in settings.items()
    ]
    signature = inspect.Signature(parameters)

    names = tuple(signature.parameters)
    known = frozenset(names)
    defaults = {p.name: p.default for p in parameters if p.default is not REQUIRED}

    def call(*args: Any, **kwargs: Any) -> Any:
        values = {**defaults, **dict(zip(names, args)), **kwargs}
        if values.keys() != known or len(args) > len(names) or not kwargs.keys().isdisjoint(names[: len(args)]):
            _refuse(f"{call.__name__}{signature}", signature, args, kwargs)
        return function(*[convert(values.pop(key)) for key, convert in converters.items()], **values)

    call.__name__ = call.__qualname__ = name or function.__name__
    call.__module__ = "jaxkeras.ops"
    call.__signature__ = signature  # type: ignore[attr-defined]
    call.__doc__ = _document(function, summary, list(parameters), converters)
    return op(call)


def _refuse(title: str, signature: inspect.Signature, args: tuple, kwargs: dict[str, Any]) -> None:
    """Say what is wrong with the arguments of a call."""
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{title}: {error}.") from None


def _document(function: Callable[..., Any], summary: str, parameters: list[inspect.Parameter], arrays: Any) -> str:
    lines = [summary, ""]
    if function.__module__.startswith("jax"):
        place = next((p for p in ("jax.numpy", "jax.numpy.linalg", "jax.nn") if _at(p, function)), None)
        if place:
            lines += [f"`{place}.{function.__name__}` under Keras's names.", ""]
    if parameters:
        lines.append("Args:")
    for parameter in parameters:
        default = "sequence of arrays." if parameter.name == "xs" else "array." if parameter.name in arrays else ""
        meaning = _GLOSSARY.get(parameter.name) or default
        if not meaning:
            meaning = f"{parameter.default!r} by default." if parameter.default is not REQUIRED else "required."
        lines.append(f"    {parameter.name}: {meaning}")
    return "\n".join(lines)


def _at(place: str, function: Callable[..., Any]) -> bool:
    module: Any = jax
    for part in place.split(".")[1:]:
        module = getattr(module, part)
    return hasattr(module, function.__name__)
