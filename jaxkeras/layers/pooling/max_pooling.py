"""Max pooling."""

from __future__ import annotations

from jaxkeras import lowering
from jaxkeras.layers._base.arguments import with_signature
from jaxkeras.layers.pooling.base import Pooling
from jaxkeras.registry import register


class _MaxPooling(Pooling):
    pool_mode = "max"
    pool = staticmethod(lowering.max_pool)


@register("keras.layers")
@with_signature(pool_size=2)
class MaxPooling1D(_MaxPooling):
    """The largest value in each window of a sequence.

    Args:
        pool_size: size of the window.
        strides: step of the window; defaults to `pool_size`.
        padding: `"valid"` (no padding) or `"same"` (the output has `ceil(steps / strides)` steps).
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Input shape: `(batch, steps, channels)`, or `(batch, channels, steps)` for `"channels_first"`.

    Example:

    >>> MaxPooling1D(2)(jnp.ones((2, 8, 3))).shape
    (2, 4, 3)
    """

    rank = 1


@register("keras.layers")
@with_signature(pool_size=(2, 2))
class MaxPooling2D(_MaxPooling):
    """The largest value in each window of an image.

    Args: as in `MaxPooling1D`, with one integer or two for size and strides.

    Input shape: `(batch, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> MaxPooling2D(2)(jnp.ones((2, 8, 8, 3))).shape
    (2, 4, 4, 3)
    """

    rank = 2


@register("keras.layers")
@with_signature(pool_size=(2, 2, 2))
class MaxPooling3D(_MaxPooling):
    """The largest value in each window of a volume.

    Args: as in `MaxPooling1D`, with one integer or three for size and strides.

    Input shape: `(batch, depth, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> MaxPooling3D(2)(jnp.ones((2, 4, 4, 4, 3))).shape
    (2, 2, 2, 2, 3)
    """

    rank = 3


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
