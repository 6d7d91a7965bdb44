"""Pooling over all positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering
from jaxkeras.layers._base.spatial import Spatial
from jaxkeras.registry import register


class _GlobalPooling(Spatial):
    """A layer that reduces all spatial axes by `reduce`."""

    reduce: Callable[..., jax.Array]

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.keepdims = keepdims

    def call(self, inputs: jax.Array) -> jax.Array:
        return type(self).reduce(inputs, self.spatial_axes, keepdims=self.keepdims)


class _GlobalMaxPooling(_GlobalPooling):
    reduce = staticmethod(jnp.max)


class _GlobalAveragePooling(_GlobalPooling):
    reduce = staticmethod(lowering.global_average_pool)


@register("keras.layers")
class GlobalMaxPooling1D(_GlobalMaxPooling):
    """The largest value of each channel over all steps.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        keepdims: whether to keep the reduced axes with size 1.

    Input shape: `(batch, steps, channels)`. Output shape: `(batch, channels)`.

    Example:

    >>> GlobalMaxPooling1D()(jnp.ones((2, 8, 3))).shape
    (2, 3)
    """

    rank = 1


@register("keras.layers")
class GlobalMaxPooling2D(_GlobalMaxPooling):
    """The largest value of each channel over an image.

    Args: as in `GlobalMaxPooling1D`.

    Example:

    >>> GlobalMaxPooling2D()(jnp.ones((2, 8, 8, 3))).shape
    (2, 3)
    """

    rank = 2


@register("keras.layers")
class GlobalMaxPooling3D(_GlobalMaxPooling):
    """The largest value of each channel over a volume.

    Args: as in `GlobalMaxPooling1D`.

    Example:

    >>> GlobalMaxPooling3D(keepdims=True)(jnp.ones((2, 4, 4, 4, 3))).shape
    (2, 1, 1, 1, 3)
    """

    rank = 3


@register("keras.layers")
class GlobalAveragePooling1D(_GlobalAveragePooling):
    """The mean of each channel over all steps that are not masked.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        keepdims: whether to keep the reduced axes with size 1.

    Call arguments:
        inputs: `(batch, steps, channels)`.
        mask: `(batch, steps)`, False where a step is ignored.

    Example:

    >>> GlobalAveragePooling1D()(jnp.ones((2, 8, 3))).shape
    (2, 3)
    """

    rank = 1

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any):
        super().__init__(data_format, keepdims, **kwargs)
        self.supports_masking = True

    def call(self, inputs: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        if mask is None:
            return super().call(inputs)
        channels = 1 if self.data_format == "channels_first" else 2
        keep = jnp.expand_dims(mask, channels).astype(bool)
        total = jnp.sum(jnp.where(keep, inputs, 0), self.spatial_axes, keepdims=self.keepdims)
        return total / jnp.sum(keep.astype(inputs.dtype), self.spatial_axes, keepdims=self.keepdims)

    def compute_mask(self, inputs: jax.Array, mask: Any = None) -> None:
        return None


@register("keras.layers")
class GlobalAveragePooling2D(_GlobalAveragePooling):
    """The mean of each channel over an image.

    Args: as in `GlobalMaxPooling1D`.

    Example:

    >>> GlobalAveragePooling2D()(jnp.ones((2, 8, 8, 3))).shape
    (2, 3)
    """

    rank = 2


@register("keras.layers")
class GlobalAveragePooling3D(_GlobalAveragePooling):
    """The mean of each channel over a volume.

    Args: as in `GlobalMaxPooling1D`.

    Example:

    >>> GlobalAveragePooling3D()(jnp.ones((2, 4, 4, 4, 3))).shape
    (2, 3)
    """

    rank = 3


GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D


GlobalAvgPool3D = GlobalAveragePooling3D


GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
