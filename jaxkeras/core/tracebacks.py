"""Errors that end at the user's own line, and say what to write there."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import jax

from jaxkeras.core import config, jax_config
from jaxkeras.core.names import closest

F = TypeVar("F", bound=Callable[..., Any])
_OWN = str(Path(__file__).parents[1])
_BENEATH = (_OWN, str(Path(jax.__file__).parent), "<")


def hide_library_frames(function: F) -> F:
    """Leave the library's frames out of the traceback of a mistake that the library itself found.

    Only if no code of the user's is among them: then the line that called `function` is the one to look at. With
    `JAX_TRACEBACK_FILTERING=off`, or after `config.disable_traceback_filtering()`, everything stays.

    The error for a keyword argument that `function` does not have tells the ones that are nearest.
    """
    known = [name for name, p in inspect.signature(function).parameters.items() if p.kind is not p.VAR_KEYWORD][1:]

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except ValueError as error:
            # A caller higher up in the library sees all of it, and decides.
            wanted = config.is_traceback_filtering_enabled() and jax_config.settings.jax_traceback_filtering != "off"
            if wanted and _found_here(error.__traceback__):
                error.__traceback__ = None
            raise
        except TypeError as error:
            unknown = [name for name in kwargs if name not in known]
            if not unknown or error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # it comes from within
            raise TypeError(
                f"{type(args[0]).__name__}.{function.__name__}() got an unexpected keyword argument {unknown[0]!r}. "
                f"{closest(unknown[0], known)}"
            ) from None

    return wrapper  # type: ignore[return-value]


def _found_here(traceback: TracebackType | None) -> bool:
    name = ""
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if not name.startswith(_BENEATH):
            return False
        traceback = traceback.tb_next
    return name.startswith(_OWN)
