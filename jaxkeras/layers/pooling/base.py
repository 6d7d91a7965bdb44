"""The base class of windowed pooling."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax

from jaxkeras.layers._base.arguments import standardize_padding, tuple_of
from jaxkeras.layers._base.spatial import Spatial


class Pooling(Spatial):
    """A layer that reduces each window by `pool`."""

    pool: Callable[..., jax.Array]
    pool_mode: str

    def __init__(
        self,
        pool_size: int | Sequence[int],
        strides: int | Sequence[int] | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, name=name, **kwargs)
        self.pool_size = tuple_of(pool_size, self.rank, "pool_size")
        self.strides = self.pool_size if strides is None else tuple_of(strides, self.rank, "strides")
        self.padding = standardize_padding(padding, self)

    def call(self, inputs: jax.Array) -> jax.Array:
        if self.padding == "valid":
            self._check_size(inputs.shape)
        return type(self).pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)

    def _check_size(self, shape: Sequence[int]) -> None:
        sizes = [shape[axis] for axis in self.spatial_axes]
        if all(n >= w for n, w in zip(sizes, self.pool_size)):
            return
        problem = (
            f"its window of {self.pool_size} does not fit into an input of shape {tuple(shape)}. Use padding='same' or "
            "a smaller window."
        )
        if any(n + s < w for n, w, s in zip(sizes, self.pool_size, self.strides)):
            raise ValueError(f"{type(self).__name__} '{self.name}' cannot pool: {problem}")
        warnings.warn(f"{type(self).__name__} '{self.name}' has an empty output: {problem}", stacklevel=2)
