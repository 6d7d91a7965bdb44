"""Figures that are shown once: in a notebook by the value of a cell, elsewhere by the caller."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jaxkeras.display.html import figure_png
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
        axes.remove()
    return figure, grid[:count]


def write(figure: Any, to_file: str | os.PathLike[str]) -> None:
    """Write a figure to a file of the format that its ending names, or else a PNG file."""
    figure.savefig(to_file, format=Path(to_file).suffix[1:].lower() or "png", dpi=150)


def shown(figure: Any, to_file: str | os.PathLike[str] | None = None) -> Any:
    """What a function that plots returns: in a notebook an object that displays the figure, elsewhere the figure.

    Args:
        figure: the figure.
        to_file: path of a `.png`, `.svg` or `.pdf` file to write first, or None.
    """
    if to_file is not None:
        write(figure, to_file)
    return picture(figure) if in_notebook() else figure


def picture(figure: Any) -> Any:
    """A figure as an object that a notebook displays, once."""
    from IPython.display import Image

    return Image(data=figure_png(figure))
