"""Whether somebody looks through a notebook."""

from __future__ import annotations

import sys


def in_notebook() -> bool:
    """Whether IPython runs this; it is not imported to find out."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None
