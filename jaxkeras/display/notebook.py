"""Detect notebooks."""

from __future__ import annotations

import sys


def in_notebook() -> bool:
    """Whether the code runs under IPython, without importing it."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None
