"""Cropping."""

from __future__ import annotations

from typing import Any

import jax

from jaxkeras import registry
from jaxkeras.layers._base.arguments import respell
from jaxkeras.layers.reshaping.base import _Ends


class _Cropping(_Ends):
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
        cropping: steps to cut: an integer, or a pair (start, end).

    Input shape: `(batch, steps, features)`.

    Raises:
        ValueError: when called on an input of which nothing would be left.

    Example:

    >>> Cropping1D(1)(jnp.ones((2, 5, 3))).shape
    (2, 3, 3)
    """

    rank = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any):
        super().__init__(cropping, "channels_last", **kwargs)


@registry.register("keras.layers")
@respell(cropping=((0, 0), (0, 0)))
class Cropping2D(_Cropping):
    """Cuts the borders off an image.

    Args:
        cropping: places to cut: an integer, one for height and width each, or a pair (start, end) for each.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Input shape: `(batch, height, width, channels)`, or channels second for `"channels_first"`.

    Raises:
        ValueError: when called on an input of which nothing would be left.

    Example:

    >>> Cropping2D(((1, 0), (2, 2)))(jnp.ones((2, 5, 6, 3))).shape
    (2, 4, 2, 3)
    """

    rank = 2


@registry.register("keras.layers")
@respell(cropping=((1, 1), (1, 1), (1, 1)))
class Cropping3D(_Cropping):
    """Cuts the borders off a volume.

    Args:
        cropping: places to cut: an integer, one for each spatial axis, or a pair (start, end) for each.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Input shape: `(batch, depth, height, width, channels)`, or channels second for `"channels_first"`.

    Raises:
        ValueError: when called on an input of which nothing would be left.

    Example:

    >>> Cropping3D(1)(jnp.ones((2, 4, 5, 6, 3))).shape
    (2, 2, 3, 4, 3)
    """

    rank = 3
