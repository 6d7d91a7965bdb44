"""Average pooling."""

from __future__ import annotations

from jaxkeras import lowering
from jaxkeras.layers.pooling.base import Pooling
from jaxkeras.registry import register


class _AveragePooling(Pooling):
    pool_mode = "average"
    pool = staticmethod(lowering.average_pool)


@register("keras.layers")
class AveragePooling1D(_AveragePooling):
    """The mean of each window of a sequence; padding does not count.

    Args: as in `MaxPooling1D`.

    Example:

    >>> AveragePooling1D(2)(jnp.ones((2, 8, 3))).shape
    (2, 4, 3)
    """

    rank = 1


@register("keras.layers")
class AveragePooling2D(_AveragePooling):
    """The mean of each window of an image; padding does not count.

    Args: as in `MaxPooling2D`.

    Example:

    >>> AveragePooling2D(2)(jnp.ones((2, 8, 8, 3))).shape
    (2, 4, 4, 3)
    """

    rank = 2


@register("keras.layers")
class AveragePooling3D(_AveragePooling):
    """The mean of each window of a volume; padding does not count.

    Args: as in `MaxPooling3D`.

    Example:

    >>> AveragePooling3D(2)(jnp.ones((2, 4, 4, 4, 3))).shape
    (2, 2, 2, 2, 3)
    """

    rank = 3


AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
