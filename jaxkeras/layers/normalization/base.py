"""The base class of normalizations with a scale and an offset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxkeras.layers._base.arguments import settled_weight
from jaxkeras.layers._base.layer import Layer


def _axes_of(layer: Layer, axis: Any) -> int | list[int]:
    """One axis, or a list of axes."""
    items = axis if isinstance(axis, (list, tuple)) else [axis]
    if not all(isinstance(item, int) for item in items):
        raise TypeError(f"`axis` of {type(layer).__name__} must be an integer or several; got {axis!r}.")
    return list(axis) if isinstance(axis, (list, tuple)) else axis


class _Affine(Layer):
    """A layer with a learned scale (gamma) and offset (beta), kept in the variable dtype."""

    def affine(self, shape: Sequence[int], center: bool = True) -> None:
        """Create gamma and beta, where the layer has them."""
        self.gamma = settled_weight(self, "gamma", shape, autocast=False) if self.scale else None
        self.beta = settled_weight(self, "beta", shape, autocast=False) if self.center and center else None
