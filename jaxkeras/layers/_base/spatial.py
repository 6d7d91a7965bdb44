"""The base class of layers over the spatial axes of sequences, images and volumes."""

from __future__ import annotations

from typing import Any

from jaxkeras.core.config import standardize_data_format
from jaxkeras.layers._base.input_spec import InputSpec
from jaxkeras.layers._base.layer import Layer


class Spatial(Layer):
    """A layer over the spatial axes of an input of rank `rank + 2`; a subclass sets `rank`.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
    """

    rank = 0

    def __init__(self, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def spatial_axes(self) -> tuple[int, ...]:
        """The spatial axes, such as (1, 2) for images with channels last."""
        first = 2 if self.data_format == "channels_first" else 1
        return tuple(range(first, first + self.rank))
