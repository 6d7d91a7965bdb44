"""Errors that end at the user's own line, and say what to write there."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

import jax

from jaxkeras.core import config
from jaxkeras.core.context import local
from jaxkeras.core.names import closest
from jaxkeras.core.shape_inference import known_shape

P = ParamSpec("P")
R = TypeVar("R")
_OWN = str(Path(__file__).parents[1])
_BENEATH = (_OWN, str(Path(jax.__file__).parent), "<frozen")
_TRACED_VALUE = (
    "the compiled step has no values yet where Python needs one (`if`, `while`, `int()`, `float()`, `np.*`). Write "
    "jnp.where(condition, a, b) or jax.lax.cond(condition, f, g, x) in place of `if`, jax.lax.while_loop in place of "
    "`while`, jnp in place of np. To look at values, compile(..., run_eagerly=True)."
)
_NO_VALUE = "a transformation of JAX (jit, scan, vmap) has no value where Python needs one, even if steps run eagerly."
_RAW_VARIABLE = (
    "a function of jax.lax was given a Variable, which only jax.numpy and jax.nn take as it is. Write `.value`: "
    "jax.lax.exp(self.w.value)."
)
_MARK = "Exception encountered when calling "  # Keras's words, which programs look for


def hide_library_frames(function: Callable[P, R]) -> Callable[P, R]:
    """Leave the library's and JAX's frames out of the tracebacks of `function`, a method that users call.

    An error in the user's code ends at the user's line; one that the library itself finds ends at the line that called
    `function`. With `JAX_TRACEBACK_FILTERING=off`, or after `config.disable_traceback_filtering()`, everything stays,
    as it does for errors that are neither.

    The error for a keyword argument that `function` does not have lists the nearest ones.
    """
    known = [name for name, p in inspect.signature(function).parameters.items() if p.kind is not p.VAR_KEYWORD][1:]

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            unknown = [name for name in kwargs if name not in known]
            traceback = error.__traceback__
            if isinstance(error, TypeError) and unknown and traceback is not None and traceback.tb_next is None:
                raise TypeError(
                    f"{type(args[0]).__name__}.{function.__name__}() got an unexpected keyword argument "
                    f"{unknown[0]!r}. {closest(unknown[0], known)}"
                ) from None
            filtering = jax.config.jax_traceback_filtering  # type: ignore[attr-defined]
            if config.is_traceback_filtering_enabled() and filtering != "off":
                frames = list(_frames(traceback))
                own = [frame for frame in frames if not _file(frame).startswith(_BENEATH)]
                if own:
                    error.__traceback__ = _chain(own)
                elif isinstance(error, ValueError) and raised_by_library(error):
                    error.__traceback__ = None
            raise

    return wrapper


def raised_by_library(error: BaseException) -> bool:
    """Whether the innermost frame of an error is one of the library's."""
    frames = list(_frames(error.__traceback__))
    return bool(frames) and _file(frames[-1]).startswith(_OWN)


def line_of_user() -> tuple[str, int]:
    """File and line of the innermost running frame that is neither the library's nor JAX's, for `warn_explicit`."""
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_BENEATH):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def explain(error: Exception, where: str, values: Any) -> None:
    """Say in an error of JAX's or the user's where it arose, the shapes there, and what to write instead.

    As in Keras this is part of the message, after the user's own words. Of an exception that holds anything else than
    a message it is a note, so that its type and its attributes stay as they are.

    Args:
        error: it is explained once, by the innermost place.
        where: such as "layer 'dense' (Dense)".
        values: a structure of the arrays that the code there was given; the arguments by name, as a rule.
    """
    if any(_MARK in text for text in (str(error), *getattr(error, "__notes__", ()))):
        return
    if isinstance(error, (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError)):
        reason = _NO_VALUE if local.eager else _TRACED_VALUE
    elif "Triggering __jax_array__()" in str(error):
        reason = _RAW_VARIABLE
    elif raised_by_library(error):
        return
    else:
        inferring = local.frame is not None and local.frame.abstract
        reason = "sizes in the message stand for unknown ones, shown as None here." if inferring else ""
    _append(error, f"{_MARK}{where}, given {_described(values)}{': ' if reason else '.'}{reason}")


def _append(error: Exception, text: str) -> None:
    """Append to the message, if an exception is nothing but a message; add a note otherwise."""
    message = error.args[0] if len(error.args) == 1 else None
    if not (config.is_traceback_filtering_enabled() and isinstance(message, str) and str(error) == message):
        error.add_note(text)
        return
    error.args = (f"{message}\n\n{text}",)
    with contextlib.suppress(Exception):  # a class may refuse attributes
        error._keras_call_info_injected = True  # type: ignore[attr-defined]


def _described(values: Any) -> str:
    if not isinstance(values, dict):
        return describe_shapes(values)
    given = [f"{name}={describe_shapes(value)}" for name, value in values.items() if value is not None]
    return ", ".join(given) or "nothing"


def named_arguments(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments by the names that a function has for them, as far as they fit it."""
    with contextlib.suppress(TypeError, ValueError):
        return inspect.signature(function).bind_partial(*args, **kwargs).arguments
    return {"args": args, **kwargs}


def describe_shapes(values: Any) -> str:
    """Shapes and dtypes in a structure of arrays, as text."""
    text = jax.tree.map(
        lambda x: f"{x.dtype}{list(known_shape(tuple(x.shape)))}" if hasattr(x, "shape") else repr(x)[:40], values
    )
    return str(text).replace("'", "") if jax.tree.leaves(values) else "nothing"


def _frames(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _file(traceback: TracebackType) -> str:
    return traceback.tb_frame.f_code.co_filename


def _chain(frames: list[TracebackType]) -> TracebackType | None:
    chain = None
    for frame in reversed(frames):
        chain = TracebackType(chain, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return chain
