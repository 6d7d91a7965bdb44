"""Parameters, gradients and optimizer state split over all devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxkeras.distribution.layout import TensorLayout
from jaxkeras.distribution.strategies import Distribution, mesh_of, own_layout


class FullySharded(Distribution):
    """Data parallelism in which every device keeps only its part of parameters, gradients and optimizer state
    (ZeRO stage 3, FSDP). A step gathers parameters where it uses them, and keeps its part of the sum of gradients.

    The longest axis of a variable that divides by the number of devices is split; a variable without one is kept whole.

    Args:
        device_mesh: a mesh with one axis.
        devices: devices to make a mesh of, instead; all by default.
        only_if_needed: keep everything whole as long as the model fits on each device (`"auto"`).
        auto_shard_dataset: see `Distribution`.

    Reference: [Rajbhandari et al., 2020](https://arxiv.org/abs/1910.02054)

    Example:

    >>> import jaxkeras as jk
    >>> strategy = jk.distribution.FullySharded(devices=["cpu:0"])
    >>> strategy.layout_of_shape((3, 8)).axes
    (None, 'batch')
    """

    def __init__(
        self,
        device_mesh: Any = None,
        devices: Any = None,
        only_if_needed: bool = False,
        auto_shard_dataset: bool = True,
    ) -> None:
        mesh = mesh_of(device_mesh, devices, "batch")
        super().__init__(mesh, mesh.axis_names[0], auto_shard_dataset)
        self.only_if_needed = only_if_needed
        self._split = not only_if_needed

    @property
    def num_model_replicas(self) -> int:
        """The number of parts of a batch."""
        return self.device_mesh.shape[0]

    def layout_of_shape(self, shape: Sequence[int]) -> TensorLayout:
        """The layout of a variable of a shape."""
        axes: list[Any] = [None] * len(shape)
        fitting = [i for i, size in enumerate(shape) if size and size % self.num_model_replicas == 0]
        if fitting:
            axes[max(fitting, key=lambda i: shape[i])] = self.batch_dim_name
        return TensorLayout(axes, self.device_mesh)

    def get_variable_layout(self, variable: Any) -> Any:
        """The variable's own layout, or split along its longest axis."""
        own = own_layout(variable)
        if own is not None:
            return own
        return self.layout_of_shape(variable.shape) if self._split else self.whole(len(variable.shape))

    def variable_layouts(self, variables: Sequence[Any]) -> list[Any]:
        """The layouts of all variables of a model."""
        if self.only_if_needed:
            self._split = not fits(sum(v.size * np.dtype(v._dtype).itemsize for v in variables))
        return super().variable_layouts(variables)


def fits(nbytes: int) -> bool:
    """Whether a state of so many bytes leaves half of a device for gradients, activations and data."""
    stats = jax.local_devices()[0].memory_stats() or {}
    limit = stats.get("bytes_limit", float("inf"))
    return nbytes <= limit / 2
