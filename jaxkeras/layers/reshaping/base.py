"""The base class of layers that change the ends of spatial axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxkeras.layers._base.arguments import tuple_of
from jaxkeras.layers._base.spatial import Spatial


class _Ends(Spatial):
    """A layer that cuts or adds places at both ends of each spatial axis."""

    def _amounts(self, value: Any, name: str) -> Any:
        """Places at both ends of each axis, as configs have it: one pair for one axis, else a pair for each."""
        if self.rank == 1:
            return tuple_of(value, 2, name, minimum=0)
        items = (value,) * self.rank if isinstance(value, int) else value
        if not isinstance(items, Sequence) or isinstance(items, str) or len(items) != self.rank:
            raise ValueError(
                f"`{name}` of {type(self).__name__} must be an integer, {self.rank} integers (one a spatial axis) or "
                f"{self.rank} pairs (start, end); got {value!r}."
            )
        return tuple(tuple_of(item, 2, name, minimum=0) for item in items)

    def _ends(self, amounts: Any) -> dict[int, tuple[int, int]]:
        return dict(zip(self.spatial_axes, (amounts,) if self.rank == 1 else amounts))
