"""The base class of windowed pooling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax

from jaxkeras.layers._base.arguments import standardize_padding, tuple_of
from jaxkeras.layers._base.spatial import Spatial


class Pooling(Spatial):
    """A layer that reduces each window by `pool`."""

    pool: Callable[..., jax.Array]

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

    def build(self, input_shape: Any) -> None:
        sizes = [input_shape[axis] for axis in self.spatial_axes]
        if self.padding == "valid" and any(n is not None and n < w for n, w in zip(sizes, self.pool_size)):
            raise ValueError(
                f"{type(self).__name__} '{self.name}' would have an empty output: its window of {self.pool_size} does "
                f"not fit into an input of shape {tuple(input_shape)}. Use padding='same' or a smaller window."
            )

    def call(self, inputs: jax.Array) -> jax.Array:
        return type(self).pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)
