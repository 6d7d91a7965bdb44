"""Convolutions over sequences, images and volumes, and their transposes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering
from jaxkeras.core.config import standardize_data_format
from jaxkeras.layers.arguments import known_size, respell, settled_weight, tuple_of, weight_settings
from jaxkeras.layers.base import Layer
from jaxkeras.layers.dense import get_activation
from jaxkeras.layers.input_spec import InputSpec
from jaxkeras.layers.lora import LowRank
from jaxkeras.lowering.geometry import window_output, window_pads
from jaxkeras.registry import register

_UNKNOWN = 2**30  # stands for a spatial size that is not known yet: everything fits into it


class BaseConv(Layer):
    """What all convolutions share: windows, data formats, weights, bias and activation.

    A subclass sets `rank` and says which kernels it has (`kernels`) and what they do (`convolve`).
    """

    rank = 0
    allows_causal = False
    allows_strides_with_dilation = False

    def __init__(
        self,
        filters: int | None,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str | None,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        activity_regularizer: Any,
        settings: dict[str, Any],
        **kwargs: Any,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = filters
        self.kernel_size = tuple_of(kernel_size, self.rank, "kernel_size")
        self.strides = tuple_of(strides, self.rank, "strides")
        self.dilation_rate = tuple_of(dilation_rate, self.rank, "dilation_rate")
        paddings = ("valid", "same", "causal") if self.allows_causal else ("valid", "same")
        self.padding = padding.lower() if isinstance(padding, str) else padding
        if self.padding not in paddings:
            raise ValueError(
                f"`padding` of {type(self).__name__} must be {' or '.join(map(repr, paddings))}; got {padding!r}."
            )
        self.data_format = standardize_data_format(data_format)
        self.activation, self.use_bias = get_activation(activation), use_bias
        weight_settings(self, **settings)
        self.input_spec = InputSpec(min_ndim=self.rank + 2)
        if filters is not None and filters <= 0:
            raise ValueError(f"`filters` of {type(self).__name__} must be a positive integer; got {filters!r}.")
        if not self.allows_strides_with_dilation and max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{type(self).__name__} cannot have strides and dilation at once; got strides={self.strides} and "
                f"dilation_rate={self.dilation_rate}."
            )

    @property
    def channel_axis(self) -> int:
        return -1 if self.data_format == "channels_last" else 1

    def kernels(self, channels: int) -> dict[str, tuple[tuple[int, ...], str]]:
        """The kernels by name, each with its shape and the prefix of its settings."""
        raise NotImplementedError

    def convolve(self, x: jax.Array) -> jax.Array:
        raise NotImplementedError

    def out_channels(self, channels: int) -> int:
        return self.filters or channels

    def check_shape(self, input_shape: Sequence[int | None], channels: int) -> None:
        """Raise for an input that is smaller than the window."""
        first = 2 if self.data_format == "channels_first" else 1
        sizes = [_UNKNOWN if n is None else n for n in input_shape[first : first + self.rank]]
        ones = (1,) * self.rank
        pads = window_pads(self.padding, sizes, self.kernel_size, self.strides, self.dilation_rate, True)
        out = window_output(sizes, self.kernel_size, self.strides, pads, self.dilation_rate, ones)
        if min(out) < 1:
            raise ValueError(
                f"{type(self).__name__} '{self.name}' would have an empty output: a window of {self.kernel_size} with "
                f"dilation {self.dilation_rate} does not fit into an input of shape {tuple(input_shape)}. Use "
                "padding='same', a smaller kernel_size, or fewer strides and poolings before it."
            )

    def build(self, input_shape: Any) -> None:
        channels = known_size(self, input_shape, self.channel_axis)
        self.check_shape(input_shape, channels)
        for name, (shape, settings) in self.kernels(channels).items():
            setattr(self, name, settled_weight(self, name, shape, settings))
        self.bias = settled_weight(self, "bias", (self.out_channels(channels),)) if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=self.rank + 2, axes={self.channel_axis: channels})

    def call(self, inputs: jax.Array) -> jax.Array:
        y = self.convolve(inputs)
        if self.bias is not None:
            last = self.data_format == "channels_last"
            y = y + (self.bias if last else self.bias.value.reshape((-1, *(1,) * self.rank)))
        return self.activation(y)

    def window(self) -> dict[str, Any]:
        """The arguments that say how the window moves."""
        names = ("strides", "padding", "data_format", "dilation_rate")
        return {name: getattr(self, name) for name in names}


class _Conv(LowRank, BaseConv):
    filters: int

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
        settings = {
            "kernel_initializer": kernel_initializer, "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer, "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint, "bias_constraint": bias_constraint,
        }  # fmt: skip
        super().__init__(
            filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
            activity_regularizer, settings, **kwargs,
        )  # fmt: skip
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
        return self.convolution_op(x, self.corrected())

    def convolution_op(self, inputs: jax.Array, kernel: jax.Array) -> jax.Array:
        """The convolution without bias and activation. Override it to change the kernel first.

        Args:
            inputs: as the layer is given them.
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
        padding: `"valid"` (none), `"same"` (the output has `ceil(steps / strides)` steps) or `"causal"` (no output
            sees a later input).
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        dilation_rate: distance between the places a window looks at. Not together with strides.
        groups: number of groups the channels are split into, each with filters of its own.
        activation: a name or function; None for none.
        use_bias: whether to add a bias.
        kernel_initializer, bias_initializer: how the weights start.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        kernel_constraint, bias_constraint: applied to the weights after each update.

    Input shape: `(batch, steps, channels)`, or `(batch, channels, steps)` for `"channels_first"`. The kernel has the
    shape `(kernel_size, channels // groups, filters)`.

    Raises:
        ValueError: for sizes that do not fit together.

    Example:

    >>> Conv1D(4, 3, padding="causal")(jnp.ones((2, 8, 5))).shape
    (2, 8, 4)
    """

    rank = 1
    allows_causal = True


@register("keras.layers")
@respell(strides=(1, 1), dilation_rate=(1, 1))
class Conv2D(_Conv):
    """A convolution over images.

    Args:
        filters: number of output channels.
        kernel_size: height and width of the window, or one integer for both.
        strides: steps of the window.
        padding: `"valid"` (none) or `"same"` (the output has `ceil(size / strides)` places).
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        dilation_rate: distance between the places a window looks at. Not together with strides.
        groups: number of groups the channels are split into, each with filters of its own.
        activation, use_bias and what follows: as in `Conv1D`.

    Input shape: `(batch, height, width, channels)`, or `(batch, channels, height, width)` for `"channels_first"`. The
    kernel has the shape `(*kernel_size, channels // groups, filters)`.

    Example:

    >>> Conv2D(4, 3, padding="same", activation="relu")(jnp.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 4)
    """

    rank = 2


@register("keras.layers")
@respell(strides=(1, 1, 1), dilation_rate=(1, 1, 1))
class Conv3D(_Conv):
    """A convolution over volumes, or over images in time.

    Args: as in `Conv2D`, with three numbers for sizes, strides and dilation.

    Input shape: `(batch, depth, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> Conv3D(4, 3)(jnp.ones((2, 5, 5, 5, 1))).shape
    (2, 3, 3, 3, 4)
    """

    rank = 3


class _DepthwiseConv(BaseConv):
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
        settings = {
            "depthwise_initializer": depthwise_initializer, "bias_initializer": bias_initializer,
            "depthwise_regularizer": depthwise_regularizer, "bias_regularizer": bias_regularizer,
            "depthwise_constraint": depthwise_constraint, "bias_constraint": bias_constraint,
        }  # fmt: skip
        super().__init__(
            None, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
            activity_regularizer, settings, **kwargs,
        )  # fmt: skip
        self.depth_multiplier = _multiplier(self, depth_multiplier)

    def kernels(self, channels: int) -> dict[str, tuple[tuple[int, ...], str]]:
        return {"kernel": ((*self.kernel_size, channels, self.depth_multiplier), "depthwise")}

    def out_channels(self, channels: int) -> int:
        return channels * self.depth_multiplier

    def convolve(self, x: jax.Array) -> jax.Array:
        return lowering.depthwise_conv(x, self.kernel.value, **self.window())


def _multiplier(layer: Layer, value: Any) -> int:
    if not isinstance(value, int) or value <= 0:
        raise ValueError(f"`depth_multiplier` of {type(layer).__name__} must be a positive integer; got {value!r}.")
    return value


@register("keras.layers")
class DepthwiseConv1D(_DepthwiseConv):
    """A convolution of each channel on its own over the steps of a sequence.

    Args:
        kernel_size: size of the window.
        strides: step of the window.
        padding: `"valid"` (none) or `"same"` (the output has `ceil(steps / strides)` steps).
        depth_multiplier: output channels for each input channel.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        dilation_rate: distance between the places a window looks at.
        activation: a name or function; None for none.
        use_bias: whether to add a bias.
        depthwise_initializer, bias_initializer: how the weights start.
        depthwise_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        depthwise_constraint, bias_constraint: applied to the weights after each update.

    Input shape: `(batch, steps, channels)`, or `(batch, channels, steps)` for `"channels_first"`.

    Example:

    >>> DepthwiseConv1D(3, depth_multiplier=2)(jnp.ones((2, 8, 5))).shape
    (2, 6, 10)
    """

    rank = 1


@register("keras.layers")
@respell(strides=(1, 1), dilation_rate=(1, 1))
class DepthwiseConv2D(_DepthwiseConv):
    """A convolution of each channel on its own over images.

    Args: as in `DepthwiseConv1D`, with two numbers for sizes, strides and dilation.

    Input shape: `(batch, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> DepthwiseConv2D(3, padding="same")(jnp.ones((2, 8, 8, 5))).shape
    (2, 8, 8, 5)
    """

    rank = 2


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


class _ConvTranspose(BaseConv):
    filters: int

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
        settings = {
            "kernel_initializer": kernel_initializer, "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer, "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint, "bias_constraint": bias_constraint,
        }  # fmt: skip
        super().__init__(
            filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
            activity_regularizer, settings, **kwargs,
        )  # fmt: skip
        given = output_padding is not None
        self.output_padding = tuple_of(output_padding, self.rank, "output_padding", minimum=0) if given else None
        if any(extra >= stride for extra, stride in zip(self.output_padding or (), self.strides)):
            raise ValueError(
                f"`output_padding` of {type(self).__name__} must be smaller than `strides` along each axis; got "
                f"output_padding={self.output_padding} and strides={self.strides}."
            )

    def check_shape(self, input_shape: Sequence[int | None], channels: int) -> None:
        """Any input can be enlarged."""

    def kernels(self, channels: int) -> dict[str, tuple[tuple[int, ...], str]]:
        return {"kernel": ((*self.kernel_size, self.filters, channels), "kernel")}

    def convolve(self, x: jax.Array) -> jax.Array:
        return lowering.conv_transpose(x, self.kernel.value, output_padding=self.output_padding, **self.window())


@register("keras.layers")
class Conv1DTranspose(_ConvTranspose):
    """The transpose of a convolution over the steps of a sequence: it enlarges by `strides` (Zeiler et al., 2010).

    Args:
        filters: number of output channels.
        kernel_size: size of the window.
        strides: output steps for each input step.
        padding: `"valid"` or `"same"` (the output has `steps * strides` steps).
        output_padding: steps added at the end, fewer than `strides`; None picks the default size.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        dilation_rate: distance between the places a window writes to. Not together with strides.
        activation: a name or function; None for none.
        use_bias: whether to add a bias.
        kernel_initializer, bias_initializer: how the weights start.
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
@respell(strides=(1, 1), dilation_rate=(1, 1))
class Conv2DTranspose(_ConvTranspose):
    """The transpose of a convolution over images: it enlarges by `strides` (Zeiler et al., 2010).

    Args: as in `Conv1DTranspose`, with two numbers for sizes, strides and dilation.

    Input shape: `(batch, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> Conv2DTranspose(4, 3, strides=2, padding="same")(jnp.ones((2, 8, 8, 5))).shape
    (2, 16, 16, 4)
    """

    rank = 2


@register("keras.layers")
@respell(
    "filters", "kernel_size", "strides", "padding", "data_format", strides=(1, 1, 1), dilation_rate=(1, 1, 1)
)  # Keras has data_format before output_padding here, and nowhere else
class Conv3DTranspose(_ConvTranspose):
    """The transpose of a convolution over volumes: it enlarges by `strides` (Zeiler et al., 2010).

    Args: as in `Conv1DTranspose`, with three numbers for sizes, strides and dilation.

    Input shape: `(batch, depth, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> Conv3DTranspose(4, 3)(jnp.ones((2, 2, 2, 2, 1))).shape
    (2, 4, 4, 4, 4)
    """

    rank = 3


Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
Convolution1DTranspose, Convolution2DTranspose = Conv1DTranspose, Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
