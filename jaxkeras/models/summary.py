"""The table that `model.summary()` prints."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from jaxkeras.core.logging import is_interactive_logging_enabled, logger
from jaxkeras.core.symbolic import OpNode
from jaxkeras.display.text import format_bytes
from jaxkeras.models.functional import serialize_operation
from jaxkeras.models.graph import Graph

if TYPE_CHECKING:
    from rich.text import Text

# Colors of a 256-color terminal.
_NUMBER, _UNKNOWN, _TYPE = "color(34)", "color(45)", "color(33)"
_YES, _NO = "bold color(34)", "bold color(9)"

_PLAIN = (("Layer (type)", "left"), ("Output Shape", "left"), ("Param #", "right"))
_CONNECTED = ("Connected to", "left")
_TRAINABLE = ("Trainable", "center")


# -- contents of the table -------------------------------------------------------------------------------------------
def type_name(operation: Any) -> str:
    """The class name of a layer, or of an op in camel case, such as `Add`."""
    return serialize_operation(operation)["class_name"] if isinstance(operation, OpNode) else type(operation).__name__


def operations_of(model: Any) -> list[Any]:
    """The layers of a model; for a functional model, its layers and ops."""
    graph = branching_graph(model)
    return model.layers if graph is None else graph.operations


def branching_graph(model: Any) -> Graph | None:
    """The graph of a functional model; None for a subclassed model and for a `Sequential`."""
    return None if model._is_stack else model._graph


def is_chain(graph: Graph) -> bool:
    """Whether every node of a graph has one input, from the previous node, and no layer is used twice."""
    consumed: set[int] = set()
    operations: set[int] = set()
    starts = 0
    for node in graph.nodes:
        if len(node.inputs) > 1 or id(node.operation) in operations:
            return False
        operations.add(id(node.operation))
        starts += node.is_input
        for parent in node.parents:
            if id(parent) in consumed:
                return False
            consumed.add(id(parent))
    return starts == 1


def output_shapes(operation: Any) -> Any:
    """The output shape of a layer: a list for several tensors, None if unknown."""
    if operation._inbound_nodes:
        shapes = [x.shape for x in operation._inbound_nodes[-1].outputs]
        return shapes[0] if len(shapes) == 1 else shapes
    build_shapes = getattr(operation, "_build_shapes", None)
    if not getattr(operation, "built", False) or not build_shapes:
        return None
    try:
        if len(build_shapes) == 1:  # by position: `call` may give the argument any name
            return operation.compute_output_shape(*build_shapes.values())
        return operation.compute_output_shape(**build_shapes)
    except Exception:  # a custom `call` may need more than the shapes
        return None


def count(variables: Iterable[Any]) -> int:
    """The total number of elements of variables."""
    return sum(math.prod(v.shape) for v in variables)


def memory(variables: Iterable[Any]) -> float:
    """The size of variables in bytes; a variable that occurs twice counts once."""
    distinct = {id(v): v for v in variables}.values()
    return sum(math.prod(v.shape) * jnp.dtype(v.dtype).itemsize for v in distinct)


def select(layers: list[Any], layer_range: Sequence[str] | None) -> list[Any]:
    """The layers from the first match of one regular expression to the last match of another.

    Args:
        layers: layers with names.
        layer_range: the two expressions; None selects all layers.

    Raises:
        ValueError: if `layer_range` is not a pair of strings, or if one of them matches no layer.
    """
    if layer_range is None:
        return layers
    if len(layer_range) != 2 or not all(isinstance(name, str) for name in layer_range):
        raise ValueError(
            "`layer_range` must be two names (or regular expressions), of the first and the last layer to show; "
            f"got {layer_range!r}."
        )
    found = [[i for i, layer in enumerate(layers) if re.match(pattern, layer.name)] for pattern in layer_range]
    for pattern, positions in zip(layer_range, found):
        if not positions:
            raise ValueError(
                f"No layer matches {pattern!r} of layer_range={list(layer_range)!r}; the layers are "
                f"{', '.join(layer.name for layer in layers)}."
            )
    first, last = found
    if min(first) > max(last):
        first, last = last, first
    return layers[min(first) : max(last) + 1]


# -- text of the cells ------------------------------------------------------------------------------------------------
def _shape_text(shape: Any) -> Text:
    from rich.text import Text

    if shape is None:
        return Text("?")
    if isinstance(shape, tuple) and all(size is None or isinstance(size, int) for size in shape):
        sizes = [Text(str(size), _UNKNOWN if size is None else _NUMBER) for size in shape]
        return Text.assemble("(", Text(", ").join(sizes), ")")
    if isinstance(shape, dict):
        parts = [Text.assemble(f"{key}: ", _shape_text(value)) for key, value in shape.items()]
        return Text.assemble("{", Text(", ").join(parts), "}")
    if len(shape) == 1:
        return _shape_text(shape[0])
    brackets = "()" if isinstance(shape, tuple) else "[]"
    return Text.assemble(brackets[0], Text(", ").join([_shape_text(s) for s in shape]), brackets[1])


def _params_text(layer: Any) -> Text:
    from rich.text import Text

    if not hasattr(layer, "built"):
        return Text("0", _NUMBER)
    if not layer.built:
        return Text.assemble(("0", _NUMBER), " (unbuilt)")
    return Text(f"{layer.count_params():,}", _NUMBER)


def _connections_text(layer: Any, graph: Graph) -> Text:
    from rich.text import Text

    histories = [x._keras_history for node in layer._inbound_nodes if node in graph for x in node.inputs]
    sources = [
        Text.assemble(operation.name, "[", (f"{call}", _NUMBER), "][", (f"{index}", _NUMBER), "]")
        for operation, call, index in histories
    ]
    return Text(", ").join(sources) if sources else Text("-")


def _trainable_text(layer: Any) -> Text:
    from rich.text import Text

    if not getattr(layer, "weights", None):
        return Text("-", "bold")
    return Text("Y", _YES) if layer.trainable else Text("N", _NO)


def _rows(layer: Any, graph: Graph | None, expand: bool, trainable: bool, level: int = 0) -> Iterable[list[Text]]:
    from rich.text import Text

    prefix = "   " * level + "└ " if level else ""
    row = [
        Text.assemble(f"{prefix}{layer.name} (", (type_name(layer), _TYPE), ")"),
        _shape_text(output_shapes(layer)),
        _params_text(layer),
    ]
    if graph is not None:
        row.append(_connections_text(layer, graph))
    if trainable:
        row.append(_trainable_text(layer))
    yield row
    if expand:
        for inner in getattr(layer, "layers", ()):
            yield from _rows(inner, graph, expand, trainable, level + 1)


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> None:
    """Print the table of a model, built or not; see `Model.summary` for the arguments.

    Raises:
        ValueError: if a column would be too narrow, or if `layer_range` matches no layer.
    """
    from rich.console import Console, Group
    from rich.table import Column, Table
    from rich.text import Text

    graph = branching_graph(model)
    if graph is not None and is_chain(graph):
        graph = None
    columns = list(_PLAIN)
    width = 88
    ends = positions or (0.45, 0.80, 1.0)
    if graph is not None:
        columns.append(_CONNECTED)
        width = 108
        ends = positions or (0.3, 0.56, 0.74, 1.0)
    if show_trainable:
        columns.append(_TRAINABLE)
        width += 12
        ends = [*(0.9 * end for end in ends), 1.0]
    width = line_length or min(width, shutil.get_terminal_size().columns - 4)

    table = Table(width=width, show_lines=True)
    used = 0
    for (title, side), end in zip(columns, ends):
        column_width = int(end * width) - used
        if column_width < 4:
            raise ValueError(
                f"A column of {column_width} characters is too narrow for a summary. Make the terminal wider, or pass "
                f"a larger `line_length` than {width}."
            )
        used += column_width
        table.columns.append(Column(title, justify=side, width=column_width))  # type: ignore[arg-type]
    for layer in select(operations_of(model), layer_range):
        for row in _rows(layer, graph, expand_nested, show_trainable):
            table.add_row(*row)

    groups = {"Trainable": model.trainable_weights, "Non-trainable": model.non_trainable_weights}
    if getattr(model, "optimizer", None) is not None and getattr(model.optimizer, "built", False):
        groups["Optimizer"] = model.optimizer.variables
    totals = {"Total": (sum(map(count, groups.values())), sum(map(memory, groups.values())))}
    totals.update({name: (count(variables), memory(variables)) for name, variables in groups.items()})
    lines = [
        Text.assemble((f" {name} params: ", "bold"), (f"{number:,}", _NUMBER), f" ({format_bytes(size)})")
        for name, (number, size) in totals.items()
    ]
    summary = Group(Text(f'Model: "{model.name}"', "bold"), table, *lines)
    if print_fn is None and not is_interactive_logging_enabled():
        print_fn = logger.info
    if print_fn is None:
        Console(highlight=False).print(summary)
        return
    console = Console(highlight=False, force_terminal=False, force_jupyter=False, color_system=None)
    with console.capture() as captured:
        console.print(summary)
    print_fn(captured.get())
