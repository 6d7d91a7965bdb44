"""Plot images in a grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxkeras.visualization.pixels import batch, channels_last, to_bytes

_TITLE, _LEGEND = 0.2, 0.45  # inches


def matplotlib_patches(user: str) -> Any:
    """Import `matplotlib.patches`.

    Args:
        user: what needs it, for the error message.

    Raises:
        ImportError: if it is not installed; the message says how to install it.
    """
    try:
        from matplotlib import patches
    except ModuleNotFoundError:
        raise ImportError(f'{user} needs matplotlib: pip install "jaxkeras[plot]"') from None
    return patches


def plot_image_gallery(
    images: Any,
    y_true: Any = None,
    y_pred: Any = None,
    label_map: Mapping[int, str] | None = None,
    rows: int | None = None,
    cols: int | None = None,
    value_range: Sequence[float] = (0, 255),
    scale: float = 2,
    path: Any = None,
    show: bool | None = None,
    transparent: bool = True,
    dpi: float = 60,
    legend_handles: Any = None,
    data_format: str | None = None,
) -> Any:
    """Plot a batch of images in a grid, each with its class above it.

    Args:
        images: shape `(batch, height, width, channels)` or channels first, with 1, 3 or 4 channels.
        y_true: true class of each image.
        y_pred: predicted class of each image.
        label_map: `{class: name}`.
        rows: number of rows; by default about as many as columns.
        cols: number of columns; by default as many as needed.
        value_range: smallest and largest possible value of the images.
        scale: length of the longer side of an image, in inches.
        path: file to save the plot to, instead of showing it.
        show: whether to show the plot; by default, if there is no `path`.
        transparent: whether the background of the saved plot is transparent.
        dpi: resolution of the saved plot.
        legend_handles: Matplotlib patches for a legend below the images.
        data_format: `"channels_last"` or `"channels_first"`; defaults to `image_data_format()`.

    Returns:
        None if the plot was shown or saved, else (`show=False`) the `matplotlib.figure.Figure`.

    Raises:
        ValueError: for images of the wrong shape, classes without `label_map`, or `path` together with `show=True`.
        ImportError: without matplotlib.

    Example:

    >>> figure = plot_image_gallery(np.zeros((6, 8, 8, 3)), show=False)
    """
    matplotlib_patches("plot_image_gallery")
    from matplotlib.figure import Figure

    if path is not None and show:
        raise ValueError("Give either `path` to save the gallery or `show=True` to show it, not both.")
    if (y_true is not None or y_pred is not None) and label_map is None:
        raise ValueError("`y_true` and `y_pred` need `label_map`, a dict of class names.")
    show = path is None if show is None else show
    pixels = to_bytes(channels_last(batch(images), data_format), value_range)
    if rows is None:
        rows = math.ceil(math.sqrt(len(pixels))) if cols is None else math.ceil(len(pixels) / cols)
    cols = math.ceil(len(pixels) / rows) if cols is None else cols
    height, width = pixels.shape[1:3]
    longer = max(height, width)
    above = 0.0 if y_true is None and y_pred is None else _TITLE
    size = cols * scale * width / longer, rows * (scale * height / longer + above) + (_LEGEND if legend_handles else 0)
    if show:
        from matplotlib import pyplot

        figure: Any = pyplot.figure(figsize=size)
    else:
        figure = Figure(figsize=size)
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)
    names = {"Label": y_true, "Pred": y_pred}
    for i, axes in enumerate(figure.subplots(rows, cols, squeeze=False).flat):
        axes.axis("off")
        if i >= len(pixels):
            continue
        image = pixels[i, :, :, 0] if pixels.shape[3] == 1 else pixels[i]
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        parts = [
            f"{what}: {(label_map or {}).get(int(np.asarray(classes)[i]), 'Unknown')}"
            for what, classes in names.items() if classes is not None and i < len(classes)
        ]  # fmt: skip
        if parts:
            axes.set_title("  ".join(parts), fontsize=8)
    if legend_handles:
        figure.legend(handles=legend_handles, loc="outside lower center", ncols=len(legend_handles))
    if path is not None:
        figure.savefig(path, pad_inches=0.02, bbox_inches="tight", transparent=transparent, dpi=dpi)
        return None
    if show:
        pyplot.show()
        pyplot.close(figure)
        return None
    return figure
