"""Plot the learning curves of a training run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxkeras.display.figures import new_grid, shown
from jaxkeras.display.text import format_value, text_width

_TRAINING, _VALIDATION, _INK, _GRID = "#2b6cb0", "#dd6b20", "#1a202c", "#e5e9f0"
_PANEL = (4.4, 3.1)  # inches
_COLUMNS = 3
_FEW = 30  # up to this number, each epoch is marked


def plot_history(history: Any, to_file: str | os.PathLike[str] | None = None) -> Any:
    """Plot learning curves, with training and validation of the loss and of each metric in one panel.

    Args:
        history: what `fit` returned, or its dict `{name: values by epoch}`.
        to_file: path of a `.png`, `.svg` or `.pdf` file to write, or None.

    Returns:
        In a notebook an object that displays the plot, elsewhere the `matplotlib.figure.Figure`.

    Raises:
        ImportError: without matplotlib.
        ValueError: if no epoch was recorded.

    Example:

    >>> import jaxkeras as jk
    >>> figure = jk.utils.plot_history({"loss": [0.9, 0.5], "val_loss": [0.8, 0.6]})
    """
    return shown(history_figure(history), to_file)


def history_figure(history: Any) -> Any:
    """The figure that `plot_history` shows, as a `matplotlib.figure.Figure`."""
    logs: Mapping[str, Sequence[float]] = getattr(history, "history", history)
    names = [name for name in logs if not (name.startswith("val_") and name.removeprefix("val_") in logs)]
    if not any(len(logs[name]) for name in names):
        raise ValueError("The history is empty: no epoch has ended yet, so there is nothing to plot.")
    names.sort(key=lambda name: (name != "loss", name.endswith("learning_rate")))
    epochs = max(len(values) for values in logs.values())
    first = min(getattr(history, "epoch", None) or [0]) + 1

    figure, panels = panel_grid(len(names))
    for axes, name in zip(panels, names):
        curves = [("train" if f"val_{name}" in logs else "last", logs[name], _TRAINING)]
        if f"val_{name}" in logs:
            curves.append(("val", logs[f"val_{name}"], _VALIDATION))
        _draw_panel(axes, name, curves, first, epochs)

    return figure


def panel_grid(count: int) -> tuple[Any, list[Any]]:
    """A figure with a grid of panels, and these.

    Raises:
        ImportError: without matplotlib.
    """
    figure, panels = new_grid("plot_history", count, _COLUMNS, _PANEL)
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
    return figure, panels


def _draw_panel(
    axes: Any, name: str, curves: list[tuple[str, Sequence[float], str]], first: int, epochs: int
) -> None:
    values = np.array([])
    for label, curve, color in curves:
        y = np.asarray(curve, float)
        every = max(1, epochs // max(1, len(y)))  # validation may run at every n-th epoch only
        x = first - 1 + every * np.arange(1, len(y) + 1)
        marker = "o" if epochs <= _FEW else None
        axes.plot(x, y, color=color, lw=1.8, marker=marker, ms=3.5, label=label, clip_on=False, zorder=3)
        values = np.concatenate([values, y[np.isfinite(y)]])
    # The last values, above the panel in the colors of the curves, are the legend.
    left = 0.0
    for label, curve, color in curves:
        text = f"{label} {format_value(float(curve[-1]))}"
        axes.annotate(
            text, (0, 1), (left, 7), xycoords="axes fraction", textcoords="offset points", fontsize=9, color=color
        )
        left += text_width(text, 9, False) + 10
    finish_panel(axes, name, values, first, epochs, pad=20)


def finish_panel(axes: Any, name: str, values: np.ndarray, first: int, epochs: int, pad: float) -> None:
    """Title, scales and grid of a panel of curves over epochs.

    Args:
        axes: the panel.
        name: name of the metric.
        values: all values in the panel that are finite.
        first: the number of the first epoch.
        epochs: how many there are.
        pad: space below the title, in points.
    """
    from matplotlib.ticker import MaxNLocator

    title = name.replace("_", " ")
    size = min(11.0, 11 * 0.8 * 72 * _PANEL[0] / text_width(title, 11, True))
    axes.set_title(
        title, loc="left", fontsize=size, fontweight="bold", color=_INK, parse_math=False, pad=pad, y=1.0
    )
    if values.size and values.min() > 0 and values.max() > 100 * values.min():
        axes.set_yscale("log")
    axes.set_xlabel("epoch", fontsize=9, color=_INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(first - 0.5 if epochs == 1 else first, first + epochs - (0.5 if epochs == 1 else 1))
    axes.grid(True, color=_GRID, lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", labelsize=8.5, colors=_INK, length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color("#a0aab8")
