"""Distributions: what decides the layout of every variable and of the data. Keras's classes."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from jaxkeras.core import placement
from jaxkeras.distribution.layout import LayoutMap, TensorLayout
from jaxkeras.distribution.mesh import DeviceMesh, list_devices


class Distribution:
    """Base class of distributions: layouts of variables, data and tensors over a mesh.

    Subclasses define `get_variable_layout`, or `variable_layouts` where a layout depends on the other variables.

    Args:
        device_mesh: the mesh.
        batch_dim_name: the mesh axis that batches are split over; the first by default.
        auto_shard_dataset: whether every process reads all batches and takes its own rows of them; False if each
            process brings batches of its own.
    """

    def __init__(
        self, device_mesh: DeviceMesh, batch_dim_name: str | None = None, auto_shard_dataset: bool = True
    ) -> None:
        self._device_mesh, self._batch_dim_name = device_mesh, batch_dim_name
        self._auto_shard_dataset = auto_shard_dataset
        self._num_processes, self._process_id = jax.process_count(), jax.process_index()
        self._is_multi_process = self._num_processes > 1

    @property
    def device_mesh(self) -> DeviceMesh:
        """The mesh."""
        return self._device_mesh

    @property
    def batch_dim_name(self) -> str | None:
        """The mesh axis that batches are split over."""
        return self._batch_dim_name

    @property
    def auto_shard_dataset(self) -> bool:
        """Whether every process takes its own rows of batches that all read."""
        return self._auto_shard_dataset

    @auto_shard_dataset.setter
    def auto_shard_dataset(self, value: bool) -> None:
        self._auto_shard_dataset = value

    @property
    def places_outputs(self) -> bool:
        """Whether `get_tensor_layout` may return layouts."""
        return type(self).get_tensor_layout is not Distribution.get_tensor_layout

    @property
    def num_processes(self) -> int:
        """The number of processes."""
        return self._num_processes

    @property
    def num_model_replicas(self) -> int:
        """The number of copies of the model, each of which sees a part of the batch."""
        raise NotImplementedError

    @property
    def num_data_shards(self) -> int:
        """The number of parts that processes read data in."""
        return min(self.num_model_replicas, self.num_processes)

    @property
    def data_shard_id(self) -> int:
        """The part of the data that this process reads."""
        if self.num_model_replicas >= self.num_processes:
            return self._process_id
        return self._process_id // (self.num_processes // self.num_model_replicas)

    def get_data_layout(self, data_shape: Sequence[int]) -> TensorLayout:
        """The layout of a batch: its first axis is split."""
        return TensorLayout([self.batch_dim_name, *[None] * (len(data_shape) - 1)], self.device_mesh)

    def get_variable_layout(self, variable: Any) -> Any:
        """The layout of a variable: its own, or one by this distribution."""
        raise NotImplementedError

    def variable_layouts(self, variables: Sequence[Any]) -> list[Any]:
        """The layouts of all variables of a model, in their order."""
        return [self.get_variable_layout(v) for v in variables]

    def get_tensor_layout(self, path: str) -> TensorLayout | None:
        """The layout of the output of a layer, by the path `<layer>/output`, or None to let the compiler decide."""
        return None

    def whole(self, rank: int) -> TensorLayout:
        """The layout of an array that every device holds whole."""
        return TensorLayout([None] * rank, self.device_mesh)

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """Put this distribution in force for a `with` block."""
        outer = placement.current()
        placement.set_current(self)
        try:
            yield
        finally:
            placement.set_current(outer)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} device_mesh={self.device_mesh}>"


def own_layout(variable: Any) -> Any:
    """The layout that a variable was created with, or None. Keras keeps it as `_layout`."""
    return getattr(variable, "layout", None) or getattr(variable, "_layout", None)


def mesh_of(device_mesh: Any, devices: Any, axis: str) -> DeviceMesh:
    """The mesh, or one with a single axis over the devices given, or over all.

    Raises:
        ValueError: for something else than a mesh.
    """
    if device_mesh is not None:
        if not isinstance(device_mesh, DeviceMesh):
            raise ValueError(
                f"Expect `mesh` to be an instance of `DeviceMesh`. Received: mesh={device_mesh} (of type "
                f"{type(device_mesh)})"
            )
        return device_mesh
    flat = np.array(devices or list_devices())
    return DeviceMesh(flat.shape, [axis], flat)


class DataParallel(Distribution):
    """Every device holds the whole model and computes a part of each batch; gradients are summed over all.

    Args:
        device_mesh: a mesh with one axis; with more axes, the first is for the data, with a warning.
        devices: devices to make a mesh of, instead; all by default.
        auto_shard_dataset: see `Distribution`.

    Example:

    >>> import jaxkeras as jk
    >>> jk.distribution.DataParallel(devices=["cpu:0"]).get_data_layout((32, 8)).axes
    ('batch', None)
    """

    def __init__(self, device_mesh: Any = None, devices: Any = None, auto_shard_dataset: bool = True) -> None:
        mesh = mesh_of(device_mesh, devices, "batch")
        if mesh.devices.ndim != 1:
            warnings.warn(
                f"Expect the input mesh to be 1D, but received mesh.devices.ndim={mesh.devices.ndim}. The first axis "
                "will be used for data-parallel sharding.",
                stacklevel=2,
            )
        super().__init__(mesh, mesh.axis_names[0], auto_shard_dataset)

    @property
    def num_model_replicas(self) -> int:
        """The number of devices."""
        return self.device_mesh.devices.size

    def get_variable_layout(self, variable: Any) -> Any:
        """The variable's own layout, or whole on every device."""
        return own_layout(variable) or self.whole(len(variable.shape))


class ModelParallel(Distribution):
    """Variables are split by rules over their paths; batches are split over one axis of the mesh.

    Args:
        layout_map: the rules, and the mesh. A rule that matches nothing of a model is an error.
        batch_dim_name: the mesh axis for the data; the first by default.
        auto_shard_dataset: see `Distribution`.

    Raises:
        ValueError: without a `LayoutMap`, or for processes that cannot be grouped into copies of the model.

    Example:

    >>> import jaxkeras as jk
    >>> rules = jk.distribution.LayoutMap(jk.distribution.DeviceMesh((1, 1), ["batch", "model"], ["cpu:0"]))
    >>> rules[".*kernel"] = (None, "model")
    >>> jk.distribution.ModelParallel(layout_map=rules).batch_dim_name
    'batch'
    """

    def __init__(
        self,
        *,
        layout_map: Any = None,
        batch_dim_name: str | None = None,
        auto_shard_dataset: bool = True,
        **kwargs: Any,
    ):
        kwargs.pop("device_mesh", None)
        if layout_map is None:
            raise ValueError("You must specify a layout_map argument.")
        if not isinstance(layout_map, LayoutMap):
            raise ValueError(f"Argument `layout_map` must be a `LayoutMap` instance. Received: layout_map={layout_map}")
        mesh = layout_map.device_mesh
        if mesh is None:
            raise ValueError("The `layout_map` has no mesh: write LayoutMap(device_mesh).")
        super().__init__(mesh, batch_dim_name or mesh.axis_names[0], auto_shard_dataset)
        self._layout_map = layout_map
        if self.num_processes > self.num_model_replicas and self.num_processes % self.num_model_replicas:
            raise ValueError(
                "If `num_processes` is greater than `num_model_replicas`, `num_processes` must be divisible by "
                f"`num_model_replicas`. Got num_processes={self.num_processes}, "
                f"num_model_replicas={self.num_model_replicas}."
            )

    @property
    def num_model_replicas(self) -> int:
        """The length of the mesh axis for the data."""
        return dict(zip(self.device_mesh.axis_names, self.device_mesh.shape))[str(self.batch_dim_name)]

    def get_variable_layout(self, variable: Any) -> Any:
        """The variable's own layout, that of the rule its path matches, or whole on every device."""
        return own_layout(variable) or self._layout_map[variable.path] or self.whole(len(variable.shape))

    def variable_layouts(self, variables: Sequence[Any]) -> list[Any]:
        """The layouts of all variables of a model.

        Raises:
            ValueError: for a rule that matches no path, with the nearest paths.
        """
        from jaxkeras.distribution.rules import check_rules

        check_rules(self._layout_map, variables)
        return super().variable_layouts(variables)

    @property
    def places_outputs(self) -> bool:
        """Whether a rule may match the output of a layer."""
        return any("output" in rule for rule in self._layout_map)

    def get_tensor_layout(self, path: str) -> TensorLayout | None:
        """The layout of the rule that a path matches."""
        return self._layout_map[path]
