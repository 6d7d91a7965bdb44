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


def new_grid(
    user: str, count: int, columns: int, cell: tuple[float, float], margin: tuple[float, float] = (0, 0)
) -> tuple[Any, list[Any]]:
    """A figure with axes in rows.

    Args:
        user: what needs it, for the error message.
        count: the number of axes.
        columns: the largest number of axes in a row.
        cell: width and height of an axes in inches.
        margin: width and height to add.

    Returns:
        The figure and its `count` axes; what is left of the last row stays empty.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = new_figure(user, (cell[0] * columns + margin[0], cell[1] * rows + margin[1]))
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in grid[count:]:
        axes.axis("off")
    return figure, grid[:count]


def shown(figure: Any, path: Any) -> Any:
    """Write a figure to `path`, if that is not None, and return what displays it."""
    if path is not None:
        figure.savefig(path, dpi=150)
    return picture(figure) if in_notebook() else figure
