"""The base class of convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from jaxkeras import activations
from jaxkeras.core.config import standardize_data_format
from jaxkeras.core.variable import Variable
from jaxkeras.layers._base.arguments import (
    add_configured_weight,
    known_size,
    positive_int,
    standardize_padding,
    tuple_of,
)
from jaxkeras.layers._base.input_spec import InputSpec
from jaxkeras.layers._base.layer import Layer
from jaxkeras.lowering.geometry import window_output, window_pads

_UNKNOWN = 2**30  # stands in for an unknown spatial size: any window fits


class BaseConv(Layer):
    """The part that all convolutions share: windows, data formats, bias and activation.

    A subclass sets `rank`, configures its weights in its constructor, names its kernels in `kernels` and applies them
    in `convolve`.
    """

    rank = 0
    allows_causal = False
    allows_strides_with_dilation = False
    bias: Variable | None

    def __init__(
        self,
        *,
        filters: int | None,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int],
        padding: str,
        data_format: str | None,
        dilation_rate: int | Sequence[int],
        activation: Any,
        use_bias: bool,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.filters = filters if filters is None else positive_int(filters, "filters", self)
        self.kernel_size = tuple_of(kernel_size, self.rank, "kernel_size")
        self.strides = tuple_of(strides, self.rank, "strides")
        self.dilation_rate = tuple_of(dilation_rate, self.rank, "dilation_rate")
        self.padding = standardize_padding(
            padding, self, ("valid", "same", "causal") if self.allows_causal else ("valid", "same")
        )
        self.data_format = standardize_data_format(data_format)
        self.activation, self.use_bias = activations.get(activation), use_bias
        self.input_spec = InputSpec(min_ndim=self.rank + 2)
        if not self.allows_strides_with_dilation and max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{type(self).__name__} cannot have strides and dilation at once; got strides={self.strides} and "
                f"dilation_rate={self.dilation_rate}."
            )

    @property
    def channel_axis(self) -> int:
        return -1 if self.data_format == "channels_last" else 1

    def kernels(self, channels: int) -> dict[str, tuple[tuple[int, ...], str]]:
        """For each kernel, by name, its shape and the prefix of its `..._initializer` and other settings."""
        raise NotImplementedError

    def convolve(self, x: jax.Array) -> jax.Array:
        """The convolution without bias and activation."""
        raise NotImplementedError

    def out_channels(self, channels: int) -> int:
        """The number of output channels for an input of `channels`."""
        return self.filters or channels

    def check_shape(self, input_shape: Sequence[int | None], channels: int) -> None:
        """Raise if the input is smaller than the window."""
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
        for name, (shape, prefix) in self.kernels(channels).items():
            setattr(self, name, add_configured_weight(self, name, shape, prefix))
        self.bias = add_configured_weight(self, "bias", (self.out_channels(channels),)) if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=self.rank + 2, axes={self.channel_axis: channels})

    def call(self, inputs: jax.Array) -> jax.Array:
        y = self.convolve(inputs)
        if self.bias is not None:
            last = self.data_format == "channels_last"
            y = y + (self.bias if last else self.bias.value.reshape((-1, *(1,) * self.rank)))
        return y if self.activation is None else self.activation(y)

    def window(self) -> dict[str, Any]:
        """The arguments that describe the window."""
        names = ("strides", "padding", "data_format", "dilation_rate")
        return {name: getattr(self, name) for name in names}
