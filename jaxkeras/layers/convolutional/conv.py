"""Convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import constraints, initializers, lowering, regularizers
from jaxkeras.core.variable import Variable
from jaxkeras.layers._base.arguments import with_signature
from jaxkeras.layers._base.lora import LowRank, adapted_weight
from jaxkeras.layers.convolutional.base import BaseConv
from jaxkeras.registry import register


class _Conv(LowRank, BaseConv):
    """A convolution of any rank."""

    filters: int
    kernel = adapted_weight("kernel")
    _kernel: Variable
    lora_kernel_a: Variable
    lora_kernel_b: Variable

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        lora = kwargs.pop("lora_rank", None), kwargs.pop("lora_alpha", None)
        super().__init__(
            filters=filters, kernel_size=kernel_size, strides=strides, padding=padding, data_format=data_format,
            dilation_rate=dilation_rate, activation=activation, use_bias=use_bias,
            activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.set_lora(*lora)
        self.groups = groups
        if groups <= 0 or filters % groups:
            raise ValueError(
                f"`groups` of {type(self).__name__} must be positive and divide `filters`; got groups={groups} and "
                f"filters={filters}."
            )

    def check_shape(self, input_shape: Sequence[int | None], channels: int) -> None:
        super().check_shape(input_shape, channels)
        if channels % self.groups:
            raise ValueError(
                f"{type(self).__name__} '{self.name}' splits the channels of its input into groups={self.groups}, "
                f"which must divide them; got {channels} channels in an input of shape {tuple(input_shape)}."
            )

    def kernels(self, channels: int) -> dict[str, tuple[tuple[int, ...], str]]:
        return {"kernel": ((*self.kernel_size, channels // self.groups, self.filters), "kernel")}

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.begin_lora()

    def convolve(self, x: jax.Array) -> jax.Array:
        return self.convolution_op(x, self.adapted_value())

    def convolution_op(self, inputs: jax.Array, kernel: jax.Array) -> jax.Array:
        """The convolution without bias and activation. Override it to transform the kernel first.

        Args:
            inputs: the inputs of the layer.
            kernel: `(*kernel_size, channels // groups, filters)`.

        Example:

        >>> class Standardized(Conv2D):
        ...     def convolution_op(self, inputs, kernel):
        ...         return super().convolution_op(inputs, (kernel - kernel.mean()) / kernel.std())
        >>> Standardized(4, 3)(jnp.ones((2, 8, 8, 3))).shape
        (2, 6, 6, 4)
        """
        return lowering.conv(inputs, jnp.asarray(kernel), groups=self.groups, **self.window())


@register("keras.layers")
class Conv1D(_Conv):
    """A convolution over the steps of a sequence.

    Args:
        filters: number of output channels.
        kernel_size: size of the window.
        strides: step of the window.
        padding: `"valid"` (no padding), `"same"` (the output has `ceil(steps / strides)` steps) or `"causal"` (no
            output depends on a later input).
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        dilation_rate: spacing between the elements of the window; cannot be combined with strides.
        groups: number of groups that the channels are split into, each with its own filters.
        activation: a name or function; None for the identity.
        use_bias: whether to add a bias.
        kernel_initializer, bias_initializer: initializers of the weights.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        kernel_constraint, bias_constraint: applied to the weights after each update.

    Input shape: `(batch, steps, channels)`, or `(batch, channels, steps)` for `"channels_first"`. The kernel has the
    shape `(kernel_size, channels // groups, filters)`.

    Raises:
        ValueError: for incompatible sizes.

    Example:

    >>> Conv1D(4, 3, padding="causal")(jnp.ones((2, 8, 5))).shape
    (2, 8, 4)
    """

    rank = 1
    allows_causal = True


@register("keras.layers")
@with_signature(strides=(1, 1), dilation_rate=(1, 1))
class Conv2D(_Conv):
    """A convolution over images.

    Args:
        filters: number of output channels.
        kernel_size: height and width of the window, or one integer for both.
        strides: steps of the window.
        padding: `"valid"` (no padding) or `"same"` (the output has size `ceil(size / strides)`).
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        dilation_rate: spacing between the elements of the window; cannot be combined with strides.
        groups: number of groups that the channels are split into, each with its own filters.
        activation, use_bias and the rest: as in `Conv1D`.

    Input shape: `(batch, height, width, channels)`, or `(batch, channels, height, width)` for `"channels_first"`. The
    kernel has the shape `(*kernel_size, channels // groups, filters)`.

    Example:

    >>> Conv2D(4, 3, padding="same", activation="relu")(jnp.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 4)
    """

    rank = 2


@register("keras.layers")
@with_signature(strides=(1, 1, 1), dilation_rate=(1, 1, 1))
class Conv3D(_Conv):
    """A convolution over volumes, or over images in time.

    Args: as in `Conv2D`, with three numbers for sizes, strides and dilation.

    Input shape: `(batch, depth, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> Conv3D(4, 3)(jnp.ones((2, 5, 5, 5, 1))).shape
    (2, 3, 3, 3, 4)
    """

    rank = 3


Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
