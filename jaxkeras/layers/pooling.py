"""Pooling over windows, over everything, and to a given size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import lowering
from jaxkeras.layers.arguments import respell, tuple_of
from jaxkeras.layers.spatial import Spatial
from jaxkeras.registry import register


class _Pooling(Spatial):
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
        self.padding = padding.lower() if isinstance(padding, str) else padding
        if self.padding not in ("valid", "same"):
            raise ValueError(f"`padding` of {type(self).__name__} must be 'valid' or 'same'; got {padding!r}.")

    def build(self, input_shape: Any) -> None:
        sizes = [input_shape[axis] for axis in self.spatial_axes]
        if self.padding == "valid" and any(n is not None and n < w for n, w in zip(sizes, self.pool_size)):
            raise ValueError(
                f"{type(self).__name__} '{self.name}' would have an empty output: its window of {self.pool_size} does "
                f"not fit into an input of shape {tuple(input_shape)}. Use padding='same' or a smaller window."
            )

    def call(self, inputs: jax.Array) -> jax.Array:
        return type(self).pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


class _MaxPooling(_Pooling):
    pool = staticmethod(lowering.max_pool)


class _AveragePooling(_Pooling):
    pool = staticmethod(lowering.average_pool)


@register("keras.layers")
@respell(pool_size=2)
class MaxPooling1D(_MaxPooling):
    """The largest value in each window of a sequence.

    Args:
        pool_size: size of the window.
        strides: step of the window; None takes `pool_size`.
        padding: `"valid"` (only whole windows) or `"same"` (the output has `ceil(steps / strides)` steps).
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Input shape: `(batch, steps, channels)`, or `(batch, channels, steps)` for `"channels_first"`.

    Example:

    >>> MaxPooling1D(2)(jnp.ones((2, 8, 3))).shape
    (2, 4, 3)
    """

    rank = 1


@register("keras.layers")
@respell(pool_size=(2, 2))
class MaxPooling2D(_MaxPooling):
    """The largest value in each window of an image.

    Args: as in `MaxPooling1D`, with one number, or two, for size and strides.

    Input shape: `(batch, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> MaxPooling2D(2)(jnp.ones((2, 8, 8, 3))).shape
    (2, 4, 4, 3)
    """

    rank = 2


@register("keras.layers")
@respell(pool_size=(2, 2, 2))
class MaxPooling3D(_MaxPooling):
    """The largest value in each window of a volume.

    Args: as in `MaxPooling1D`, with one number, or three, for size and strides.

    Input shape: `(batch, depth, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> MaxPooling3D(2)(jnp.ones((2, 4, 4, 4, 3))).shape
    (2, 2, 2, 2, 3)
    """

    rank = 3


@register("keras.layers")
class AveragePooling1D(_AveragePooling):
    """The mean of each window of a sequence; with `"same"` padding, of the real steps in it.

    Args: as in `MaxPooling1D`.

    Example:

    >>> AveragePooling1D(2)(jnp.ones((2, 8, 3))).shape
    (2, 4, 3)
    """

    rank = 1


@register("keras.layers")
class AveragePooling2D(_AveragePooling):
    """The mean of each window of an image; with `"same"` padding, of the real places in it.

    Args: as in `MaxPooling2D`.

    Example:

    >>> AveragePooling2D(2)(jnp.ones((2, 8, 8, 3))).shape
    (2, 4, 4, 3)
    """

    rank = 2


@register("keras.layers")
class AveragePooling3D(_AveragePooling):
    """The mean of each window of a volume; with `"same"` padding, of the real places in it.

    Args: as in `MaxPooling3D`.

    Example:

    >>> AveragePooling3D(2)(jnp.ones((2, 4, 4, 4, 3))).shape
    (2, 2, 2, 2, 3)
    """

    rank = 3


class _GlobalPooling(Spatial):
    reduce: Callable[..., jax.Array]

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.keepdims = keepdims

    def call(self, inputs: jax.Array) -> jax.Array:
        return type(self).reduce(inputs, self.spatial_axes, keepdims=self.keepdims)


class _GlobalMaxPooling(_GlobalPooling):
    reduce = staticmethod(jnp.max)


class _GlobalAveragePooling(_GlobalPooling):
    reduce = staticmethod(jnp.mean)


@register("keras.layers")
class GlobalMaxPooling1D(_GlobalMaxPooling):
    """The largest value of each channel over all steps.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        keepdims: whether the reduced axes stay, with size 1.

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
        keepdims: whether the reduced axes stay, with size 1.

    Call arguments:
        inputs: `(batch, steps, channels)`.
        mask: `(batch, steps)`, false where a step does not count.

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

    def compute_mask(self, inputs: jax.Array, previous_mask: Any = None) -> None:
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


def _ranges(size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """For each of `count` outputs the places it covers, `(count, widest)`, the last repeated; and how many."""
    start = np.arange(count) * size // count
    end = -(-(np.arange(count) + 1) * size // count)
    places = np.minimum(start[:, None] + np.arange(max(end - start)), end[:, None] - 1)
    return places, end - start


def _adaptive_max(x: jax.Array, axis: int, count: int) -> jax.Array:
    places, _ = _ranges(x.shape[axis], count)
    return jnp.max(jnp.take(x, places, axis), axis + 1)


def _adaptive_mean(x: jax.Array, axis: int, count: int) -> jax.Array:
    x = x.astype(jnp.result_type(x, float))  # the mean of integers
    places, counts = _ranges(x.shape[axis], count)
    weights = (np.arange(places.shape[1]) < counts[:, None]) / counts[:, None]
    parts = jnp.take(x, places, axis)
    shape = (*(1,) * axis, *weights.shape, *(1,) * (x.ndim - axis - 1))
    return jnp.sum(parts * jnp.asarray(weights, x.dtype).reshape(shape), axis + 1)


class _AdaptivePooling(Spatial):
    """Pooling to a given size: output i of n covers places `floor(i * size / n)` to `ceil((i + 1) * size / n)`."""

    pool: Callable[[jax.Array, int, int], jax.Array]

    def __init__(self, output_size: int | Sequence[int], data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.output_size = tuple_of(output_size, self.rank, "output_size")

    def call(self, inputs: jax.Array) -> jax.Array:
        for axis, count in zip(self.spatial_axes, self.output_size):
            inputs = type(self).pool(inputs, axis, count)
        return inputs


class _AdaptiveMaxPooling(_AdaptivePooling):
    pool = staticmethod(_adaptive_max)


class _AdaptiveAveragePooling(_AdaptivePooling):
    pool = staticmethod(_adaptive_mean)


@register("keras.layers")
class AdaptiveAveragePooling1D(_AdaptiveAveragePooling):
    """The mean of each part of a sequence, which is split into a given number of equal parts.

    Args:
        output_size: how many parts: an integer.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Example:

    >>> AdaptiveAveragePooling1D(4)(jnp.ones((2, 7, 3))).shape
    (2, 4, 3)
    """

    rank = 1


@register("keras.layers")
class AdaptiveAveragePooling2D(_AdaptiveAveragePooling):
    """The mean of each part of an image, which is split into a given number of equal parts.

    Args:
        output_size: how many parts: an integer, or one for each of height and width.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Example:

    >>> AdaptiveAveragePooling2D(4)(jnp.ones((2, 7, 9, 3))).shape
    (2, 4, 4, 3)
    """

    rank = 2


@register("keras.layers")
class AdaptiveAveragePooling3D(_AdaptiveAveragePooling):
    """The mean of each part of a volume, which is split into a given number of equal parts.

    Args:
        output_size: how many parts: an integer, or one for each of depth, height and width.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Example:

    >>> AdaptiveAveragePooling3D(4)(jnp.ones((2, 5, 6, 7, 3))).shape
    (2, 4, 4, 4, 3)
    """

    rank = 3


@register("keras.layers")
class AdaptiveMaxPooling1D(_AdaptiveMaxPooling):
    """The largest value of each part of a sequence, which is split into a given number of equal parts.

    Args:
        output_size: how many parts: an integer.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Example:

    >>> AdaptiveMaxPooling1D(4)(jnp.ones((2, 7, 3))).shape
    (2, 4, 3)
    """

    rank = 1


@register("keras.layers")
class AdaptiveMaxPooling2D(_AdaptiveMaxPooling):
    """The largest value of each part of an image, which is split into a given number of equal parts.

    Args:
        output_size: how many parts: an integer, or one for each of height and width.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Example:

    >>> AdaptiveMaxPooling2D(4)(jnp.ones((2, 7, 9, 3))).shape
    (2, 4, 4, 3)
    """

    rank = 2


@register("keras.layers")
class AdaptiveMaxPooling3D(_AdaptiveMaxPooling):
    """The largest value of each part of a volume, which is split into a given number of equal parts.

    Args:
        output_size: how many parts: an integer, or one for each of depth, height and width.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Example:

    >>> AdaptiveMaxPooling3D(4)(jnp.ones((2, 5, 6, 7, 3))).shape
    (2, 4, 4, 4, 3)
    """

    rank = 3


AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
