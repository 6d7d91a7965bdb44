"""Layouts over a "model" axis, derived from the shapes and names of weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxkeras.distribution.layout import TensorLayout
from jaxkeras.distribution.mesh import DeviceMesh
from jaxkeras.distribution.strategies import Distribution, own_layout

_PROJECTIONS = ("query", "key", "value")


class TensorParallel(Distribution):
    """Weights are split over the mesh axis `"model"`, by rules that follow from their shapes.

    Attention is split by heads, embeddings by vocabulary. Of kernels that follow one another, the first is split by
    columns (its outputs) and the second by rows (its inputs), so that only the result of the second is summed over
    devices. What does not divide, and recurrent and normalization layers, are kept whole: see `layouts`.

    Args:
        device_mesh: a mesh with the axis `"model"`; batches are split over the axis `"data"` if it has one.
        auto_shard_dataset: see `Distribution`.

    Reference: [Shoeybi et al., 2019](https://arxiv.org/abs/1909.08053)

    Example:

    >>> import jaxkeras as jk
    >>> mesh = jk.distribution.DeviceMesh((1, 1), ["data", "model"], ["cpu:0"])
    >>> strategy = jk.distribution.TensorParallel(mesh)
    >>> model = jk.Sequential([jk.Input((8,)), jk.layers.Dense(4, name="a"), jk.layers.Dense(2, name="b")])
    >>> [layout.axes for layout in strategy.variable_layouts(model.weights)]
    [(None, 'model'), ('model',), ('model', None), (None,)]
    """

    def __init__(self, device_mesh: DeviceMesh, auto_shard_dataset: bool = True) -> None:
        if "model" not in device_mesh.axis_names:
            raise ValueError(f"The mesh needs an axis 'model'; it has {list(device_mesh.axis_names)}.")
        batch = "data" if "data" in device_mesh.axis_names else None
        super().__init__(device_mesh, batch, auto_shard_dataset)
        self._sizes = dict(zip(device_mesh.axis_names, device_mesh.shape))
        self._derived: dict[str, TensorLayout] = {}

    @property
    def num_model_replicas(self) -> int:
        """The length of the axis `"data"`."""
        return self._sizes.get("data", 1)

    def get_variable_layout(self, variable: Any) -> Any:
        """The variable's own layout; that derived for the model it belongs to; else whole on every device."""
        derived = self._derived.get(variable.path)
        if derived is not None and len(derived.axes) != len(variable.shape):  # another model's variable
            derived = None
        return own_layout(variable) or derived or self.whole(len(variable.shape))

    def variable_layouts(self, variables: Sequence[Any]) -> list[Any]:
        """The layouts of all variables of a model, in the order in which its layers compute."""
        recurrent = {_layer(v.path) for v in variables if v.name == "recurrent_kernel"}
        columns: int | None = None  # outputs of the last kernel that was split by columns
        split_bias: set[str] = set()
        found = []
        for v in variables:
            axis, shape = None, v.shape
            layer, owner = _layer(v.path), _layer(v.path).rpartition("/")[2]
            if layer in recurrent:
                pass
            elif v.name == "embeddings" and len(shape) == 2:
                axis = self._first_divisible(shape, (0, 1))
            elif owner in _PROJECTIONS and v.name in ("kernel", "bias") and len(shape) >= 2:  # [..., heads, size]
                axis = self._first_divisible(shape, (len(shape) - 2,))
            elif owner == "attention_output" and v.name == "kernel":
                axis = self._first_divisible(shape, (0,))
            elif v.name == "kernel" and len(shape) >= 2:
                row = columns == shape[-2]
                axis = self._first_divisible(shape, (len(shape) - 2,) if row else (len(shape) - 1,))
                columns = shape[-1] if axis == len(shape) - 1 else None
                if columns is not None:
                    split_bias.add(layer)
            elif v.name == "bias" and layer in split_bias:
                axis = 0
            axes: list[str | None] = [None] * len(shape)
            if axis is not None:
                axes[axis] = "model"
            layout = own_layout(v) or TensorLayout(axes, self.device_mesh)
            self._derived[v.path] = layout
            found.append(layout)
        return found

    def _first_divisible(self, shape: Sequence[int], axes: Sequence[int]) -> int | None:
        return next((axis for axis in axes if shape[axis] % self._sizes["model"] == 0), None)


def _layer(path: str) -> str:
    return path.rpartition("/")[0]
