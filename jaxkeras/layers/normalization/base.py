"""Shared by normalization layers: the axis argument, learned scale and offset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxkeras.layers._base.arguments import add_configured_weight
from jaxkeras.layers._base.layer import Layer


def standardize_axis(layer: Layer, axis: Any) -> int | list[int]:
    """`axis` as an integer or a list of integers.

    Raises:
        TypeError: if it is neither.
    """
    items = axis if isinstance(axis, (list, tuple)) else [axis]
    if not all(isinstance(item, int) for item in items):
        raise TypeError(f"`axis` of {type(layer).__name__} must be an integer or several; got {axis!r}.")
    return list(axis) if isinstance(axis, (list, tuple)) else axis


def built_axes(layer: Any, rank: int) -> list[int]:
    """The axes of a layer for inputs of a rank, sorted; Keras sets `axis` to them in `build`.

    Raises:
        ValueError: if an axis is given twice.
    """
    axes = sorted(layer.axis) if isinstance(layer.axis, (list, tuple)) else [layer.axis]
    if len({axis % rank for axis in axes}) < len(axes):
        raise ValueError(f"`axis` of layer '{layer.name}' has the same axis twice: {layer.axis!r}.")
    return axes


class Affine(Layer):
    """A layer with a learned scale (gamma) and offset (beta), which are read in the variable dtype."""

    scale: bool
    center: bool

    def affine(self, shape: Sequence[int], center: bool = True) -> None:
        """Create gamma and beta, where the layer has them."""
        self.gamma = add_configured_weight(self, "gamma", shape, autocast=False) if self.scale else None
        self.beta = add_configured_weight(self, "beta", shape, autocast=False) if self.center and center else None
