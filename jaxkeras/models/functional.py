"""Models as graphs: inputs, configs, and back."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import registry
from jaxkeras.core.context import local
from jaxkeras.core.masks import get_mask, set_mask
from jaxkeras.core.sparse import densify, is_sparse
from jaxkeras.core.symbolic import KerasTensor, Operation, OpNode, known_shape
from jaxkeras.layers._base.input_spec import InputSpec
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.core.input import Input, InputLayer
from jaxkeras.models.graph import Graph, as_lists


def check_tensors(tensors: Any, what: str) -> None:
    """Raise unless every leaf is a KerasTensor."""
    leaves = jax.tree.leaves(tensors)
    for key, x in tensors.items() if what == "inputs" and isinstance(tensors, dict) else ():
        if isinstance(x, KerasTensor) and x.name != key:
            warnings.warn(
                f"The input with key {key!r} is named '{x.name}'. Give both one name: Input(..., name={key!r}).",
                stacklevel=4,
            )
    if not leaves:
        raise ValueError(f"A functional model needs `{what}`: symbolic tensors, from `Input`; got {tensors!r}.")
    for x in leaves:
        if not isinstance(x, KerasTensor):
            registry.refuse_foreign_keras([x])
            raise ValueError(
                f"All `{what}` of a functional model must be symbolic tensors, from `Input` or from calling layers on "
                f"them; got {x!r} of type {type(x).__name__}."
            )
        if x._keras_history is None:
            raise ValueError(
                f"{x!r}, among the `{what}` of a functional model, was not made by `Input` or by calling layers on an "
                "input. Write Input(shape), or Function(inputs, outputs) for a graph without layers."
            )


def graph_of(inputs: Any, outputs: Any) -> Graph:
    """The graph between symbolic tensors.

    Inputs that layers computed are replaced by new ones, so that those layers and their weights are not in the graph.
    """
    graph = Graph(inputs, outputs)
    operations = [x._keras_history.operation for x in graph.inputs if x._keras_history is not None]
    if all(isinstance(operation, InputLayer) for operation in operations):
        return graph
    own = [
        x if isinstance(operation, InputLayer) else Input(batch_shape=x.shape, dtype=x.dtype, sparse=x.sparse)
        for x, operation in zip(graph.inputs, operations)
    ]
    computed = graph.run(own, lambda operation, args, kwargs: operation(*args, **kwargs))
    return Graph(jax.tree.unflatten(jax.tree.structure(inputs), own), computed)


def standardize_inputs(graph: Graph, inputs: Any, name: str, any_sizes: bool = False) -> list[Any]:
    """One array for each input of a graph, from a single array, a list or a dict by name.

    `any_sizes` leaves it to the layers to check sizes, so that only the number of axes must be that of the input.
    """
    expected = graph.inputs_struct
    names = [x.name for x in graph.inputs]
    if isinstance(expected, dict):
        inputs = _check_structure(expected, inputs, name)
    elif isinstance(inputs, dict):
        by_name = {x._keras_history.operation.name: x for x in graph.inputs}
        _check_keys(by_name, inputs, name)
        inputs = [inputs[key] for key in by_name]
    elif isinstance(inputs, (list, tuple)) and (isinstance(expected, KerasTensor) or _is_nested((*expected, *inputs))):
        _warn_of_nesting(expected, inputs, name)
    flat = jax.tree.leaves(inputs, is_leaf=_is_input)
    if len(flat) != len(graph.inputs):
        raise ValueError(f"Model '{name}' expects {len(names)} inputs {names}, but it received {len(flat)} arrays.")
    return [_fit(x, tensor, name, any_sizes) for x, tensor in zip(flat, graph.inputs)]


def _is_input(x: Any) -> bool:
    return x is None or is_sparse(x)


def _shape(x: Any) -> Any:
    return None if x is None else tuple(x.shape if hasattr(x, "shape") else np.shape(x))


def _is_nested(items: tuple[Any, ...]) -> bool:
    return any(isinstance(item, (list, tuple, dict)) for item in items)


def _warn_of_nesting(expected: Any, inputs: Any, name: str) -> None:
    """Warn about inputs that are nested in another way than the model's."""

    def shapes(struct: Any) -> Any:
        return jax.tree.map(_shape, struct, is_leaf=_is_input)

    def structure(struct: Any) -> Any:
        return jax.tree.structure(as_lists(struct), is_leaf=_is_input)

    inferring = local.frame is not None and local.frame.abstract
    if not inferring and structure(expected) != structure(inputs):
        warnings.warn(
            f"`inputs` are nested in another way than model '{name}' declares: it takes inputs of shapes "
            f"{shapes(expected)}, but got {shapes(inputs)}. They are taken in order.",
            stacklevel=2,
        )


def _check_keys(expected: Iterable[Any], inputs: dict[Any, Any], name: str) -> None:
    missing = [key for key in expected if key not in inputs]
    if missing:
        raise ValueError(
            f"Model '{name}' has inputs {list(expected)}, but the data has keys {sorted(map(str, inputs))}; "
            f"{missing[0]!r} is missing."
        )


def spec_of(x: KerasTensor, name: str | None = None) -> InputSpec:
    """What an input of a functional model must be like."""
    operation = x._keras_history.operation
    return InputSpec(
        shape=(None, *x.shape[1:]) if x.shape else (), allow_last_axis_squeeze=True, name=name or operation.name,
        optional=getattr(operation, "optional", False),
    )  # fmt: skip


def _check_structure(expected: dict[Any, Any], inputs: Any, name: str) -> Any:
    """Warn about inputs that a model does not use, and about inputs without the names that it expects.

    Returns:
        The inputs that it uses.
    """
    what = f"`inputs` have another structure than model '{name}' declares: it takes {list(expected)}"
    inferring = local.frame is not None and local.frame.abstract
    if isinstance(inputs, dict):
        _check_keys(expected, inputs, name)
        unused = [key for key in inputs if key not in expected]
        if unused and not inferring:
            warnings.warn(f"{what}; {unused} is not used.", stacklevel=2)
        return {key: inputs[key] for key in expected}
    if isinstance(inputs, (list, tuple)) and len(inputs) == len(expected) > 1:
        if list(expected) != sorted(expected):  # JAX sorts the keys of dicts
            raise ValueError(f"{what}, but got a {type(inputs).__name__}, whose order is ambiguous. Pass a dict.")
        if not inferring:
            warnings.warn(
                f"{what}, but got a {type(inputs).__name__}; its entries are taken in this order.", stacklevel=2
            )
    return inputs


def _fit(x: Any, tensor: KerasTensor, name: str, any_sizes: bool) -> Any:
    operation = tensor._keras_history.operation if tensor._keras_history else None
    if x is None:
        if isinstance(operation, InputLayer) and not operation.optional:
            raise ValueError(f"Input '{tensor.name}' of model '{name}' is not optional, but None was passed.")
        return None
    mask = get_mask(x) if isinstance(x, jax.Array) else None
    if tensor.dtype == "string" or isinstance(x, KerasTensor):
        y = x
    else:
        x = x if tensor.sparse else densify(x)
        y = x if is_sparse(x) else jnp.asarray(x)
        if y.dtype != tensor.dtype:
            y = y.astype(tensor.dtype)
    rank, wanted = len(y.shape), len(tensor.shape)
    if rank == wanted + 1 and y.shape[-1] == 1:
        y = y.reshape(y.shape[:-1])
    elif rank == wanted - 1 and tensor.shape[-1] == 1:
        y = y.reshape((*y.shape, 1))
    if len(y.shape) != wanted or not (any_sizes or same_sizes(tensor.shape, y.shape)):
        raise ValueError(
            _another_shape(tensor, x, name)
            + (_missing_axis(_label(tensor), tensor.shape, tuple(x.shape)) if rank == wanted - 1 else "")
        )
    if mask is not None:
        set_mask(y, mask)
    return y


def same_sizes(a: Sequence[int | None], b: Sequence[int | None]) -> bool:
    """Whether two shapes have the same sizes where both are known, the batch axis aside."""
    return len(a) == len(b) and all(m == n for m, n in zip(a[1:], b[1:]) if None not in (m, n))


def _label(tensor: KerasTensor) -> str:
    return tensor._keras_history.operation.name if tensor._keras_history is not None else tensor.name


def _another_shape(tensor: KerasTensor, x: Any, name: str) -> str:
    given = known_shape(tuple(x.shape))
    return f"Input '{_label(tensor)}' of model '{name}' has shape {tensor.shape}, but the data has shape {given}. "


@contextlib.contextmanager
def sizes_noted(graph: Graph, inputs: list[Any], name: str) -> Iterator[None]:
    """Add a note to errors of the layers if the inputs have other sizes than the graph was made for."""
    try:
        yield
    except Exception as error:
        for tensor, x in zip(graph.inputs, inputs):
            if x is not None and not same_sizes(tensor.shape, known_shape(tuple(x.shape))):
                error.add_note(_another_shape(tensor, x, name).strip())
        raise


def _missing_axis(name: str, expected: tuple[int | None, ...], shape: tuple[int, ...]) -> str:
    if expected[1] is None and expected[2:] == shape[1:]:
        return (
            f"`Input` adds the batch axis itself: for rows of shape {shape[1:]} write Input({shape[1:]}), without None."
        )
    return "A batch axis is missing: use x[None] for one sample."


def run_graph(graph: Graph, inputs: list[Any], training: bool | None, mask: Any = None) -> Any:
    """Compute a model's outputs, with `training` for every layer that takes it."""
    if mask is not None:
        for x, m in zip(inputs, jax.tree.leaves(mask, is_leaf=lambda m: m is None)):
            if m is not None:
                set_mask(x, m)

    return graph.run(
        inputs, lambda operation, args, kwargs: operation(*args, **_with_training(operation, kwargs, training))
    )


def infer_graph(graph: Graph, inputs: list[KerasTensor], training: bool | None) -> Any:
    """The outputs of a model as KerasTensors, layer by layer, each of which may have its own rule for shapes."""

    def spec(operation: Operation, args: tuple, kwargs: dict) -> Any:
        return operation.compute_output_spec(*args, **_with_training(operation, kwargs, training))

    return graph.run(inputs, spec)


def _with_training(operation: Operation, kwargs: dict, training: bool | None) -> dict:
    """The arguments of a call with the model's `training`, unless the layer was given its own in the graph."""
    if training is None or kwargs.get("training") is not None or not isinstance(operation, Layer):
        return kwargs
    return {**kwargs, "training": training} if "training" in operation._signature.parameters else kwargs


# -- configs --------------------------------------------------------------------------------------------------------
def graph_config(graph: Graph) -> dict[str, Any]:
    """Layers, their connections, inputs and outputs, in Keras's format."""
    positions: dict[int, int] = {}  # a node's index among those of its operation that belong to this graph
    for operation in graph.operations:
        count = 0
        for node in operation._inbound_nodes:
            if node in graph:
                positions[id(node)] = count
                count += 1

    def address(tensor: KerasTensor, first: int = 0) -> list[Any]:
        history = tensor._keras_history
        assert history is not None
        node = history.operation._inbound_nodes[history.node_index]
        return [history.operation.name, first + positions[id(node)], history.tensor_index]

    def arguments(value: Any) -> Any:
        if isinstance(value, KerasTensor):
            config = {"shape": value.shape, "dtype": value.dtype, "keras_history": address(value)}
            return {"class_name": "__keras_tensor__", "config": config}
        if isinstance(value, (list, tuple)):
            items = [arguments(v) for v in value]
            return items if isinstance(value, list) else tuple(items)
        if isinstance(value, dict):
            return {k: arguments(v) for k, v in value.items()}
        return registry.serialize_argument(value)

    layers = []
    for operation in graph.operations:
        config = serialize_operation(operation)
        config["name"] = operation.name
        config["inbound_nodes"] = [
            {"args": [arguments(a) for a in node.args], "kwargs": arguments(node.kwargs)}
            for node in operation._inbound_nodes
            if node in graph and not node.is_input
        ]
        layers.append(config)

    def tensors(struct: Any) -> Any:
        if isinstance(struct, KerasTensor):
            return address(struct, _first_node(struct._keras_history.operation))
        if isinstance(struct, dict):
            return {k: tensors(v) for k, v in struct.items()}
        items = [tensors(v) for v in struct]
        return items if isinstance(struct, list) else tuple(items)

    return {
        "layers": layers,
        "input_layers": tensors(graph.inputs_struct),
        "output_layers": tensors(graph.outputs_struct),
    }


def _camel(name: str) -> str:
    return "".join(part.title() for part in name.split("_"))


def _first_node(operation: Any) -> int:
    """The index at which Keras starts to count the nodes of an operation, in inputs and outputs but not in calls."""
    return 1 if getattr(operation, "_is_functional", False) else 0


# In lookup order: some names are in several modules.
_OP_MODULES = ("numpy", "nn", "core", "linalg", "math", "image")


def _ops_of(module: str) -> dict[str, Any]:
    """The ops of one of Keras's modules by the class names that configs use."""
    from jaxkeras.ops import core, image, linalg, math, nn, numpy  # never a module that a config names

    modules = {"numpy": numpy, "nn": nn, "core": core, "linalg": linalg, "math": math, "image": image}
    functions = vars(modules[module]) if module in modules else {}
    ops = {name: f for name, f in functions.items() if hasattr(f, "op_name")}
    # Some public functions prepare their arguments for an op of the same name.
    hidden = {_camel(f.op_name): f for name, f in ops.items() if name.startswith("_")}
    return hidden | {_camel(name): f for name, f in ops.items() if not name.startswith("_")}


def serialize_operation(operation: Operation) -> dict[str, Any]:
    """The config of a layer, or of an op as Keras names it (`mean` -> `keras.src.ops.numpy`, `Mean`)."""
    if not isinstance(operation, OpNode):
        return registry.serialize(operation)
    name = _camel(getattr(operation.function, "op_name", operation.function.__name__))
    module = next((m for m in _OP_MODULES if name in _ops_of(m)), "numpy")
    settings = {k: registry.serialize_argument(v) for k, v in operation.settings.items()}
    return {
        "module": f"keras.src.ops.{module}",
        "class_name": name,
        "config": {"name": operation.name, **settings},
        "registered_name": name,
    }


def deserialize_operation(data: dict[str, Any]) -> Any:
    """A layer or an op node from its entry in a graph's config."""
    module, name = data.get("module"), data["class_name"]
    settings = dict(data.get("config") or {})
    known: dict[str, Any] = {}
    if isinstance(module, str) and module.startswith("keras.src.ops."):
        known = _ops_of(module.rsplit(".", 1)[-1])
        if name not in known:
            raise registry.unknown("operation in a config", name, known)
    elif module is None and "trainable" not in settings:  # old files have no modules; every layer has `trainable`
        known = {n: f for m in reversed(_OP_MODULES) for n, f in _ops_of(m).items()}
    if name in known:
        label = settings.pop("name", None)
        return OpNode(known[name], {k: _hashable(registry.deserialize(v)) for k, v in settings.items()}, label)
    return registry.deserialize(
        {k: v for k, v in data.items() if k not in ("inbound_nodes", "name")}, kind="keras.layers"
    )


def _hashable(value: Any) -> Any:
    """Lists from JSON as tuples, because an op may hash its settings."""
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


class _NotYet(Exception):
    """A node whose inputs do not exist yet."""


def graph_from_config(config: dict[str, Any]) -> tuple[Any, Any]:
    """Rebuild layers and their connections.

    Returns:
        `(inputs, outputs)`, structures of KerasTensors.
    """
    layers: dict[str, Any] = {}
    waiting: list[tuple[Any, list[Any]]] = []
    for data in config["layers"]:
        name = data.get("name") or data["config"]["name"]
        layers[name] = deserialize_operation(data)
        waiting.append((layers[name], list(data.get("inbound_nodes") or [])))

    def tensor(address: Any, outside: bool = False) -> KerasTensor:
        name, node_index, tensor_index = address[:3]
        if name not in layers:
            raise ValueError(f"The config of a model refers to a layer '{name}' that is not in it.")
        layer = layers[name]
        if outside:
            node_index = max(node_index - _first_node(layer), 0)
        if node_index >= len(layer._inbound_nodes):
            raise _NotYet
        return layer._inbound_nodes[node_index].outputs[tensor_index]

    def revive(value: Any) -> Any:
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            return tensor(value["config"]["keras_history"])
        if registry.is_config(value):
            return registry.deserialize(value)
        if isinstance(value, dict):
            return {k: revive(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [revive(v) for v in value]
        return value

    def call(layer: Any, node: Any) -> None:
        if isinstance(node, dict):
            args, kwargs = revive(node["args"]), revive(node["kwargs"])
            if isinstance(layer, OpNode) and layer.function.op_name == "get_item" and isinstance(args[1], list):
                args[1] = tuple(args[1])  # indexing with a list means something else
        else:  # the form of old files: [[name, node, tensor, kwargs], ...]
            inputs = [tensor(item) for item in node]
            kwargs = dict(node[0][3]) if len(node[0]) > 3 else {}
            args = [inputs[0] if len(inputs) == 1 else inputs]
        layer(*args, **kwargs)

    while any(nodes for _, nodes in waiting):
        progress = False
        for layer, nodes in waiting:
            while nodes:
                try:
                    call(layer, nodes[0])
                except _NotYet:
                    break
                nodes.pop(0)
                progress = True
        if not progress:
            stuck = [layer.name for layer, nodes in waiting if nodes]
            raise ValueError(f"The config of the model has loops or missing connections at layers {stuck[:5]}.")

    def structure(value: Any) -> Any:
        if isinstance(value, (list, tuple)) and len(value) == 3 and isinstance(value[0], str):
            return tensor(value, outside=True)
        if isinstance(value, dict):
            return {k: structure(v) for k, v in value.items()}
        items = [structure(v) for v in value]
        return items if isinstance(value, list) else tuple(items)

    return structure(config["input_layers"]), structure(config["output_layers"])
