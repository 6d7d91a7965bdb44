"""Whether messages are printed or logged."""

from __future__ import annotations

import logging

logger = logging.getLogger("jaxkeras")
_interactive = True


def enable_interactive_logging() -> None:
    """Print messages and progress (the default)."""
    global _interactive
    _interactive = True


def disable_interactive_logging() -> None:
    """Log messages to `logging.getLogger("jaxkeras")` at level INFO instead of printing them.

    `verbose="auto"` in `fit`, `evaluate` and `predict` then means 2, one line per epoch.
    """
    global _interactive
    _interactive = False


def is_interactive_logging_enabled() -> bool:
    """Whether messages are printed.

    Example:

    >>> is_interactive_logging_enabled()
    True
    """
    return _interactive
