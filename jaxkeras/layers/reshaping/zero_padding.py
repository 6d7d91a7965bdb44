"""Zero padding."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import registry
from jaxkeras.layers._base.arguments import respell
from jaxkeras.layers.reshaping.base import _Ends


class _ZeroPadding(_Ends):
    def __init__(self, padding: Any, data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.padding = self._amounts(padding, "padding")

    def call(self, inputs: jax.Array) -> jax.Array:
        ends = self._ends(self.padding)
        return jnp.pad(inputs, [ends.get(axis, (0, 0)) for axis in range(inputs.ndim)])


@registry.register("keras.layers")
@respell(padding=1)
class ZeroPadding1D(_ZeroPadding):
    """Zeros at the ends of a sequence.

    Args:
        padding: steps to add: an integer, or a pair (start, end).
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Input shape: `(batch, steps, features)`, or features second for `"channels_first"`.

    Example:

    >>> ZeroPadding1D((0, 2))(jnp.ones((2, 5, 3))).shape
    (2, 7, 3)
    """

    rank = 1


@registry.register("keras.layers")
@respell(padding=(1, 1))
class ZeroPadding2D(_ZeroPadding):
    """Zeros around an image.

    Args:
        padding: places to add: an integer, one for height and width each, or a pair (start, end) for each.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Input shape: `(batch, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> ZeroPadding2D((1, 2))(jnp.ones((2, 5, 6, 3))).shape
    (2, 7, 10, 3)
    """

    rank = 2


@registry.register("keras.layers")
@respell(padding=((1, 1), (1, 1), (1, 1)))
class ZeroPadding3D(_ZeroPadding):
    """Zeros around a volume.

    Args:
        padding: places to add: an integer, one for each spatial axis, or a pair (start, end) for each.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Input shape: `(batch, depth, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> ZeroPadding3D(1)(jnp.ones((2, 4, 5, 6, 3))).shape
    (2, 6, 7, 8, 3)
    """

    rank = 3
