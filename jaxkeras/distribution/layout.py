"""Which axes of an array are split over which axes of a mesh, and rules for it by path."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

import jax
from jax.core import Tracer
from jax.sharding import NamedSharding, PartitionSpec

from jaxkeras.core import placement
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.distribution.mesh import DeviceMesh


class TensorLayout:
    """How an array is split over a mesh, as `jax.sharding.NamedSharding`.

    Args:
        axes: for each axis of the array the name of a mesh axis, or None to keep it whole.
        device_mesh: the mesh; it may be set later, once.

    Raises:
        ValueError: for a name that is not an axis of the mesh.

    Example:

    >>> import jaxkeras as jk
    >>> mesh = jk.distribution.DeviceMesh((1,), ["model"], ["cpu:0"])
    >>> jk.distribution.TensorLayout((None, "model"), mesh).axes
    (None, 'model')
    """

    def __init__(self, axes: Sequence[Any], device_mesh: DeviceMesh | None = None):
        self._axes, self._device_mesh = tuple(axes), device_mesh
        self._check_axes()

    @property
    def axes(self) -> tuple[Any, ...]:
        """The mesh axis of each axis of the array, or None."""
        return self._axes

    @property
    def device_mesh(self) -> DeviceMesh | None:
        """The mesh."""
        return self._device_mesh

    @device_mesh.setter
    def device_mesh(self, device_mesh: DeviceMesh) -> None:
        if self._device_mesh is not None:
            raise ValueError(f"Cannot override device mesh value. Existing value is {self._device_mesh}")
        self._device_mesh = device_mesh
        self._check_axes()

    @property
    def backend_layout(self) -> NamedSharding:
        """The `jax.sharding.NamedSharding`."""
        if self._device_mesh is None:
            raise ValueError(
                "Cannot create sharding when device mesh is not set for TensorLayout. "
                f"Write TensorLayout({self._axes}, device_mesh)."
            )
        return NamedSharding(self._device_mesh.backend_mesh, PartitionSpec(*self._axes))

    def _check_axes(self) -> None:
        if self._device_mesh is not None:
            names = {name for axis in self._axes for name in (axis if isinstance(axis, tuple) else (axis,))} - {None}
            known = set(self._device_mesh.axis_names)
            if names - known:
                raise ValueError(
                    f"Invalid axis names for Layout. Valid axis names: {sorted(known)}, Got {sorted(names)}"
                )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} axes={self.axes}, device_mesh={self.device_mesh}>"


class LayoutMap(MutableMapping):
    """Layouts by regular expressions over the paths of variables and tensors.

    A path may match one rule only; a rule that equals the path has precedence. What matches no rule is kept whole.

    Args:
        device_mesh: the mesh of all layouts.

    Example:

    >>> import jaxkeras as jk
    >>> layouts = jk.distribution.LayoutMap(jk.distribution.DeviceMesh((1,), ["model"], ["cpu:0"]))
    >>> layouts[".*dense.*kernel"] = (None, "model")
    >>> layouts["my_model/dense_1/kernel"].axes
    (None, 'model')
    >>> layouts["my_model/dense_1/bias"] is None
    True
    """

    def __init__(self, device_mesh: DeviceMesh | None = None):
        self._layout_map: dict[str, TensorLayout] = {}
        self._device_mesh = device_mesh

    def __getitem__(self, key: str) -> TensorLayout | None:
        if key in self._layout_map:
            return self._layout_map[key]
        matching = [pattern for pattern in self._layout_map if re.fullmatch(pattern, key)]
        if len(matching) > 1:
            raise ValueError(
                f"Path '{key}' matches multiple layout specification keys: {matching}. Please make sure each "
                "tensor/variable path only matches at most one layout specification key in the LayoutMap."
            )
        return self._layout_map[matching[0]] if matching else None

    def get(self, key: str, default: Any = None) -> Any:
        """The layout of a path, or `default` if no rule matches."""
        found = self[key]
        return default if found is None else found

    def __setitem__(self, key: str, layout: Any) -> None:
        if key in self._layout_map:
            raise ValueError(
                f"{key} already exist in the LayoutMap with value {self._layout_map[key]}. Please make sure to not use "
                "duplicated keys."
            )
        if isinstance(layout, (tuple, list)):
            layout = TensorLayout(tuple(layout))
        if not isinstance(layout, TensorLayout):
            raise ValueError(f"{layout} should be a TensorLayout type, got {type(layout)}")
        if layout.device_mesh is None and self._device_mesh is not None:
            layout.device_mesh = self._device_mesh
        self._layout_map[key] = layout

    def __delitem__(self, key: str) -> None:
        del self._layout_map[key]

    def __len__(self) -> int:
        return len(self._layout_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layout_map)

    @property
    def device_mesh(self) -> DeviceMesh | None:
        """The mesh of all layouts."""
        return self._device_mesh


def distribute_tensor(tensor: Any, layout: Any) -> Any:
    """Give an array a layout: at rest by moving it, in compiled code by telling the compiler.

    Args:
        tensor: an array, or a KerasTensor, which is returned unchanged.
        layout: a `TensorLayout`, or a `jax.sharding.Sharding`.

    Returns:
        The array under that layout.

    Example:

    >>> import jaxkeras as jk
    >>> mesh = jk.distribution.DeviceMesh((1,), ["batch"], ["cpu:0"])
    >>> layout = jk.distribution.TensorLayout(("batch", None), mesh)
    >>> jk.distribution.distribute_tensor(jk.ops.ones((4, 2)), layout).shape
    (4, 2)
    """
    if isinstance(tensor, KerasTensor):
        return tensor
    sharding = layout.backend_layout if isinstance(layout, TensorLayout) else layout
    if not isinstance(tensor, jax.Array) and hasattr(tensor, "__jax_array__"):
        tensor = tensor.__jax_array__()
    if isinstance(tensor, Tracer):
        return jax.lax.with_sharding_constraint(tensor, sharding)
    if isinstance(tensor, jax.Array) and isinstance(sharding, jax.sharding.Sharding):
        if tensor.sharding.is_equivalent_to(sharding, tensor.ndim):
            return tensor
    return placement.put(tensor, sharding) if isinstance(sharding, jax.sharding.Sharding) else jax.device_put(
        tensor, sharding
    )
