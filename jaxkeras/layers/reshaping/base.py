"""The base class of layers that crop or pad the ends of spatial axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxkeras.layers._base.arguments import tuple_of
from jaxkeras.layers._base.spatial import Spatial


class SpatialEnds(Spatial):
    """A layer that crops or pads both ends of each spatial axis."""

    def _amounts(self, value: Any, name: str) -> Any:
        """The amounts at both ends, in the form of configs: one pair for a single axis, else a pair per axis."""
        if self.rank == 1:
            return tuple_of(value, 2, name, minimum=0)
        items = (value,) * self.rank if isinstance(value, int) else value
        if not isinstance(items, Sequence) or isinstance(items, str) or len(items) != self.rank:
            raise ValueError(
                f"`{name}` of {type(self).__name__} must be an integer, {self.rank} integers (one per spatial axis) or "
                f"{self.rank} pairs (start, end); got {value!r}."
            )
        return tuple(tuple_of(item, 2, name, minimum=0) for item in items)

    def _ends(self, amounts: Any) -> dict[int, tuple[int, int]]:
        """The amounts at both ends, by axis."""
        return dict(zip(self.spatial_axes, (amounts,) if self.rank == 1 else amounts))
