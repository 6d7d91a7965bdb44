"""Depthwise convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from jaxkeras import constraints, initializers, lowering, regularizers
from jaxkeras.core.variable import Variable
from jaxkeras.layers._base.arguments import positive_int, with_signature
from jaxkeras.layers.convolutional.base import BaseConv
from jaxkeras.registry import register


class _DepthwiseConv(BaseConv):
    """A depthwise convolution of any rank."""

    kernel: Variable
    allows_strides_with_dilation = True

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(
            filters=None, kernel_size=kernel_size, strides=strides, padding=padding, data_format=data_format,
            dilation_rate=dilation_rate, activation=activation, use_bias=use_bias,
            activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.depth_multiplier = positive_int(depth_multiplier, "depth_multiplier", self)

    def kernels(self, channels: int) -> dict[str, tuple[tuple[int, ...], str]]:
        return {"kernel": ((*self.kernel_size, channels, self.depth_multiplier), "depthwise")}

    def out_channels(self, channels: int) -> int:
        return channels * self.depth_multiplier

    def convolve(self, x: jax.Array) -> jax.Array:
        return lowering.depthwise_conv(x, self.kernel.value, **self.window())


@register("keras.layers")
class DepthwiseConv1D(_DepthwiseConv):
    """A convolution over the steps of a sequence, separately for each channel.

    Args:
        kernel_size: size of the window.
        strides: step of the window.
        padding: `"valid"` (no padding) or `"same"` (the output has `ceil(steps / strides)` steps).
        depth_multiplier: number of output channels per input channel.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        dilation_rate: spacing between the elements of the window.
        activation: a name or function; None for the identity.
        use_bias: whether to add a bias.
        depthwise_initializer, bias_initializer: initializers of the weights.
        depthwise_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        depthwise_constraint, bias_constraint: applied to the weights after each update.

    Input shape: `(batch, steps, channels)`, or `(batch, channels, steps)` for `"channels_first"`.

    Example:

    >>> DepthwiseConv1D(3, depth_multiplier=2)(jnp.ones((2, 8, 5))).shape
    (2, 6, 10)
    """

    rank = 1


@register("keras.layers")
@with_signature(strides=(1, 1), dilation_rate=(1, 1))
class DepthwiseConv2D(_DepthwiseConv):
    """A convolution over images, separately for each channel.

    Args: as in `DepthwiseConv1D`, with two numbers for sizes, strides and dilation.

    Input shape: `(batch, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> DepthwiseConv2D(3, padding="same")(jnp.ones((2, 8, 8, 5))).shape
    (2, 8, 8, 5)
    """

    rank = 2
