"""The graph from symbolic inputs to outputs, sorted once and run many times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxkeras.core.sparse import is_sparse
from jaxkeras.core.symbolic import KerasTensor, Node, Operation, infer
from jaxkeras.layers._base.tensor_structures import is_shape


def _node_of(tensor: KerasTensor) -> Node:
    history = tensor._keras_history
    if history is None:
        raise ValueError(
            f"{tensor!r} was not made by `Input` or by calling a layer on an input, so it belongs to no graph."
        )
    return history.operation._inbound_nodes[history.node_index]


class Graph:
    """Nodes from inputs to outputs in an order in which they can run.

    Args:
        inputs, outputs: KerasTensors, or nested structures of them.

    Raises:
        ValueError: when an output does not depend on the inputs alone, or two operations share a name.

    Attributes:
        nodes: in execution order.
        operations: each once, from the inputs on, in Keras's order of layers.
    """

    def __init__(self, inputs: Any, outputs: Any):
        self.inputs_struct, self.outputs_struct = inputs, outputs
        self.inputs: list[KerasTensor] = jax.tree.leaves(inputs)
        self.outputs: list[KerasTensor] = jax.tree.leaves(outputs)
        self._sort()

    def _sort(self) -> None:
        bare = {  # not made by any operation, or by one that is outside of the graph
            id(x) for x in self.inputs if x._keras_history is None or not _node_of(x).is_input
        }
        ordered: list[Node] = []
        traversal: dict[int, int] = {}  # operation -> order of the first visit, from the outputs
        state: dict[int, int] = {}

        for output in self.outputs:
            # An explicit stack: graphs of applications are deeper than Python's recursion limit.
            stack: list[tuple[KerasTensor, bool]] = [] if id(output) in bare else [(output, False)]
            while stack:
                tensor, done = stack.pop()
                node = _node_of(tensor)
                if done:
                    state[id(node)] = 2
                    ordered.append(node)
                    continue
                if state.get(id(node)) == 2:
                    continue
                if state.get(id(node)) == 1:
                    raise ValueError(f"Tensor {tensor.name} of layer '{node.operation.name}' is part of a cycle.")
                traversal.setdefault(id(node.operation), len(traversal))
                state[id(node)] = 1
                stack.append((tensor, True))
                if not node.is_input:
                    before = [x for x in reversed(node.inputs) if id(x) not in bare]
                    stack.extend((x, False) for x in before if state.get(id(_node_of(x))) != 2)

        depth: dict[int, int] = {}
        operation_depth: dict[int, int] = {}
        members = {id(node) for node in ordered}
        for node in reversed(ordered):
            d = max(depth.setdefault(id(node), 0), operation_depth.get(id(node.operation), 0))
            depth[id(node)] = operation_depth[id(node.operation)] = d
            for parent in node.parents:
                if id(parent) in members:
                    depth[id(parent)] = max(d + 1, depth.get(id(parent), 0))
        for x in self.inputs:  # an input that no output uses is still an input
            if id(x) in bare:
                continue
            node = _node_of(x)
            if id(node) not in members and node.is_input:
                ordered.append(node)
                members.add(id(node))
                traversal[id(node.operation)] = -1
                depth[id(node)] = operation_depth[id(node.operation)] = 0

        operations = {id(node.operation): node.operation for node in ordered}
        self.operations: list[Operation] = sorted(
            operations.values(), key=lambda o: (-operation_depth[id(o)], traversal[id(o)])
        )
        self.nodes = sorted(ordered, key=lambda node: -depth[id(node)])
        self._members = members
        self._check()

    def _check(self) -> None:
        known = {id(x) for x in self.inputs}
        for node in self.nodes:
            if any(id(x) in known for x in node.outputs) and not node.is_input:
                known.update(id(x) for x in node.outputs)
                continue
            if node.is_input and not all(id(x) in known for x in node.outputs):
                raise ValueError(
                    f"The graph needs input '{node.operation.name}', which is not among the inputs of the model: "
                    f"{[x.name for x in self.inputs]}. Add it to `inputs`."
                )
            for x in node.inputs:
                if id(x) not in known:
                    raise ValueError(
                        f"Graph disconnected: operation '{node.operation.name}' needs {x!r}, which cannot be computed "
                        "from the inputs of the model."
                    )
            known.update(id(x) for x in node.outputs)
        seen: set[str] = set()
        for operation in self.operations:
            if operation.name in seen:
                raise ValueError(
                    f"The name '{operation.name}' is used by more than one layer of the model. Give each its own: "
                    "Dense(8, name='...')."
                )
            seen.add(operation.name)

    def __contains__(self, node: Node) -> bool:
        return id(node) in self._members

    def run(self, flat_inputs: list[Any], call: Callable[[Operation, tuple, dict], Any]) -> Any:
        """Compute the outputs.

        Args:
            flat_inputs: one value for each of `inputs`.
            call: `(operation, args, kwargs) -> outputs`.

        Returns:
            Values in the structure of the outputs.
        """
        values: dict[int, Any] = {id(x): value for x, value in zip(self.inputs, flat_inputs)}

        def fill(x: Any) -> Any:
            return values[id(x)] if isinstance(x, KerasTensor) else x

        for node in self.nodes:
            if node.is_input or all(id(x) in values for x in node.outputs):
                continue
            args, kwargs = jax.tree.map(fill, (node.args, node.kwargs), is_leaf=lambda x: x is None)
            outputs = call(node.operation, args, kwargs)
            sparse = any(x.sparse for x in node.outputs)
            for x, value in zip(node.outputs, jax.tree.leaves(outputs, is_leaf=is_sparse if sparse else None)):
                values[id(x)] = value
        return jax.tree.map(fill, self.outputs_struct)


class Function(Operation):
    """A graph as an operation: from KerasTensors in to KerasTensors out.

    Args:
        inputs, outputs: KerasTensors, or nested structures of them; there must be some of each.
        name: generated by default.

    Raises:
        ValueError: without inputs or outputs, and when an output does not depend on the inputs alone; when called, for
            inputs whose structure or shapes differ from those of `inputs`.

    Example:

    >>> x = KerasTensor((None, 3), name="x")
    >>> double = Function(x, {"twice": x * 2})
    >>> double(jnp.ones((1, 3)))
    {'twice': Array([[2., 2., 2.]], dtype=float32)}
    >>> double.compute_output_shape((5, 3))
    {'twice': (5, 3)}
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None):
        super().__init__(name=name)
        for what, tensors in (("inputs", inputs), ("outputs", outputs)):
            if not jax.tree.leaves(tensors):
                raise ValueError(f"A Function needs `{what}`, KerasTensors or a structure of them; got {tensors!r}.")
        self.graph = Graph(inputs, outputs)

    inputs = property(lambda self: self.graph.inputs)
    outputs = property(lambda self: self.graph.outputs)
    operations = property(lambda self: self.graph.operations)

    def call(self, inputs: Any) -> Any:
        flat = self._checked(inputs)
        return self.graph.run(flat, lambda operation, args, kwargs: operation(*args, **kwargs))

    def compute_output_spec(self, inputs: Any) -> Any:
        self._checked(inputs)
        return infer(self.call, (inputs,), {})

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes of the outputs for inputs of given shapes.

        Args:
            input_shape: a shape, or shapes in the structure of the inputs; None where unknown.

        Returns:
            Shapes in the structure of the outputs.

        Raises:
            ValueError: as for a call.
        """
        shapes, structure = jax.tree.flatten(input_shape, is_leaf=is_shape)
        types = [x.dtype for x in self.graph.inputs] + [None] * len(shapes)
        tensors = jax.tree.unflatten(structure, list(map(KerasTensor, shapes, types)))
        return jax.tree.map(lambda x: x.shape, self.compute_output_spec(tensors))

    def _checked(self, inputs: Any) -> list[Any]:
        """The inputs, flat, checked against the structure and shapes of the graph's inputs."""
        expected = self.graph.inputs_struct
        if jax.tree.structure(_lists(inputs)) != jax.tree.structure(_lists(expected)):
            raise ValueError(
                f"Function '{self.name}' expects inputs of the structure {jax.tree.map(lambda x: x.shape, expected)}; "
                f"got {jax.tree.map(np.shape, inputs)}."
            )
        flat = jax.tree.leaves(inputs)
        for x, tensor in zip(flat, self.graph.inputs):
            shape = tuple(np.shape(x))
            fits = all(None in (a, b) or a == b for a, b in zip(shape, tensor.shape))
            if len(shape) != len(tensor.shape) or not fits:
                raise ValueError(
                    f"Input '{tensor.name}' of Function '{self.name}' has shape {tensor.shape}, not {shape}."
                )
        return flat


def _lists(struct: Any) -> Any:
    """The structure with lists in place of tuples, which are interchangeable here."""
    if isinstance(struct, dict):
        return {key: _lists(item) for key, item in struct.items()}
    return [_lists(item) for item in struct] if isinstance(struct, (list, tuple)) else struct
