"""The short-time Fourier transform as a layer."""

from __future__ import annotations

import math
import warnings
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import initializers, lowering, registry
from jaxkeras.core import config
from jaxkeras.core.config import standardize_data_format
from jaxkeras.core.dtypes import is_float_dtype
from jaxkeras.core.variable import Variable
from jaxkeras.layers._base.input_spec import InputSpec
from jaxkeras.layers._base.layer import Layer

_MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")


@registry.register("keras.layers")
class STFTSpectrogram(Layer):
    """Short-time Fourier transform of signals, as convolutions with trainable kernels.

    Args:
        mode: "log" (of the magnitude), "magnitude", "psd" (power spectral density), "real", "imag", "angle" (phase), or
            "stft" (real, then imaginary parts).
        frame_length: number of samples of a frame.
        frame_step: number of samples from one frame to the next; defaults to half of `frame_length`.
        fft_length: size of the Fourier transform; defaults to the next power of two.
        window: name of a window of `scipy.signal`, an array of `frame_length` weights, or None.
        periodic: whether a named window is periodic.
        scaling: "density", "spectrum" or None.
        padding: "valid" or "same".
        expand_dims: whether frequencies and channels are separate axes.
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape: `(batch, samples, channels)`, or channels second. Output shape: `(batch, frames, frequencies *
    channels)`, with `expand_dims` `(batch, frames, frequencies, channels)`; or channels second.

    Example:

    >>> STFTSpectrogram(frame_length=16)(jnp.ones((1, 64, 1))).shape
    (1, 7, 9)
    """

    real_kernel: Variable
    imag_kernel: Variable

    def __init__(
        self,
        mode: str = "log",
        frame_length: int = 256,
        frame_step: int | None = None,
        fft_length: int | None = None,
        window: Any = "hann",
        periodic: bool = False,
        scaling: str | None = "density",
        padding: str = "valid",
        expand_dims: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if frame_step is not None and not 1 <= frame_step <= frame_length:
            raise ValueError(f"`frame_step` of layer '{self.name}' must be in [1, {frame_length}]; got {frame_step}.")
        if fft_length is not None and fft_length < frame_length:
            raise ValueError(f"`fft_length` of layer '{self.name}' must be at least {frame_length}; got {fft_length}.")
        if fft_length is not None and fft_length & -fft_length != fft_length:
            warnings.warn(f"`fft_length` of '{self.name}' should be a power of two; got {fft_length}.", stacklevel=2)
        for what, value, choices in (
            ("mode", mode, _MODES),
            ("scaling", scaling, (None, "density", "spectrum")),
            ("padding", padding, ("valid", "same")),
        ):
            if value not in choices:
                raise registry.unknown(f"{what} of layer '{self.name}'", value, choices)
        self.mode, self.frame_length, self.frame_step, self.fft_length = mode, frame_length, frame_step, fft_length
        self.window, self.periodic, self.scaling, self.padding = window, periodic, scaling, padding
        self.expand_dims, self.data_format = expand_dims, standardize_data_format(data_format)
        self._step = frame_step or frame_length // 2
        self._size = fft_length or 2 ** math.ceil(math.log2(frame_length))
        self.input_spec = InputSpec(ndim=3)
        sides = (mode,) if mode in ("real", "imag") else ("real", "imag")
        self._initializers = {side: initializers.STFT(side, window, scaling, periodic) for side in sides}

    def build(self, input_shape: Any) -> None:
        shape = (self.frame_length, 1, self._size // 2 + 1)
        for side, initializer in self._initializers.items():
            setattr(self, f"{side}_kernel", self.add_weight(shape, initializer, name=f"{side}_kernel"))

    def _side(self, signals: jax.Array, kernel: Any) -> jax.Array:
        """`(batch, channels, samples)` convolved with all frequencies: `(batch, channels, frames, frequencies)`."""
        batch, channels, samples = signals.shape
        flat = signals.reshape(-1, samples, 1)
        frames = lowering.conv(flat, kernel.value.astype(signals.dtype), self._step, self.padding)
        return frames.reshape(batch, channels, *frames.shape[1:])

    def _spectrum(self, signals: jax.Array) -> jax.Array:
        sides = [self._side(signals, getattr(self, f"{side}_kernel")) for side in self._initializers]
        if len(sides) == 1:
            return sides[0]
        real, imag = sides
        if self.mode == "stft":
            return jnp.concatenate(sides, axis=-1)
        if self.mode == "angle":
            return jnp.arctan2(imag, real)
        power = jnp.square(real) + jnp.square(imag)
        if self.mode == "psd":  # all but the first and last frequency also represent a negative one
            return power + jnp.pad(power[..., 1:-1], [(0, 0)] * 3 + [(1, 1)])
        magnitude = jnp.sqrt(jnp.maximum(power, config.epsilon()))
        return magnitude if self.mode == "magnitude" else jnp.log(jnp.maximum(magnitude, config.epsilon()))

    def call(self, inputs: jax.Array) -> jax.Array:
        if not is_float_dtype(inputs.dtype):
            raise TypeError(f"Layer '{self.name}' takes floats; got {inputs.dtype}. Write x.astype('float32').")
        last = self.data_format == "channels_last"
        spectrum = self._spectrum(jnp.swapaxes(inputs, 1, 2) if last else inputs)
        if self.expand_dims:
            return spectrum.transpose(0, 2, 3, 1) if last else spectrum
        batch, channels, frames, frequencies = spectrum.shape
        if last:
            return spectrum.transpose(0, 2, 1, 3).reshape(batch, frames, channels * frequencies)
        return spectrum.transpose(0, 1, 3, 2).reshape(batch, channels * frequencies, frames)
