"""What a classifier gets right and wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxkeras.display.figures import new_figure, new_grid, shown


def _classes(y_pred: Any) -> np.ndarray:
    """Class numbers, from numbers, probabilities or logits of shape `(rows, classes)`, or one probability per row."""
    y_pred = np.asarray(y_pred)
    if y_pred.ndim == 2 and y_pred.shape[1] > 1:
        return y_pred.argmax(axis=1)
    y_pred = y_pred.reshape(-1)
    return y_pred if y_pred.dtype.kind in "biu" else (y_pred > 0.5).astype(int)


def confusion_matrix(y_true: Any, y_pred: Any, classes: int | None = None) -> np.ndarray:
    """Count predictions by true class.

    Args:
        y_true: integer classes of shape `(rows,)`, or one-hot vectors.
        y_pred: integer classes, or probabilities or logits of shape `(rows, classes)`.
        classes: the number of classes; by default the largest class that occurs, plus one.

    Returns:
        An int64 array of shape `(classes, classes)`: rows are true classes, columns predicted ones.

    Raises:
        ValueError: for different numbers of rows.

    Example:

    >>> confusion_matrix([0, 1, 1], [0, 1, 0]).tolist()
    [[1, 0], [1, 1]]
    """
    true, predicted = _classes(y_true), _classes(y_pred)
    if len(true) != len(predicted):
        raise ValueError(f"`y_true` has {len(true)} rows, `y_pred` {len(predicted)}.")
    size = classes or int(max(true.max(initial=0), predicted.max(initial=0))) + 1
    counts = np.zeros((size, size), np.int64)
    np.add.at(counts, (true.astype(int), predicted.astype(int)), 1)
    return counts


def plot_confusion_matrix(
    y_true: Any, y_pred: Any, class_names: Sequence[str] | None = None, normalize: bool = False, path: Any = None
) -> Any:
    """Plot which classes are taken for which.

    Args:
        y_true, y_pred: as in `confusion_matrix`.
        class_names: names of the classes; their numbers by default.
        normalize: whether to color by the fraction of each true class instead of the number of rows.
        path: file to write, or None.

    Returns:
        In a notebook an object that displays the plot, elsewhere the `matplotlib.figure.Figure`.

    Raises:
        ImportError: without matplotlib.

    Example:

    >>> figure = plot_confusion_matrix([0, 1, 1], [0, 1, 0], class_names=["cat", "dog"])
    """
    counts = confusion_matrix(y_true, y_pred, None if class_names is None else len(class_names))
    names = list(map(str, class_names if class_names is not None else range(len(counts))))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 1.6 + 0.42 * len(names)
    figure = new_figure("plot_confusion_matrix", (side + 0.6, side))
    axes = figure.subplots()
    axes.imshow(shares if normalize else counts, cmap="Blues", vmin=0, vmax=1 if normalize else None)
    dark = (shares if normalize else counts / max(1, counts.max())) > 0.5
    for i, j in np.ndindex(*counts.shape):
        text = f"{shares[i, j]:.2f}" if normalize else str(counts[i, j])
        if counts[i, j]:
            axes.text(j, i, text, ha="center", va="center", fontsize=8, color="white" if dark[i, j] else "black")
    axes.set_xticks(range(len(names)), names, rotation=45 if max(map(len, names)) > 3 else 0, fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_title(f"{np.trace(counts) / max(1, counts.sum()):.1%} of {counts.sum():,} rows are right", fontsize=10)
    return shown(figure, path)


def plot_predictions(
    images: Any,
    y_true: Any,
    y_pred: Any,
    class_names: Sequence[str] | None = None,
    worst_first: bool = False,
    count: int = 20,
    columns: int = 10,
    path: Any = None,
) -> Any:
    """Plot images with what a classifier makes of them; wrong predictions are red.

    Args:
        images: shape `(rows, height, width)` or `(rows, height, width, channels)`.
        y_true: integer classes of shape `(rows,)`.
        y_pred: probabilities of shape `(rows, classes)`; logits are turned into probabilities.
        class_names: names of the classes; their numbers by default.
        worst_first: whether to show the images whose true class got the least probability, rather than the first ones.
        count: the number of images.
        columns: images in a row.
        path: file to write, or None.

    Returns:
        In a notebook an object that displays the plot, elsewhere the `matplotlib.figure.Figure`.

    Raises:
        ImportError: without matplotlib.
        ValueError: if `y_pred` is not of shape `(rows, classes)`.

    Example:

    >>> figure = plot_predictions(np.zeros((2, 4, 4)), [0, 1], np.array([[0.9, 0.1], [0.8, 0.2]]), worst_first=True)
    """
    images, y_true, y_pred = np.asarray(images), _classes(y_true), np.asarray(y_pred, "float64")
    if y_pred.ndim != 2 or len(y_pred) != len(images):
        raise ValueError(f"`y_pred` must have shape ({len(images)}, classes); got {y_pred.shape}.")
    if y_pred.min() < 0 or not np.allclose(y_pred.sum(axis=1), 1, atol=1e-3):
        exponentials = np.exp(y_pred - y_pred.max(axis=1, keepdims=True))
        y_pred = exponentials / exponentials.sum(axis=1, keepdims=True)
    given = y_pred[np.arange(len(y_true)), y_true]
    order = np.argsort(given, kind="stable") if worst_first else np.arange(len(images))
    chosen = order[:count]
    figure, grid = new_grid("plot_predictions", len(chosen), columns, (1.05, 1.45))
    names = class_names if class_names is not None else list(map(str, range(y_pred.shape[1])))
    for axes, i in zip(grid, chosen):
        axes.axis("off")
        image = images[i, ..., 0] if images.ndim == 4 and images.shape[-1] == 1 else images[i]
        axes.imshow(image, cmap="gray_r" if image.ndim == 2 else None)
        guess = int(y_pred[i].argmax())
        right = guess == y_true[i]
        text = f"{names[guess]} {y_pred[i, guess]:.0%}" if right else f"{names[guess]}, not {names[y_true[i]]}"
        axes.set_title(text, fontsize=7, color="black" if right else "#c53030")
    return shown(figure, path)


def plot_embedding(
    vectors: Any, labels: Any = None, class_names: Sequence[str] | None = None, texts: Any = None, path: Any = None
) -> Any:
    """Plot vectors in the plane of their two main directions (principal component analysis).

    Args:
        vectors: shape `(rows, features)`, such as the outputs of a layer or the weights of an `Embedding`.
        labels: integer classes of shape `(rows,)`, for colors; None for one color.
        class_names: names of the classes, for the legend.
        texts: a text for each row, written at its point; None for points only.
        path: file to write, or None.

    Returns:
        In a notebook an object that displays the plot, elsewhere the `matplotlib.figure.Figure`.

    Raises:
        ImportError: without matplotlib.
        ValueError: for vectors of another rank.

    Reference:
        Pearson, 1901, On lines and planes of closest fit to systems of points in space.

    Example:

    >>> figure = plot_embedding(np.eye(3), labels=[0, 1, 1])
    """
    vectors = np.asarray(vectors, "float64")
    if vectors.ndim != 2:
        raise ValueError(f"`vectors` must have shape (rows, features); got {vectors.shape}.")
    centered = vectors - vectors.mean(axis=0)
    _, scales, directions = np.linalg.svd(centered, full_matrices=False)
    plane = centered @ directions[:2].T
    share = (scales[:2] ** 2).sum() / max((scales**2).sum(), 1e-30)
    figure = new_figure("plot_embedding", (5, 4.4))
    axes = figure.subplots()
    if texts is not None:
        for (x, y), text in zip(plane, texts):
            axes.annotate(str(text), (x, y), fontsize=7, ha="center", va="center")
        axes.scatter(plane[:, 0], plane[:, 1], s=0)
    elif labels is None:
        axes.scatter(plane[:, 0], plane[:, 1], s=8)
    else:
        labels = np.asarray(labels)
        for i, label in enumerate(np.unique(labels)):
            points = plane[labels == label]
            name = str(label) if class_names is None else class_names[int(label)]
            axes.scatter(points[:, 0], points[:, 1], s=8, color=f"C{i % 10}", label=name)
        axes.legend(fontsize=7, markerscale=2, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.set_title(f"two main directions, {share:.0%} of the variance", fontsize=10)
    axes.set(xticks=[], yticks=[])
    return shown(figure, path)
