"""Ops that are a function of `jax.numpy` (or another one over arrays) under Keras's parameter names.

    @make_op(jnp.sum, "Array without the axes.")
    def sum(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> jax.Array:
        '''Sum of the elements over axes.'''
        ...

The decorated function is only a signature and a docstring, which editors and type checkers read. The op takes arrays,
nested lists, variables and KerasTensors alike.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax.numpy as jnp

from jaxkeras.core import config
from jaxkeras.core.dtypes import standardize_dtype
from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import as_operand

P = ParamSpec("P")
R = TypeVar("R")

# Returns sections that many ops share.
SAME = "Array of the shape and dtype of `x`."
FLOATING = "Array of the shape of `x`, with a floating-point or complex dtype."
BOOLEAN = "Boolean array of the shape of `x`."
PROMOTED = "Array of the shape to which `x1` and `x2` broadcast, with their promoted dtype."
PROMOTED_FLOATING = "Array of the shape to which `x1` and `x2` broadcast, with a floating-point or complex dtype."
COMPARED = "Boolean array of the shape to which `x1` and `x2` broadcast."
REDUCED = "Array of the shape of `x` without the reduced axes (with size 1 there if `keepdims`)."

# What a parameter means, where the docstring of an op has no Args section of its own.
_GLOSSARY = {
    "array": "array with at least two axes.",
    "axis": "axis along which to work.",
    "axis1": "first axis.",
    "axis2": "second axis.",
    "dtype": "dtype of the result; inferred from the other arguments by default.",
    "endpoint": "whether `stop` is the last value.",
    "indices_or_sections": "number of equal parts, or the indices at which to split.",
    "k": "offset of the diagonal: 0 for the main one, positive above it, negative below it.",
    "keepdims": "whether to keep the reduced axes with size 1.",
    "offset": "offset of the diagonal: 0 for the main one, positive above it, negative below it.",
    "shape": "shape of the result, an integer or a sequence of integers.",
    "x": "array of any shape.",
    "x1": "array of any shape.",
    "x2": "array that broadcasts with `x1`.",
    "xs": "sequence of arrays.",
}
_CAST = "array of any shape; booleans and integers are cast to `floatx()`."
_REDUCED_AXES = "axis or axes to reduce; None for all."


def inexact(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of one array, with integers and booleans cast to `floatx()` first."""

    @functools.wraps(function)
    def call(x: Any, **kwargs: Any) -> Any:
        if isinstance(x, int) or (hasattr(x, "dtype") and not jnp.issubdtype(x.dtype, jnp.inexact)):
            x = jnp.asarray(x, config.floatx())
        return function(x, **kwargs)

    call.__dict__["casts_integers"] = True
    return call


def in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of one array, computed in float32 for 16-bit floats: for formulas with intermediate results that
    overflow or lose precision although the final result does not."""

    @functools.wraps(function)
    def call(x: Any, **kwargs: Any) -> Any:
        if getattr(x, "dtype", None) in ("float16", "bfloat16"):
            return function(jnp.asarray(x, "float32"), **kwargs).astype(x.dtype)
        return function(x, **kwargs)

    return call


def on_magnitudes(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of the absolute values of two integers, as unsigned integers.

    The most negative integer has no positive counterpart in its own dtype, and JAX's loop for the greatest common
    divisor would not end with it.
    """

    @functools.wraps(function)
    def call(x1: Any, x2: Any) -> Any:
        dtype = jnp.result_type(x1, x2)
        if not jnp.issubdtype(dtype, jnp.signedinteger):
            return function(x1, x2)
        magnitudes = (jnp.abs(jnp.asarray(x, dtype)).astype(f"u{dtype.name}") for x in (x1, x2))
        return function(*magnitudes).astype(dtype)

    return call


def floatx_by_default(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with a parameter `dtype` of which None means `floatx()`."""

    @functools.wraps(function)
    def call(*args: Any, dtype: Any = None, **kwargs: Any) -> Any:
        return function(*args, dtype=standardize_dtype(dtype), **kwargs)

    return call


def _as_operands(xs: Any) -> list[Any]:
    return [as_operand(x) for x in xs]


_CONVERTERS = {
    "TensorLike": as_operand,
    "TensorLike | None": as_operand,
    "Sequence[TensorLike]": _as_operands,
}


def make_op(
    function: Callable[..., Any], returns: str = "", output_spec: Callable[..., Any] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a signature with a docstring, to make it an op that calls `function`.

    Parameters annotated as `TensorLike` (or as `TensorLike | None` or `Sequence[TensorLike]`) are converted and passed
    by position, all others by keyword. The docstring gets the sections Args and Returns where it has none.

    Args:
        function: function over arrays.
        returns: text of the Returns section.
        output_spec: as for `op`.

    Returns:
        A decorator.
    """

    def decorate(template: Callable[P, R]) -> Callable[P, R]:
        annotations, code = template.__annotations__, template.__code__
        names = code.co_varnames[: code.co_argcount]
        converters = {n: _CONVERTERS[annotations[n]] for n in names if annotations[n] in _CONVERTERS}
        values_by_default = template.__defaults__ or ()
        defaults = dict(zip(names[len(names) - len(values_by_default) :], values_by_default))
        known = frozenset(names)

        @functools.wraps(template)
        def call(*args: Any, **kwargs: Any) -> Any:
            values = {**defaults, **dict(zip(names, args)), **kwargs}
            if values.keys() != known or len(args) > len(names) or not kwargs.keys().isdisjoint(names[: len(args)]):
                _raise_for_arguments(template, args, kwargs)
            return function(*[convert(values.pop(key)) for key, convert in converters.items()], **values)

        call.__module__ = "jaxkeras.ops"
        call.__doc__ = _document(template, names, returns, getattr(function, "casts_integers", False))
        return op(call, output_spec=output_spec)

    return decorate


def _raise_for_arguments(template: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> None:
    """Raise a TypeError that names the op, its parameters, and what is wrong with the arguments."""
    signature = inspect.signature(template)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        plain = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
        raise TypeError(f"{template.__name__}{inspect.Signature(plain)}: {error}.") from None


def _document(template: Callable[..., Any], names: tuple[str, ...], returns: str, casts_integers: bool) -> str:
    """The docstring of an op: its own, with the sections Args and Returns before the example."""
    doc = template.__doc__ or ""
    if "\n    Example:\n" in doc:  # Python 3.13 removes the indentation itself
        doc = doc.replace("\n    ", "\n")
    head, example, tail = doc.partition("\nExample:\n")
    if "\nArgs:\n" not in head:
        meanings = _GLOSSARY | {"x": _CAST} if casts_integers else _GLOSSARY
        if "keepdims" in names:
            meanings = meanings | {"axis": _REDUCED_AXES}
        head += "\nArgs:\n" + "".join(f"    {name}: {meanings[name]}\n" for name in names)
    if "\nReturns:\n" not in head:
        head += f"\nReturns:\n    {returns}\n"
    return head + example + tail
