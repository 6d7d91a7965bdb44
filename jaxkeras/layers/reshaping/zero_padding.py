"""Zero padding."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import registry
from jaxkeras.layers._base.arguments import with_signature
from jaxkeras.layers.reshaping.base import SpatialEnds


class _ZeroPadding(SpatialEnds):
    """Zero padding over any number of spatial axes."""

    def __init__(self, padding: Any, data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.padding = self._amounts(padding, "padding")

    def call(self, inputs: jax.Array) -> jax.Array:
        ends = self._ends(self.padding)
        return jnp.pad(inputs, [ends.get(axis, (0, 0)) for axis in range(inputs.ndim)])


@registry.register("keras.layers")
@with_signature(padding=1)
class ZeroPadding1D(_ZeroPadding):
    """Adds zeros at the ends of a sequence.

    Args:
        padding: number of steps to add: an integer, or a pair (start, end).
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Input shape: `(batch, steps, features)`, or features second for `"channels_first"`.

    Example:

    >>> ZeroPadding1D((0, 2))(jnp.ones((2, 5, 3))).shape
    (2, 7, 3)
    """

    rank = 1


@registry.register("keras.layers")
@with_signature(padding=(1, 1))
class ZeroPadding2D(_ZeroPadding):
    """Adds zeros around an image.

    Args:
        padding: number of pixels to add: an integer, one each for height and width, or a pair (start, end) for each.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Input shape: `(batch, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> ZeroPadding2D((1, 2))(jnp.ones((2, 5, 6, 3))).shape
    (2, 7, 10, 3)
    """

    rank = 2


@registry.register("keras.layers")
@with_signature(padding=((1, 1), (1, 1), (1, 1)))
class ZeroPadding3D(_ZeroPadding):
    """Adds zeros around a volume.

    Args:
        padding: number of voxels to add: an integer, one for each spatial axis, or a pair (start, end) for each.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Input shape: `(batch, depth, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> ZeroPadding3D(1)(jnp.ones((2, 4, 5, 6, 3))).shape
    (2, 6, 7, 8, 3)
    """

    rank = 3
