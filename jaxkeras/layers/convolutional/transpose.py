"""Transposed convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from jaxkeras import constraints, initializers, lowering, regularizers
from jaxkeras.core.variable import Variable
from jaxkeras.layers._base.arguments import tuple_of, with_signature
from jaxkeras.layers.convolutional.base import BaseConv
from jaxkeras.registry import register


class _ConvTranspose(BaseConv):
    """A transposed convolution of any rank."""

    filters: int
    kernel: Variable

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        output_padding: int | Sequence[int] | None = None,
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
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
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = tuple_of(output_padding, self.rank, "output_padding", minimum=0)
        if any(extra >= stride for extra, stride in zip(self.output_padding or (), self.strides)):
            raise ValueError(
                f"`output_padding` of {type(self).__name__} must be smaller than `strides` along each axis; got "
                f"output_padding={self.output_padding} and strides={self.strides}."
            )

    def check_shape(self, input_shape: Sequence[int | None], channels: int) -> None:
        """Accept any size: a transposed convolution never has an empty output."""

    def kernels(self, channels: int) -> dict[str, tuple[tuple[int, ...], str]]:
        return {"kernel": ((*self.kernel_size, self.filters, channels), "kernel")}

    def convolve(self, x: jax.Array) -> jax.Array:
        return lowering.conv_transpose(x, self.kernel.value, output_padding=self.output_padding, **self.window())


@register("keras.layers")
class Conv1DTranspose(_ConvTranspose):
    """A transposed convolution over the steps of a sequence, which upsamples by `strides` (Zeiler et al., 2010).

    Args:
        filters: number of output channels.
        kernel_size: size of the window.
        strides: number of output steps per input step.
        padding: `"valid"` or `"same"` (the output has `steps * strides` steps).
        output_padding: steps added at the end, fewer than `strides`; None for the default output size.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        dilation_rate: spacing between the elements of the window; cannot be combined with strides.
        activation: a name or function; None for the identity.
        use_bias: whether to add a bias.
        kernel_initializer, bias_initializer: initializers of the weights.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        kernel_constraint, bias_constraint: applied to the weights after each update.

    Input shape: `(batch, steps, channels)`, or `(batch, channels, steps)` for `"channels_first"`. The kernel has the
    shape `(kernel_size, filters, channels)`.

    Example:

    >>> Conv1DTranspose(4, 3, strides=2, padding="same")(jnp.ones((2, 8, 5))).shape
    (2, 16, 4)
    """

    rank = 1


@register("keras.layers")
@with_signature(strides=(1, 1), dilation_rate=(1, 1))
class Conv2DTranspose(_ConvTranspose):
    """A transposed convolution over images, which upsamples by `strides` (Zeiler et al., 2010).

    Args: as in `Conv1DTranspose`, with two numbers for sizes, strides and dilation.

    Input shape: `(batch, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> Conv2DTranspose(4, 3, strides=2, padding="same")(jnp.ones((2, 8, 8, 5))).shape
    (2, 16, 16, 4)
    """

    rank = 2


@register("keras.layers")
@with_signature(
    "filters", "kernel_size", "strides", "padding", "data_format", strides=(1, 1, 1), dilation_rate=(1, 1, 1)
)  # Keras has data_format before output_padding here, and nowhere else
class Conv3DTranspose(_ConvTranspose):
    """A transposed convolution over volumes, which upsamples by `strides` (Zeiler et al., 2010).

    Args: as in `Conv1DTranspose`, with three numbers for sizes, strides and dilation.

    Input shape: `(batch, depth, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> Conv3DTranspose(4, 3)(jnp.ones((2, 2, 2, 2, 1))).shape
    (2, 4, 4, 4, 4)
    """

    rank = 3


Convolution1DTranspose, Convolution2DTranspose = Conv1DTranspose, Conv2DTranspose


Convolution3DTranspose = Conv3DTranspose
