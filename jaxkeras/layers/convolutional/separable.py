"""Depthwise separable convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from jaxkeras import lowering
from jaxkeras.layers._base.arguments import respell
from jaxkeras.layers.convolutional.base import BaseConv, _multiplier
from jaxkeras.registry import register


class _SeparableConv(BaseConv):
    filters: int
    allows_strides_with_dilation = True

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        settings = {
            "depthwise_initializer": depthwise_initializer, "pointwise_initializer": pointwise_initializer,
            "bias_initializer": bias_initializer, "depthwise_regularizer": depthwise_regularizer,
            "pointwise_regularizer": pointwise_regularizer, "bias_regularizer": bias_regularizer,
            "depthwise_constraint": depthwise_constraint, "pointwise_constraint": pointwise_constraint,
            "bias_constraint": bias_constraint,
        }  # fmt: skip
        super().__init__(
            filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
            activity_regularizer, settings, **kwargs,
        )  # fmt: skip
        self.depth_multiplier = _multiplier(self, depth_multiplier)

    def kernels(self, channels: int) -> dict[str, tuple[tuple[int, ...], str]]:
        mixed = ((1,) * self.rank + (channels * self.depth_multiplier, self.filters), "pointwise")
        return {
            "depthwise_kernel": ((*self.kernel_size, channels, self.depth_multiplier), "depthwise"),
            "pointwise_kernel": mixed,
        }

    def convolve(self, x: jax.Array) -> jax.Array:
        return lowering.separable_conv(x, self.depthwise_kernel.value, self.pointwise_kernel.value, **self.window())


@register("keras.layers")
class SeparableConv1D(_SeparableConv):
    """A depthwise convolution over the steps of a sequence, then a pointwise one that mixes the channels.

    Args:
        filters: number of output channels.
        kernel_size: size of the window.
        strides: step of the window.
        padding: `"valid"` (none), `"same"` (the output has `ceil(steps / strides)` steps) or `"causal"`.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        dilation_rate: distance between the places a window looks at.
        depth_multiplier: channels between the two convolutions, for each input channel.
        activation: a name or function; None for none.
        use_bias: whether to add a bias.
        depthwise_initializer, pointwise_initializer, bias_initializer: how the weights start.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer: penalties.
        depthwise_constraint, pointwise_constraint, bias_constraint: applied to the weights after each update.

    Input shape: `(batch, steps, channels)`, or `(batch, channels, steps)` for `"channels_first"`.

    Example:

    >>> SeparableConv1D(4, 3)(jnp.ones((2, 8, 5))).shape
    (2, 6, 4)
    """

    rank = 1
    allows_causal = True


@register("keras.layers")
@respell(strides=(1, 1), dilation_rate=(1, 1))
class SeparableConv2D(_SeparableConv):
    """A depthwise convolution over images, then a pointwise one that mixes the channels (Chollet, 2017).

    Args: as in `SeparableConv1D`, with two numbers for sizes, strides and dilation.

    Input shape: `(batch, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> SeparableConv2D(4, 3, padding="same")(jnp.ones((2, 8, 8, 5))).shape
    (2, 8, 8, 4)
    """

    rank = 2


SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
