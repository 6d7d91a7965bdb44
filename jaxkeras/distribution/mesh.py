"""Devices, and meshes of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh


def list_devices(device_type: str | None = None) -> list[str]:
    """The devices of all processes, such as `["cpu:0"]`.

    Args:
        device_type: `"cpu"`, `"gpu"` or `"tpu"`; by default the kind that JAX prefers.

    Example:

    >>> list_devices("cpu")[0]
    'cpu:0'
    """
    return [f"{device.platform}:{device.id}" for device in jax.devices(device_type and device_type.lower())]


def get_device_count(device_type: str | None = None) -> int:
    """The number of devices of all processes.

    Args:
        device_type: `"cpu"`, `"gpu"` or `"tpu"`; by default the kind that JAX prefers.

    Example:

    >>> get_device_count("cpu") == len(list_devices("cpu"))
    True
    """
    return jax.device_count(device_type and device_type.lower())


def to_jax_device(device: Any) -> Any:
    """A device from its name.

    Raises:
        ValueError: if there is no such device.
    """
    if isinstance(device, jax.Device):
        return device
    kind, _, number = str(device).partition(":")
    for found in jax.devices(kind):
        if found.platform == kind and found.id == int(number or 0):
            return found
    raise ValueError(f"Device not found: {device!r}. The devices are {', '.join(list_devices(kind))}.")


class DeviceMesh:
    """Devices in a grid whose axes have names, as `jax.sharding.Mesh`.

    Args:
        shape: the length of each axis: `(8,)`, or `(2, 4)`.
        axis_names: a name for each axis: `["batch"]`, or `["batch", "model"]`.
        devices: the devices, as names or `jax.Device`s; all of them by default.

    Raises:
        ValueError: if the axes do not multiply to the number of devices.

    Example:

    >>> import jaxkeras as jk
    >>> mesh = jk.distribution.DeviceMesh((1, 1), ["batch", "model"], ["cpu:0"])
    >>> mesh.devices.shape
    (1, 1)
    """

    def __init__(self, shape: Sequence[int], axis_names: Sequence[str], devices: Any = None):
        if not shape or not axis_names:
            raise ValueError(
                f"Shape and axis_names cannot be empty. Received: shape={shape}, axis_names={axis_names}. "
                'Write DeviceMesh((8,), ["batch"]).'
            )
        if len(shape) != len(axis_names):
            raise ValueError(
                f"Shape and axis_names should have same size. Received: shape={shape}, axis_names={axis_names}."
            )
        grid = np.array(list_devices() if devices is None else devices)
        if math.prod(shape) != grid.size:
            raise ValueError(
                f"Shape does not match the number of devices. Received: shape={shape}; devices.shape={grid.shape}. "
                f"The axes {dict(zip(axis_names, shape))} multiply to {math.prod(shape)}, but there are {grid.size} "
                "devices; give `devices` to use a part of them."
            )
        self._shape, self._axis_names, self._devices = shape, axis_names, grid.reshape(shape)
        self._backend_mesh: Mesh | None = None

    @property
    def shape(self) -> Sequence[int]:
        """The length of each axis."""
        return self._shape

    @property
    def axis_names(self) -> Sequence[str]:
        """The name of each axis."""
        return self._axis_names

    @property
    def devices(self) -> np.ndarray:
        """The devices, in an array of this shape."""
        return self._devices

    @property
    def backend_mesh(self) -> Mesh:
        """The `jax.sharding.Mesh`, whose axes the compiler distributes over by itself (`AxisType.Auto`)."""
        if self._backend_mesh is None:
            grid = np.array([to_jax_device(d) for d in self._devices.flat], object).reshape(self._devices.shape)
            self._backend_mesh = Mesh(grid, tuple(self._axis_names), axis_types=(AxisType.Auto,) * grid.ndim)
        return self._backend_mesh

    def __repr__(self) -> str:
        return f"<{type(self).__name__} shape={self.shape}, axis_names={self.axis_names}>"
