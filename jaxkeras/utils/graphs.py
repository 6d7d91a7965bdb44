"""Find the inputs of a symbolic tensor."""

from __future__ import annotations

from typing import Any

from jaxkeras.core.symbolic import KerasTensor


def get_source_inputs(tensor: Any) -> Any:
    """Find the `Input` tensors that a symbolic tensor is computed from.

    Args:
        tensor: a `KerasTensor`; anything else is returned unchanged.

    Returns:
        A list of `KerasTensor`s without duplicates, in the order of use.

    Example:

    >>> import jaxkeras as jk
    >>> x = jk.Input((2,))
    >>> jk.utils.get_source_inputs(x + 1)[0] is x
    True
    """
    if not isinstance(tensor, KerasTensor):
        return tensor
    found: list[KerasTensor] = []
    seen: set[int] = set()
    stack = [tensor]  # not recursive: a graph may be deeper than Python's stack
    while stack:
        here = stack.pop()
        if id(here) in seen:
            continue
        seen.add(id(here))
        history = here._keras_history
        node = None if history is None else history.operation._inbound_nodes[history.node_index]
        if node is None or node.is_input:
            found.extend([here] if node is None else node.outputs)
        else:
            stack.extend(reversed(node.inputs))
    return found
