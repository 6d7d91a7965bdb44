"""Plot the graph of a model."""

from __future__ import annotations

import html
import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

from jaxkeras.display.notebook import in_notebook
from jaxkeras.registry import unknown
from jaxkeras.utils.diagram import Box, Diagram, Frame, Show, diagram

_DIRECTIONS = ("TB", "BT", "LR", "RL")
_INSTALL = 'pip install "jaxkeras[plot]"'


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> Any:
    """Convert a model to a Graphviz graph.

    Args:
        model: a built model.
        show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable: what to show for each layer.
        rankdir: direction of the graph: `"TB"` (top to bottom), `"BT"`, `"LR"` (left to right) or `"RL"`.
        expand_nested: whether to show the layers of nested models, in a frame.
        dpi: pixels per inch.
        subgraph: whether to return a `pydot.Cluster`, to be added to another graph.
        splines: style of the edges: `"ortho"`, `"curved"`, `"polyline"`, `"spline"` or `"line"`.
        **kwargs: refused, with the closest names of arguments.

    Returns:
        A `pydot.Dot`, or a `pydot.Cluster`.

    Raises:
        ImportError: without pydot.
        ValueError: for a model that is not built.

    Example:

    >>> model = jk.Sequential([jk.Input((4,)), jk.layers.Dense(2)])
    >>> dot = model_to_dot(model, show_shapes=True)  # doctest: +SKIP
    """
    _check(model, rankdir, kwargs)
    try:
        import pydot  # pyright: ignore[reportMissingImports]  (an extra)
    except ImportError:
        raise ImportError(f"model_to_dot needs pydot: {_INSTALL}. (`plot_model` works without it.)") from None
    show = Show(show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable)
    picture = diagram(model, show, expand_nested)
    if subgraph:
        dot = _cluster(pydot, picture.frame)
    else:
        dot = pydot.Dot(rankdir=rankdir, concentrate=True, dpi=dpi, splines=splines)
        dot.set_node_defaults(shape="record")
        _fill(pydot, dot, picture.frame)
    _connect(pydot, dot, picture)
    return dot


def _cluster(pydot: Any, frame: Frame) -> Any:
    cluster = pydot.Cluster(graph_name=frame.name, label=frame.name, labeljust="l", style="dashed")
    _fill(pydot, cluster, frame)
    return cluster


def _fill(pydot: Any, dot: Any, frame: Frame) -> None:
    for item in frame.items:
        if isinstance(item, Frame):
            dot.add_subgraph(_cluster(pydot, item))
        else:
            dot.add_node(pydot.Node(str(item.key), label=_label(item), fontname="Helvetica", border="0", margin="0"))


def _connect(pydot: Any, dot: Any, picture: Diagram) -> None:
    for a, b in picture.edges:
        dot.add_edge(pydot.Edge(str(a), str(b), penwidth="2"))


_BACKGROUND = {"": "white", "yes": "forestgreen", "no": "firebrick"}


def _label(box: Box) -> str:
    """The label of a node, as a table in Graphviz's HTML."""
    columns = max((len(row) for row in box.rows), default=1)
    title = f"<b>{html.escape(box.title)}</b> {html.escape(box.subtitle)}".rstrip()
    rows = [f'<td colspan="{columns}" bgcolor="black"><font point-size="16" color="white">{title}</font></td>']
    for row in box.rows:
        span = columns if len(row) == 1 else 1
        cells = []
        for cell in row:
            ink = "white" if cell.style else "black"
            text = f"{cell.label}: " if cell.label else ""
            text += f"<b>{html.escape(cell.value)}</b>"
            cells.append(
                f'<td colspan="{span}" bgcolor="{_BACKGROUND[cell.style]}">'
                f'<font point-size="14" color="{ink}">{text}</font></td>'
            )
        rows.append("".join(cells))
    table = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<<table border="0" cellborder="1" bgcolor="black" cellpadding="10">{table}</table>>'


def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> Any:
    """Draw the layers of a model and their connections.

    Graphviz and pydot are used if they are installed; otherwise Matplotlib draws the same diagram.

    Args:
        model: a built model; a subclassed one is a single box.
        to_file: path of the file; its ending determines the format: `.png`, `.svg` or `.pdf`.
        show_shapes: whether to show the shapes of inputs and outputs.
        show_dtype: whether to show the dtype of the output.
        show_layer_names: whether to show the names of layers beside their classes.
        rankdir: direction of the graph: `"TB"` (top to bottom), `"BT"`, `"LR"` (left to right) or `"RL"`.
        expand_nested: whether to draw the layers of nested models, in a frame.
        dpi: pixels per inch.
        show_layer_activations: whether to show the activations of layers.
        show_trainable: whether to show which layers are trainable.
        splines: style of the edges in Graphviz: `"ortho"`, `"curved"`, `"polyline"`, `"spline"` or `"line"`.
        **kwargs: refused, with the closest names of arguments.

    Returns:
        In a notebook an object that displays the picture (not for PDF), elsewhere None.

    Raises:
        ImportError: if neither Graphviz with pydot nor Matplotlib is installed.
        ValueError: for a model that is not built, an unknown argument, or another `rankdir`.

    Example:

    >>> import jaxkeras as jk
    >>> model = jk.Sequential([jk.Input((4,)), jk.layers.Dense(2)])
    >>> jk.utils.plot_model(model, "model.svg", show_shapes=True)  # doctest: +SKIP
    """
    _check(model, rankdir, kwargs)
    path = Path(to_file)
    extension = path.suffix[1:].lower() or "png"
    show = Show(show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable)
    if importlib.util.find_spec("pydot") and shutil.which("dot"):
        dot = model_to_dot(
            model, *show[:3], rankdir, expand_nested, dpi, show_layer_activations=show_layer_activations,
            show_trainable=show_trainable, splines=splines,
        )  # fmt: skip
        dot.write(str(path), format=extension)
    else:
        from jaxkeras.utils.draw import draw

        try:
            draw(diagram(model, show, expand_nested), path, extension, rankdir, dpi)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "matplotlib":
                raise
            raise ImportError(f"plot_model needs matplotlib (or Graphviz and pydot): {_INSTALL}") from None
    return _shown(path, extension)


def _check(model: Any, rankdir: str, kwargs: dict[str, Any]) -> None:
    if kwargs:
        raise unknown("argument of plot_model", next(iter(kwargs)), plot_model.__annotations__)
    if rankdir not in _DIRECTIONS:
        raise ValueError(f"`rankdir` must be one of {', '.join(map(repr, _DIRECTIONS))}; got {rankdir!r}.")
    if not model.built:
        raise ValueError(
            f"Model '{model.name}' is not built yet, so its layers are unknown. Call it on a batch of data, or call "
            "`model.build(input_shape)`, first."
        )


def _shown(path: Path, extension: str) -> Any:
    if extension == "pdf" or not in_notebook():
        return None
    from IPython.display import SVG, Image

    return SVG(filename=str(path)) if extension == "svg" else Image(filename=str(path))
