"""What flows inside a model: feature maps and attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxkeras.display.figures import new_grid, shown


def plot_feature_maps(model: Any, image: Any, layer: str | None = None, count: int = 16, path: Any = None) -> Any:
    """Plot the channels that a convolutional layer computes for an image.

    Args:
        model: a built model.
        image: one image, of shape `(height, width, channels)` or as the model's input is without the batch.
        layer: name of the layer; by default the first whose output has shape `(1, height, width, channels)`.
        count: the largest number of channels to show.
        path: file to write, or None.

    Returns:
        In a notebook an object that displays the plot, elsewhere the `matplotlib.figure.Figure`.

    Raises:
        ImportError: without matplotlib.
        ValueError: if there is no such layer.

    Example:

    >>> import jaxkeras as jk
    >>> model = jk.Sequential([jk.Input((6, 6, 1)), jk.layers.Conv2D(4, 3, name="edges")])
    >>> figure = plot_feature_maps(model, np.ones((6, 6, 1)), layer="edges")
    """
    from jaxkeras.core.functional import intercept_calls

    outputs: dict[str, np.ndarray] = {}

    def record(next_call: Any, called: Any, args: tuple, kwargs: dict) -> Any:
        y = next_call(*args, **kwargs)
        if getattr(y, "ndim", 0) == 4:
            outputs.setdefault(called.name, y)
        return y

    with intercept_calls(record):
        model(np.asarray(image, "float32")[None])
    has_weights = {part.name for part in model.layers if part.weights}
    name = layer or next((n for n in outputs if n in has_weights), next(iter(outputs), None))
    if name not in outputs:
        raise ValueError(
            f"No layer {name!r} has outputs of shape (batch, height, width, channels); these have: {list(outputs)}."
        )
    maps = np.asarray(outputs[name])[0]
    number = min(count, maps.shape[-1])
    figure, grid = new_grid("plot_feature_maps", number, 8, (1.1, 1.1), (0, 0.4))
    for channel, axes in enumerate(grid):
        axes.axis("off")
        axes.imshow(maps[..., channel], cmap="viridis")
    figure.suptitle(f"{name}: {number} of {maps.shape[-1]} channels, {maps.shape[0]} x {maps.shape[1]}", fontsize=10)
    return shown(figure, path)


def plot_attention(scores: Any, tokens: Sequence[str] | None = None, path: Any = None) -> Any:
    """Plot attention scores, one panel for each head.

    Args:
        scores: shape `(heads, targets, sources)` or `(targets, sources)`: what `MultiHeadAttention` returns with
            `return_attention_scores=True`, for one row of the batch.
        tokens: a text for each position.
        path: file to write, or None.

    Returns:
        In a notebook an object that displays the plot, elsewhere the `matplotlib.figure.Figure`.

    Raises:
        ImportError: without matplotlib.
        ValueError: for scores of another rank.

    Example:

    >>> figure = plot_attention(np.eye(3), tokens=["the", "good", "film"])
    """
    scores = np.asarray(scores, "float32")
    if scores.ndim not in (2, 3):
        raise ValueError(f"`scores` must have shape (heads, targets, sources); got {scores.shape}. Choose one row.")
    heads = scores[None] if scores.ndim == 2 else scores
    figure, grid = new_grid("plot_attention", len(heads), 4, (2.4, 2.4), (0.6, 0.4))
    for i, (axes, head) in enumerate(zip(grid, heads)):
        axes.imshow(head, cmap="Blues", vmin=0, vmax=max(1e-6, float(head.max())))
        axes.set_title(f"head {i}" if len(heads) > 1 else "attention", fontsize=9)
        if tokens is not None:
            axes.set_xticks(range(head.shape[1]), tokens[: head.shape[1]], rotation=90, fontsize=6)
            axes.set_yticks(range(head.shape[0]), tokens[: head.shape[0]], fontsize=6)
        else:
            axes.set(xticks=[], yticks=[])
    return shown(figure, path)
