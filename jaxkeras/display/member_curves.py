"""Plot the learning curves of the members of a population."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxkeras.display.curves import finish_panel, panel_grid
from jaxkeras.display.figures import shown


def plot_members(
    logs: Mapping[str, np.ndarray],
    colored_by: tuple[str, np.ndarray] | None,
    to_file: str | os.PathLike[str] | None = None,
) -> Any:
    """Plot a panel for each metric, with a curve for each member: validation where there is one, else training.

    Args:
        logs: `{name: array of shape (epochs, members)}`.
        colored_by: name and values of a hyperparameter that colors the curves, or None.
        to_file: path of a `.png`, `.svg` or `.pdf` file to write, or None.

    Returns:
        In a notebook an object that displays the plot, elsewhere the `matplotlib.figure.Figure`.
    """
    return shown(members_figure(logs, colored_by), to_file)


def members_figure(logs: Mapping[str, np.ndarray], colored_by: tuple[str, np.ndarray] | None) -> Any:
    """The figure that `plot_members` shows."""
    names = [
        name for name, values in logs.items()
        if values.ndim == 2 and f"val_{name}" not in logs and not name.endswith("learning_rate")
    ]  # fmt: skip
    figure, panels = panel_grid(len(names))
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, Normalize

    label, by = colored_by if colored_by is not None else ("member", np.arange(logs[names[0]].shape[1]))
    norm = (LogNorm if by.min() > 0 and by.max() > 30 * by.min() else Normalize)(by.min(), by.max())
    colors = matplotlib.colormaps["viridis"](norm(by))
    for axes, name in zip(panels, names):
        values = np.asarray(logs[name], float)
        epochs = 1 + np.arange(len(values))
        for curve, color in zip(values.T, colors):
            axes.plot(epochs, curve, color=color, lw=1.2, alpha=0.8, marker="o" if len(values) == 1 else None)
        finish_panel(axes, name, values[np.isfinite(values)], 1, len(values), pad=8)
    figure.colorbar(ScalarMappable(norm, "viridis"), ax=panels, label=label.replace("_", " "), pad=0.01)
    return figure
