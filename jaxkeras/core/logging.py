"""Where messages go: printed, or to Python's logging."""

from __future__ import annotations

import logging

logger = logging.getLogger("jaxkeras")
_interactive = True


def enable_interactive_logging() -> None:
    """Print messages and progress; so it is unless `disable_interactive_logging` was called."""
    global _interactive
    _interactive = True


def disable_interactive_logging() -> None:
    """Send messages to `logging.getLogger("jaxkeras")`, level INFO, in place of printing them.

    `verbose="auto"` in `fit`, `evaluate` and `predict` then means 2, a line an epoch.
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
