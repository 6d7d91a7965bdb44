"""Convolutions with Keras's arguments, which become explicit numbers here."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec

from jaxkeras.core.context import local
from jaxkeras.lowering import dispatch, operations
from jaxkeras.lowering.geometry import (
    ConvSpec,
    channel_count,
    is_channels_first,
    ntuple,
    spatial_shape,
    transpose_pads,
    window_output,
    window_pads,
)

Array = jax.Array
Padding = str | Sequence[tuple[int, int]]


def _check_rank(x: Array, kernel: Array, operation: str) -> int:
    rank = x.ndim - 2
    if not 1 <= rank <= 3 or kernel.ndim != x.ndim:
        raise ValueError(
            f"{operation} takes an input of (batch, 1 to 3 spatial dimensions, channels) and a kernel of the same "
            f"number of dimensions, got input {x.shape} and kernel {kernel.shape}."
        )
    return rank


def _check_output(x: Array, kernel: Array, spec: ConvSpec) -> None:
    sizes = spatial_shape(x.shape, spec.channels_first)
    out = window_output(sizes, kernel.shape[:-2], spec.strides, spec.pads, spec.dilation, spec.input_dilation)
    if min(out) < 1 and 0 not in x.shape:
        raise ValueError(
            f"This convolution has an empty output {out}: a kernel of shape {kernel.shape} with dilation "
            f'{spec.dilation} does not fit into an input of shape {x.shape}. Use padding="same", a smaller kernel or '
            "a larger input."
        )


def _convolve(x: Array, kernel: Array, spec: ConvSpec) -> Array:
    """The convolution, in the kernel's dtype.

    Where a mesh splits the window of the kernel, it is gathered: the compiler (XLA of jax 0.10.2) divides some
    convolutions and gradients over the window wrongly, such as those of four taps within a loop.
    """
    if local.mesh is not None and not dispatch.has_sharded_types():
        window, free = [None] * (kernel.ndim - 2), [PartitionSpec.UNCONSTRAINED] * 2
        kernel = jax.lax.with_sharding_constraint(kernel, NamedSharding(local.mesh, PartitionSpec(*window, *free)))
    return operations.conv(x.astype(kernel.dtype), kernel, spec)


def conv(
    x: Array,
    kernel: Array,
    strides: int | Sequence[int] = 1,
    padding: Padding = "valid",
    data_format: str = "channels_last",
    dilation_rate: int | Sequence[int] = 1,
    groups: int | None = None,
) -> Array:
    """Convolution over 1, 2 or 3 spatial dimensions (cross-correlation, as everywhere in deep learning).

    Args:
        x: (batch, *spatial, channels), or (batch, channels, *spatial) for "channels_first"; cast to the kernel's
            dtype.
        kernel: (*window, channels / groups, filters).
        strides: One integer or one per spatial dimension.
        padding: "valid", "same", "causal", or explicit (low, high) pairs.
        data_format: "channels_last" or "channels_first".
        dilation_rate: One integer or one per spatial dimension.
        groups: Number of channel groups; inferred from the shapes where it is None.

    Returns:
        The convolved array in the same data format.

    Raises:
        ValueError: if shapes do not fit together or the output would be empty.

    Example:

    >>> import jax.numpy as jnp
    >>> conv(jnp.ones((1, 5, 5, 2)), jnp.ones((3, 3, 2, 4)), strides=2, padding="same").shape
    (1, 3, 3, 4)
    """
    rank = _check_rank(x, kernel, "conv")
    first = is_channels_first(data_format)
    channels, inner = channel_count(x.shape, first), kernel.shape[-2]
    inferred = channels // inner if inner else 0
    if channels != inferred * inner or (groups is not None and groups != inferred) or kernel.shape[-1] % inferred:
        raise ValueError(
            f"The kernel's input channels times the number of groups must be the input's channels, and groups must "
            f"divide the filters: got input {x.shape} ({data_format}, {channels} channels), kernel {kernel.shape} "
            f"and groups={groups}."
        )
    strides, dilation = ntuple(strides, rank, "strides"), ntuple(dilation_rate, rank, "dilation_rate")
    pads = window_pads(padding, spatial_shape(x.shape, first), kernel.shape[:-2], strides, dilation, allow_causal=True)
    spec = ConvSpec(strides, pads, dilation, (1,) * rank, inferred, first)
    _check_output(x, kernel, spec)
    return _convolve(x, kernel, spec)


def depthwise_conv(
    x: Array,
    kernel: Array,
    strides: int | Sequence[int] = 1,
    padding: Padding = "valid",
    data_format: str = "channels_last",
    dilation_rate: int | Sequence[int] = 1,
) -> Array:
    """Convolve every channel separately with `multiplier` kernels.

    Args:
        x: (batch, *spatial, channels) or (batch, channels, *spatial).
        kernel: (*window, channels, multiplier).
        strides, padding, data_format, dilation_rate: As in `conv`.

    Returns:
        An array with channels * multiplier channels; those of one input channel are adjacent.

    Raises:
        ValueError: if the channels of input and kernel differ.
    """
    channels = channel_count(x.shape, is_channels_first(data_format))
    if kernel.shape[-2] != channels:
        raise ValueError(
            f"A depthwise kernel has the input's channels next to last: got input {x.shape} ({data_format}) and "
            f"kernel {kernel.shape}."
        )
    kernel = kernel.reshape(*kernel.shape[:-2], 1, channels * kernel.shape[-1])
    return conv(x, kernel, strides, padding, data_format, dilation_rate, channels)


def separable_conv(
    x: Array,
    depthwise_kernel: Array,
    pointwise_kernel: Array,
    strides: int | Sequence[int] = 1,
    padding: Padding = "valid",
    data_format: str = "channels_last",
    dilation_rate: int | Sequence[int] = 1,
) -> Array:
    """A depthwise convolution followed by a 1x1 one that mixes the channels.

    Args:
        x: (batch, *spatial, channels) or (batch, channels, *spatial).
        depthwise_kernel: (*window, channels, multiplier).
        pointwise_kernel: (1, ..., 1, channels * multiplier, filters).
        strides, padding, data_format, dilation_rate: Of the depthwise step, as in `conv`.

    Returns:
        The convolved array with `filters` channels.
    """
    x = depthwise_conv(x, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(x, pointwise_kernel, data_format=data_format)


def conv_transpose(
    x: Array,
    kernel: Array,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    output_padding: int | Sequence[int] | None = None,
    data_format: str = "channels_last",
    dilation_rate: int | Sequence[int] = 1,
) -> Array:
    """The transpose of a convolution (Zeiler et al., 2010), with Keras's output shapes.

    Args:
        x: (batch, *spatial, channels) or (batch, channels, *spatial).
        kernel: (*window, filters, channels).
        strides: Output cells for every input cell.
        padding: "valid" or "same".
        output_padding: Cells added at the end of the output; None picks the default size.
        data_format: "channels_last" or "channels_first".
        dilation_rate: Holes between the taps of the kernel.

    Returns:
        For "same" n * strides cells, for "valid" (n - 1) * strides + max(extent, strides), unless `output_padding`
        says otherwise.

    Raises:
        ValueError: if shapes do not fit together.
    """
    rank = _check_rank(x, kernel, "conv_transpose")
    first = is_channels_first(data_format)
    if kernel.shape[-1] != channel_count(x.shape, first):
        raise ValueError(
            f"The kernel of a transposed convolution has the input's channels last: got input {x.shape} "
            f"({data_format}) and kernel {kernel.shape}."
        )
    strides, dilation = ntuple(strides, rank, "strides"), ntuple(dilation_rate, rank, "dilation_rate")
    extra = (output_padding,) * rank if output_padding is None or isinstance(output_padding, int) else output_padding
    pads = transpose_pads(kernel.shape[:-2], strides, padding.lower(), extra, dilation)
    spec = ConvSpec((1,) * rank, pads, dilation, strides, 1, first)
    kernel = jnp.swapaxes(jnp.flip(kernel, range(rank)), -1, -2)
    _check_output(x, kernel, spec)
    return _convolve(x, kernel, spec)
