"""Errors that end at the user's own line."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import jax

from jaxkeras.core import config, jax_config

F = TypeVar("F", bound=Callable[..., Any])
_OWN = str(Path(__file__).parents[1])
_BENEATH = (_OWN, str(Path(jax.__file__).parent), "<")


def brief(function: F) -> F:
    """Leave the library's frames out of the traceback of a mistake that the library itself found.

    Only if no code of the user's is among them: then the line that called `function` is the one to look at. With
    `JAX_TRACEBACK_FILTERING=off`, or after `config.disable_traceback_filtering()`, everything stays.
    """

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

    return wrapper  # type: ignore[return-value]


def _found_here(traceback: TracebackType | None) -> bool:
    name = ""
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if not name.startswith(_BENEATH):
            return False
        traceback = traceback.tb_next
    return name.startswith(_OWN)
