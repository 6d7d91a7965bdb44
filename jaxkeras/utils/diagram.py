"""The content of a model plot: boxes, arrows, and frames around nested models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jaxkeras.layers.core.input import InputLayer
from jaxkeras.models.model import Model
from jaxkeras.models.sequential import Sequential
from jaxkeras.models.summary import operations_of, type_name


class Show(NamedTuple):
    """What to show for each layer."""

    shapes: bool = False
    dtype: bool = False
    names: bool = True
    activations: bool = False
    trainable: bool = False


class Cell(NamedTuple):
    label: str
    value: str
    style: str = ""  # "yes" and "no" have their own colors


@dataclass
class Box:
    """One layer.

    Attributes:
        key: unique key of the layer.
        kind: `"input"`, `"layer"` or `"model"`.
        title: bold text of the head.
        subtitle: regular text after the title; may be empty.
        rows: rows of cells below the head.
    """

    key: int
    kind: str
    title: str
    subtitle: str
    rows: list[list[Cell]]


@dataclass
class Frame:
    """A model with its layers."""

    name: str
    items: list[Box | Frame] = field(default_factory=list)

    def boxes(self) -> Iterator[Box]:
        for item in self.items:
            yield from item.boxes() if isinstance(item, Frame) else [item]


@dataclass
class Diagram:
    """All boxes, and the edges between them as pairs of keys."""

    frame: Frame
    edges: list[tuple[int, int]]


def diagram(model: Any, show: Show, expand_nested: bool = False) -> Diagram:
    """The diagram of a built model.

    Args:
        model: a model; a subclassed one is a single box.
        show: what to show for each layer.
        expand_nested: whether to show the layers of nested models.
    """
    if not _has_graph(model):
        return Diagram(Frame(model.name, [make_box(model, show)]), [])
    keys: set[int] = set()
    frame = _frame(model, show, expand_nested, keys)
    edges = dict.fromkeys(_edges(model, expand_nested))
    return Diagram(frame, [(a, b) for a, b in edges if a in keys and b in keys])


def _has_graph(operation: Any) -> bool:
    return isinstance(operation, Model) and operation._graph is not None


def _frame(model: Any, show: Show, expand: bool, keys: set[int]) -> Frame:
    frame = Frame(model.name)
    for operation in operations_of(model):
        if id(operation) in keys:  # a layer shared by two models is drawn in the first
            continue
        keys.add(id(operation))
        inner = expand and _has_graph(operation)
        frame.items.append(_frame(operation, show, expand, keys) if inner else make_box(operation, show))
    return frame


def _edges(model: Any, expand: bool) -> Iterator[tuple[int, int]]:
    for node in model._graph.nodes:
        for position, tensor in enumerate(node.inputs):
            source: Any = tensor._keras_history.operation
            target: Any = node.operation
            index = tensor._keras_history.tensor_index
            while expand and _has_graph(source):  # the layer that computes the output
                history = source.outputs[index]._keras_history
                source, index = history.operation, history.tensor_index
            while expand and _has_graph(target):  # the layer that gets the input
                if isinstance(target, Sequential):
                    target = target.layers[0]
                else:
                    target = target.inputs[position]._keras_history.operation
            yield id(source), id(target)
    if expand:
        for operation in operations_of(model):
            if _has_graph(operation):
                yield from _edges(operation, expand)


# -- content of a box -------------------------------------------------------------------------------------------------
def make_box(operation: Any, show: Show) -> Box:
    """The box of one layer."""
    kind = "input" if isinstance(operation, InputLayer) else "model" if isinstance(operation, Model) else "layer"
    cells = []
    if show.shapes:
        if kind != "input":
            cells.append(Cell("Input shape", _describe(operation, "input", "shape")))
        cells.append(Cell("Output shape", _describe(operation, "output", "shape")))
    if show.dtype:
        cells.append(Cell("Output dtype", _describe(operation, "output", "dtype")))
    if show.trainable and getattr(operation, "weights", None):
        cells.append(Cell("", "Trainable", "yes") if operation.trainable else Cell("", "Non-trainable", "no"))
    rows = [cells] if cells else []
    activation = getattr(operation, "activation", None)
    if show.activations and activation is not None:
        name = getattr(activation, "name", None) or getattr(activation, "__name__", None) or type(activation).__name__
        rows.insert(0, [Cell("Activation", name)])
    name, of_type = operation.name, type_name(operation)
    title, subtitle = (name, f"({of_type})") if show.names else (of_type, "")
    return Box(id(operation), kind, title, subtitle, rows)


def _describe(operation: Any, side: str, what: str) -> str:
    try:
        return _text(getattr(operation, side), what)
    except AttributeError:  # never called on a symbolic tensor
        return "?"


def _text(tensors: Any, what: str) -> str:
    if isinstance(tensors, dict):
        return ", ".join(f"{key}: {_text(value, what)}" for key, value in tensors.items())
    if isinstance(tensors, (list, tuple)):
        texts = [_text(value, what) for value in tensors]
        return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return str(getattr(tensors, what))
