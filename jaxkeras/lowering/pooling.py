"""Max and average pooling with Keras's arguments."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxkeras.lowering import operations
from jaxkeras.lowering.geometry import PoolSpec, is_channels_first, ntuple, spatial_shape, window_output, window_pads

Array = jax.Array


def _spec(
    x: Array, pool_size: int | Sequence[int], strides: int | Sequence[int] | None, padding: str, data_format: str
) -> PoolSpec:
    rank, first = x.ndim - 2, is_channels_first(data_format)
    if rank < 1:
        raise ValueError(f"Pooling takes (batch, spatial dimensions, channels), got an array of shape {x.shape}.")
    if padding.lower() not in ("valid", "same"):
        raise ValueError(f'`padding` of a pooling must be "valid" or "same", got {padding!r}.')
    window = ntuple(pool_size, rank, "pool_size")
    strides = window if strides is None else ntuple(strides, rank, "strides")
    sizes, ones = spatial_shape(x.shape, first), (1,) * rank
    pads = window_pads(padding, sizes, window, strides, ones)
    out = window_output(sizes, window, strides, pads, ones, ones)
    if min(out) < 0:
        raise ValueError(f"A pooling window of {window} does not fit into an input of shape {x.shape}.")
    return PoolSpec(window, strides, pads, first)


def max_pool(
    x: Array,
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str = "valid",
    data_format: str = "channels_last",
) -> Array:
    """The largest value in every window.

    Args:
        x: (batch, *spatial, channels), or (batch, channels, *spatial) for "channels_first".
        pool_size: Window, one integer or one per spatial dimension.
        strides: Steps between windows; the window itself where None.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first".

    Returns:
        The pooled array. Of equal values in a window, the first receives the gradient.

    Raises:
        ValueError: for an unknown padding or a window larger than the input.

    Example:

    >>> import jax.numpy as jnp
    >>> max_pool(jnp.arange(4.0).reshape(1, 4, 1), 2)[0, :, 0]
    Array([1., 3.], dtype=float32)
    """
    return operations.max_pool(x, _spec(x, pool_size, strides, padding, data_format))


def average_pool(
    x: Array,
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str = "valid",
    data_format: str = "channels_last",
) -> Array:
    """The mean of every window; with "same" padding the mean of the real cells only.

    Args:
        x: (batch, *spatial, channels), or (batch, channels, *spatial) for "channels_first".
        pool_size: Window, one integer or one per spatial dimension.
        strides: Steps between windows; the window itself where None.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first".

    Returns:
        The pooled array.

    Raises:
        ValueError: for an unknown padding or a window larger than the input.
    """
    return operations.average_pool(x, _spec(x, pool_size, strides, padding, data_format))


def global_average_pool(x: Array, axes: Sequence[int], keepdims: bool = False) -> Array:
    """The mean over all positions.

    Args:
        x: A floating-point array.
        axes: Its spatial axes.
        keepdims: Keep the axes with size 1.

    Returns:
        The means.

    Example:

    >>> import jax.numpy as jnp
    >>> global_average_pool(jnp.arange(4.0).reshape(1, 4, 1), (1,))
    Array([[1.5]], dtype=float32)
    """
    return operations.global_average_pool(jnp.asarray(x), tuple(axes), keepdims)
