"""Which layer an operation of a program belongs to, by the named scopes around it."""

from __future__ import annotations

import functools
from typing import Any

import jax

from jaxkeras.training.step import PARTS


class LayerScopes:
    """An interceptor that notes which layers run, under which named scopes: those of the names of the layers around.

    Args:
        model: the outermost layer, which paths leave out.

    Attributes:
        layers: layers by scopes, in the order of their first calls.
        shapes: the shape of a layer's output, or of each of its outputs, by the layer's identity.
    """

    def __init__(self, model: Any):
        self.model = model
        self.layers: dict[tuple[str, ...], Any] = {}
        self.shapes: dict[int, Any] = {}
        self._scopes: tuple[str, ...] = ()

    def __call__(self, next_call: Any, layer: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        outer = self._scopes
        self._scopes = (*outer, layer.name)
        self.layers.setdefault(self._scopes, layer)
        try:
            outputs = next_call(*args, **kwargs)
        finally:
            self._scopes = outer
        shapes = [tuple(y.shape) for y in jax.tree.leaves(outputs) if hasattr(y, "shape")]
        self.shapes.setdefault(id(layer), shapes[0] if len(shapes) == 1 else shapes)
        return outputs

    @functools.cached_property
    def paths(self) -> dict[int, str]:
        """The path of each layer, that of its first call, by the layer's identity. Read it after the trace."""
        paths: dict[int, str] = {}
        for scopes, layer in self.layers.items():
            inner = scopes[1:] if self.layers.get(scopes[:1]) is self.model and len(scopes) > 1 else scopes
            paths.setdefault(id(layer), "/".join(inner))
        return paths

    def owner(self, scopes: tuple[str, ...]) -> str | None:
        """The path of the innermost layer that has opened one of the scopes, or the part of the step that did."""
        for start in range(len(scopes)):
            for end in range(len(scopes), start, -1):
                layer = self.layers.get(scopes[start:end])
                if layer is not None:
                    return self.paths[id(layer)]
        return next((part for part in PARTS if part in scopes), None)
