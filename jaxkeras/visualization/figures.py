"""Figures that are shown once: in a notebook by the value of a cell, elsewhere by the caller."""

from __future__ import annotations

from typing import Any

from jaxkeras.display.curves import picture
from jaxkeras.display.notebook import in_notebook


def new_figure(user: str, size: tuple[float, float]) -> Any:
    """A Matplotlib figure that pyplot does not know, so that nothing draws it a second time.

    Args:
        user: what needs it, for the error message.
        size: width and height in inches.

    Raises:
        ImportError: without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ImportError(f'{user} needs matplotlib: pip install "jaxkeras[plot]"') from None
    return Figure(figsize=size, facecolor="white", layout="constrained")


def shown(figure: Any, path: Any) -> Any:
    """Write a figure to `path`, if that is not None, and return what displays it."""
    if path is not None:
        figure.savefig(path, dpi=150)
    return picture(figure) if in_notebook() else figure
