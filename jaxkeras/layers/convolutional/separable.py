"""Depthwise separable convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from jaxkeras import constraints, initializers, lowering, regularizers
from jaxkeras.core.variable import Variable
from jaxkeras.layers._base.arguments import positive_int, with_signature
from jaxkeras.layers.convolutional.base import BaseConv
from jaxkeras.registry import register


class _SeparableConv(BaseConv):
    """A depthwise separable convolution of any rank."""

    filters: int
    depthwise_kernel: Variable
    pointwise_kernel: Variable
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
        super().__init__(
            filters=filters, kernel_size=kernel_size, strides=strides, padding=padding, data_format=data_format,
            dilation_rate=dilation_rate, activation=activation, use_bias=use_bias,
            activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.pointwise_constraint = constraints.get(pointwise_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.depth_multiplier = positive_int(depth_multiplier, "depth_multiplier", self)

    def kernels(self, channels: int) -> dict[str, tuple[tuple[int, ...], str]]:
        pointwise = ((1,) * self.rank + (channels * self.depth_multiplier, self.filters), "pointwise")
        return {
            "depthwise_kernel": ((*self.kernel_size, channels, self.depth_multiplier), "depthwise"),
            "pointwise_kernel": pointwise,
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
        padding: `"valid"` (no padding), `"same"` (the output has `ceil(steps / strides)` steps) or `"causal"`.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        dilation_rate: spacing between the elements of the window.
        depth_multiplier: number of channels between the two convolutions per input channel.
        activation: a name or function; None for the identity.
        use_bias: whether to add a bias.
        depthwise_initializer, pointwise_initializer, bias_initializer: initializers of the weights.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer: penalties added to the
            loss.
        depthwise_constraint, pointwise_constraint, bias_constraint: applied to the weights after each update.

    Input shape: `(batch, steps, channels)`, or `(batch, channels, steps)` for `"channels_first"`.

    Example:

    >>> SeparableConv1D(4, 3)(jnp.ones((2, 8, 5))).shape
    (2, 6, 4)
    """

    rank = 1
    allows_causal = True


@register("keras.layers")
@with_signature(strides=(1, 1), dilation_rate=(1, 1))
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
