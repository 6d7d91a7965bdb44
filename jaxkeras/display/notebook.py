"""Detect notebooks."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable


def in_notebook() -> bool:
    """Whether the code runs under IPython, without importing it."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


def cell_number() -> int | None:
    """The number of the cell that runs, or None elsewhere than under IPython."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return None if shell is None else shell.execution_count


def click_polling(context: contextlib.ExitStack) -> Callable[[], None] | None:
    """A function that handles clicks on widgets while a cell runs.

    Args:
        context: polling lasts until it is closed.

    Returns:
        None if nothing has to be polled, since clicks go to a thread, or if jupyter_ui_poll is not installed.
    """
    import importlib.metadata

    if int(importlib.metadata.version("ipykernel").split(".")[0]) >= 7:
        return None
    try:
        from jupyter_ui_poll import ui_events  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        return None
    poll = context.enter_context(ui_events())
    return lambda: poll(8)
