"""Pooling."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import lowering
from jaxkeras.core.config import standardize_data_format
from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import Shape, TensorLike, as_array


@op
def max_pool(
    inputs: TensorLike,
    pool_size: Shape,
    strides: Shape | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """Largest element of each window.

    Args:
        inputs: array of shape `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for `"channels_first"`.
        pool_size: size of a window, along each spatial axis.
        strides: step between windows; `pool_size` by default.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array in the layout of `inputs`.

    Example:

    >>> max_pool([[[1.0], [4.0], [2.0], [3.0]]], 2).tolist()
    [[[4.0], [3.0]]]
    """
    return lowering.max_pool(as_array(inputs), pool_size, strides, padding, standardize_data_format(data_format))


@op
def average_pool(
    inputs: TensorLike,
    pool_size: Shape,
    strides: Shape | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """Mean of each window; padding does not count.

    Args:
        inputs: array of shape `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for `"channels_first"`.
        pool_size: size of a window, along each spatial axis.
        strides: step between windows; `pool_size` by default.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array in the layout of `inputs`.

    Example:

    >>> average_pool([[[1.0], [4.0], [2.0], [3.0]]], 2).tolist()
    [[[2.5], [2.5]]]
    """
    return lowering.average_pool(as_array(inputs), pool_size, strides, padding, standardize_data_format(data_format))


def _adaptive(
    inputs: TensorLike, output_size: Shape, data_format: str | None, reduce: Callable[..., jax.Array]
) -> jax.Array:
    """Reduce windows: number `i` of `m` along an axis of size `n` is from `floor(i n / m)` to `ceil((i + 1) n / m)`."""
    x = as_array(inputs)
    rank = x.ndim - 2
    if rank not in (1, 2, 3):
        raise ValueError(f"Adaptive pooling takes one to three spatial axes, got shape {x.shape}.")
    sizes = (output_size,) * rank if isinstance(output_size, int) else tuple(output_size)
    first = 2 if standardize_data_format(data_format) == "channels_first" else 1
    for axis, size in enumerate(sizes, start=first):
        length = x.shape[axis]
        starts = np.arange(size) * length // size
        ends = -(-np.arange(1, size + 1) * length // size)
        places = starts[:, None] + np.arange((ends - starts).max())
        windows = jnp.take(x, np.minimum(places, length - 1), axis=axis)
        inside = (places < ends[:, None]).reshape(places.shape + (1,) * (x.ndim - axis - 1))
        x = reduce(windows, axis=axis + 1, where=inside)
    return x


@op
def adaptive_average_pool(inputs: TensorLike, output_size: Shape, data_format: str | None = None) -> jax.Array:
    """Means of windows, as many as the output has elements.

    Args:
        inputs: array of shape `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for `"channels_first"`.
        output_size: spatial size of the output, along each axis.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array in the layout of `inputs`.

    Raises:
        ValueError: for an array without one to three spatial axes.

    Example:

    >>> adaptive_average_pool([[[1.0], [4.0], [2.0]]], 2).tolist()
    [[[2.5], [3.0]]]
    """
    return _adaptive(inputs, output_size, data_format, jnp.mean)


@op
def adaptive_max_pool(inputs: TensorLike, output_size: Shape, data_format: str | None = None) -> jax.Array:
    """Largest elements of windows, as many as the output has elements.

    Args:
        inputs: array of shape `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for `"channels_first"`.
        output_size: spatial size of the output, along each axis.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array in the layout of `inputs`.

    Raises:
        ValueError: for an array without one to three spatial axes.

    Example:

    >>> adaptive_max_pool([[[1.0], [4.0], [2.0]]], 2).tolist()
    [[[4.0], [4.0]]]
    """
    return _adaptive(
        inputs, output_size, data_format, lambda x, axis, where: jnp.max(x, axis, where=where, initial=-jnp.inf)
    )
