"""What is where: a table of the layouts of a model."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from jaxkeras.core import placement
from jaxkeras.display.text import format_bytes
from jaxkeras.distribution.presets import resolve
from jaxkeras.training.placement import LARGE_ELEMENTS


class VariableLayout(NamedTuple):
    """A row of the table.

    Attributes:
        path: the variable.
        shape: its shape.
        axes: for each axis of it the mesh axis, or None.
        nbytes: bytes on each device.
    """

    path: str
    shape: tuple[int, ...]
    axes: tuple[Any, ...]
    nbytes: int


class Layouts(list):
    """Rows of `VariableLayout`; printed as a table."""

    @property
    def nbytes(self) -> int:
        """Bytes of all variables on each device."""
        return sum(row.nbytes for row in self)

    def __repr__(self) -> str:
        cells = [("variable", "shape", "layout", "a device")]
        cells += [(row.path, str(row.shape), _spec(row.axes), format_bytes(row.nbytes)) for row in self]
        cells.append(("all", "", "", format_bytes(self.nbytes)))
        widths = [max(map(len, column)) for column in zip(*cells)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]
        whole = [row for row in self if math.prod(row.shape) >= LARGE_ELEMENTS and not any(row.axes)]
        lines += [f"Large, but whole on every device: {row.path} ({format_bytes(row.nbytes)})" for row in whole]
        return "\n".join(lines)


def layouts(model: Any, distribution: Any = None) -> Layouts:
    """How the weights of a model are split: path, shape, layout, and bytes on each device.

    Args:
        model: a built model.
        distribution: what `set_distribution` takes; that in force by default.

    Returns:
        A list of `VariableLayout` that prints as a table.

    Raises:
        ValueError: without a distribution, or for a model without weights.

    Example:

    >>> import jaxkeras as jk
    >>> model = jk.Sequential([jk.Input((8,)), jk.layers.Dense(4, name="hidden")], name="net")
    >>> jk.distribution.layouts(model, {"data": 1, "model": 1})
    variable           shape   layout         a device
    net/hidden/kernel  (8, 4)  (None, model)  128.00 B
    net/hidden/bias    (4,)    (model)        16.00 B
    all                                       144.00 B
    """
    found = placement.current() if distribution is None else resolve(distribution)
    if found is None:
        raise ValueError("No distribution is in force: give one, as in layouts(model, 'fsdp').")
    if not model.weights:
        raise ValueError("The model has no weights yet: build it first, or call it on a batch.")
    rows = Layouts()
    sizes = dict(zip(found.device_mesh.axis_names, found.device_mesh.shape))
    for v, layout in zip(model.weights, found.variable_layouts(model.weights)):
        axes = layout.axes if hasattr(layout, "axes") else tuple(layout.spec)
        parts = math.prod(sizes[name] for axis in axes for name in _names(axis))
        rows.append(VariableLayout(v.path, v.shape, tuple(axes), v.size * np.dtype(v._dtype).itemsize // parts))
    return rows


def _names(axis: Any) -> tuple[str, ...]:
    return () if axis is None else axis if isinstance(axis, tuple) else (axis,)


def _spec(axes: tuple[Any, ...]) -> str:
    return f"({', '.join(str(axis) for axis in axes)})" if any(axes) else "whole"
