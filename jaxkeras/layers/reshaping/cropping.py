"""Cropping."""

from __future__ import annotations

from typing import Any

import jax

from jaxkeras import registry
from jaxkeras.layers._base.arguments import with_signature
from jaxkeras.layers.reshaping.base import SpatialEnds


class _Cropping(SpatialEnds):
    """Cropping over any number of spatial axes."""

    def __init__(self, cropping: Any, data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.cropping = self._amounts(cropping, "cropping")

    def call(self, inputs: jax.Array) -> jax.Array:
        cuts = [slice(None)] * inputs.ndim
        for axis, (low, high) in self._ends(self.cropping).items():
            size = inputs.shape[axis]
            if low + high >= size:
                raise ValueError(
                    f"{type(self).__name__} '{self.name}' would cut {low} + {high} places off axis {axis}, which has "
                    f"only {size} in an input of shape {inputs.shape}."
                )
            cuts[axis] = slice(low, size - high)
        return inputs[tuple(cuts)]


@registry.register("keras.layers")
class Cropping1D(_Cropping):
    """Cuts the ends off a sequence.

    Args:
        cropping: number of steps to remove: an integer, or a pair (start, end).

    Input shape: `(batch, steps, features)`.

    Raises:
        ValueError: when called on an input that would be cropped to nothing.

    Example:

    >>> Cropping1D(1)(jnp.ones((2, 5, 3))).shape
    (2, 3, 3)
    """

    rank = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any):
        super().__init__(cropping, "channels_last", **kwargs)


@registry.register("keras.layers")
@with_signature(cropping=((0, 0), (0, 0)))
class Cropping2D(_Cropping):
    """Cuts the borders off an image.

    Args:
        cropping: number of pixels to remove: an integer, one each for height and width, or a pair (start, end) for
            each.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Input shape: `(batch, height, width, channels)`, or channels second for `"channels_first"`.

    Raises:
        ValueError: when called on an input that would be cropped to nothing.

    Example:

    >>> Cropping2D(((1, 0), (2, 2)))(jnp.ones((2, 5, 6, 3))).shape
    (2, 4, 2, 3)
    """

    rank = 2


@registry.register("keras.layers")
@with_signature(cropping=((1, 1), (1, 1), (1, 1)))
class Cropping3D(_Cropping):
    """Cuts the borders off a volume.

    Args:
        cropping: number of voxels to remove: an integer, one for each spatial axis, or a pair (start, end) for each.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Input shape: `(batch, depth, height, width, channels)`, or channels second for `"channels_first"`.

    Raises:
        ValueError: when called on an input that would be cropped to nothing.

    Example:

    >>> Cropping3D(1)(jnp.ones((2, 4, 5, 6, 3))).shape
    (2, 2, 3, 4, 3)
    """

    rank = 3
