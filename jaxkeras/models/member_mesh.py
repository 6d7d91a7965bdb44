"""Members of a population split over several devices: each device runs the program of its own members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxkeras.core import placement
from jaxkeras.training.placement import OneDevice

AXIS = "members"


class MemberMesh(OneDevice):
    """Devices that each hold some members of a population. Every device gets all batches.

    Args:
        devices: at least two.

    Attributes:
        members: the sharding of arrays whose first axis is that of members.
        columns: that of arrays whose second axis is.
        replicated: that of data.
    """

    def __init__(self, devices: Any):
        self.mesh = Mesh(np.array(devices), (AXIS,))
        self.members, self.columns, self.replicated = (
            NamedSharding(self.mesh, spec) for spec in (_spec(0), _spec(1), _spec(None))
        )

    @classmethod
    def current(cls) -> MemberMesh | None:
        """The devices of the distribution in force, else all; of several processes each has its own. None for one."""
        distribution, default = placement.current(), jax.config.jax_default_device  # type: ignore[attr-defined]
        if distribution is not None:
            devices = list(distribution.device_mesh.backend_mesh.devices.flat)
        else:
            devices = jax.local_devices() if default is None else []
        devices = [device for device in devices if device.process_index == jax.process_index()]
        return cls(devices) if len(devices) > 1 else None

    def padded(self, count: int) -> int:
        """The number of rows that hold `count` members and can be split evenly."""
        return count + -count % self.mesh.size

    def split(self, function: Callable[..., Any], in_axes: Any, out_axes: Any) -> Callable[..., Any]:
        """A function on each device's part of its arguments.

        Args:
            function: works on any number of members.
            in_axes, out_axes: the axis of members in the arguments and results, as for `jax.vmap`.
        """
        specs = jax.tree.map(_spec, (in_axes, out_axes), is_leaf=lambda axis: axis is None)
        return jax.shard_map(function, mesh=self.mesh, in_specs=specs[0], out_specs=specs[1], check_vma=False)

    # -- the ways of a feed: see `OneDevice` ----------------------------------------------------------------------
    def whole(self, order: Any) -> Any:
        return jax.device_put(order, self.replicated)

    def resident(self, arrays: Any) -> Any:
        return self.whole(arrays)

    def batch(self, arrays: Any) -> Any:
        return self.whole(arrays)

    def chunk(self, arrays: Any, size: int) -> Any:
        return self.whole(arrays)

    def used_once(self, arrays: Any, size: int | None) -> Any:
        return self.whole(arrays)

    def resident_spec(self, arrays: Any) -> Any:
        return self.batch_spec(super().resident_spec(arrays))

    def batch_spec(self, specs: Any) -> Any:
        return jax.tree.map(lambda s: s.update(sharding=self.replicated), specs)

    def chunk_spec(self, specs: Any, size: int) -> Any:
        return self.batch_spec(specs)


def _spec(axis: int | None) -> PartitionSpec:
    return PartitionSpec() if axis is None else PartitionSpec(*[None] * axis, AXIS)
