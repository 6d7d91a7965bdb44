"""Messages on standard output, where a progress bar may be open."""

from __future__ import annotations

import os
import sys
from typing import Any

from jaxkeras.core.logging import is_interactive_logging_enabled, logger


def place() -> str:
    """Where standard output goes: `"terminal"`, `"notebook"` or `"file"` (also when messages go to logging)."""
    if not is_interactive_logging_enabled():
        return "file"
    out = sys.stdout
    if type(out).__module__.startswith("ipykernel."):
        return "notebook"
    interactive = out is not None and hasattr(out, "isatty") and out.isatty() and os.environ.get("TERM") != "dumb"
    if interactive or (out is sys.__stdout__ and "PYCHARM_HOSTED" in os.environ):
        return "terminal"
    return "file"


def _write(text: str) -> None:
    out = sys.stdout
    if out is None:  # a process without a console
        return
    try:
        out.write(text)
    except UnicodeEncodeError:
        out.write(text.replace("━", "=").encode(out.encoding or "ascii", "replace").decode(out.encoding or "ascii"))
    out.flush()


class _OpenLine:
    """The unfinished line of the terminal. All printing goes through it, so that messages do not run into the bar."""

    width = 0

    def draw(self, text: str, width: int) -> None:
        """Replace the line by `text`, which has `width` visible characters. A single write avoids flicker."""
        _write("\r" + text + " " * (self.width - width))
        self.width = width

    def clear(self) -> None:
        """Erase the line, to print other text."""
        if self.width:
            _write("\r" + " " * self.width + "\r")
            self.width = 0

    def end(self) -> None:
        """Keep the line and move to the next one. Does nothing if no line is open."""
        if self.width:
            _write("\n")
            self.width = 0


open_line = _OpenLine()


def print_message(message: str) -> None:
    """Print a line, or log it. An open progress bar is erased first; its next update draws it again."""
    if not is_interactive_logging_enabled():
        logger.info(message)
        return
    open_line.clear()
    _write(message + "\n")


def ask_to_proceed_with_overwrite(filepath: Any) -> bool:
    """Ask at the terminal whether a file may be replaced.

    Raises:
        EOFError: if there is no input.
    """
    answer = ""
    while answer not in ("y", "n"):
        answer = input(f"'{filepath}' exists already. Replace it? [y/n] ").strip().lower()
    return answer == "y"
