"""Sound as pictures of its frequencies over time."""

from __future__ import annotations

import math
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import initializers, lowering, registry
from jaxkeras.core import config
from jaxkeras.core.config import standardize_data_format
from jaxkeras.layers.base import Layer
from jaxkeras.layers.input_spec import InputSpec
from jaxkeras.ops.math import stft

_MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")


@registry.register("keras.layers")
class STFTSpectrogram(Layer):
    """Short-time Fourier transform of signals, by convolutions whose kernels can be trained.

    Args:
        mode: "log" (of the magnitude), "magnitude", "psd" (power spectral density), "real", "imag", "angle" (phase), or
            "stft" (real, then imaginary parts).
        frame_length: how many samples a frame has.
        frame_step: from one frame to the next; half the length by default.
        fft_length: how finely frequencies are told apart; by default the next power of two.
        window: name of a window of `scipy.signal`, an array of `frame_length` weights, or None.
        periodic: whether a named window is periodic.
        scaling: "density", "spectrum" or None.
        padding: "valid" or "same".
        expand_dims: whether channels keep an axis of their own.
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape: `(batch, samples, channels)`, or channels second. Output shape: `(batch, frames, frequencies *
    channels)`, with `expand_dims` `(batch, frames, frequencies, channels)`; or channels second.

    Example:

    >>> STFTSpectrogram(frame_length=16)(jnp.ones((1, 64, 1))).shape
    (1, 7, 9)
    """

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
        if self.mode == "psd":  # frequencies between the ends stand for their mirror images too
            return power + jnp.pad(power[..., 1:-1], [(0, 0)] * 3 + [(1, 1)])
        magnitude = jnp.sqrt(jnp.maximum(power, config.epsilon()))
        return magnitude if self.mode == "magnitude" else jnp.log(jnp.maximum(magnitude, config.epsilon()))

    def call(self, inputs: jax.Array) -> jax.Array:
        last = self.data_format == "channels_last"
        spectrum = self._spectrum(jnp.swapaxes(inputs, 1, 2) if last else inputs)
        if self.expand_dims:
            return spectrum.transpose(0, 2, 3, 1) if last else spectrum
        batch, channels, frames, frequencies = spectrum.shape
        if last:
            return spectrum.transpose(0, 2, 1, 3).reshape(batch, frames, channels * frequencies)
        return spectrum.transpose(0, 1, 3, 2).reshape(batch, channels * frequencies, frames)


@registry.register("keras.layers")
class MelSpectrogram(Layer):
    """Strength of the frequencies of a signal over time, on the mel scale, which divides them as hearing does.

    Args:
        fft_length: size of the Fourier transform.
        sequence_stride: samples from one frame to the next.
        sequence_length: samples of a frame; `fft_length` by default.
        window: "hann", "hamming", an array of `sequence_length` weights, or None.
        sampling_rate: samples a second.
        num_mel_bins: how many bands.
        min_freq, max_freq: of the lowest and highest band, in hertz; up to half the sampling rate by default.
        power_to_db: whether to return decibels.
        top_db: how far below the largest value decibels are cut off.
        mag_exp: the power of the magnitude.
        min_power: the smallest power told apart from none.
        ref_power: the power of zero decibels.

    Input shape: `(samples,)` or `(batch, samples)`. Output shape: `(num_mel_bins, frames)`, with the batch in front.

    Example:

    >>> MelSpectrogram(num_mel_bins=64, sampling_rate=8000, sequence_stride=256)(jnp.ones(16000)).shape
    (64, 63)
    """

    def __init__(
        self,
        fft_length: int = 2048,
        sequence_stride: int = 512,
        sequence_length: int | None = None,
        window: Any = "hann",
        sampling_rate: int = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.fft_length, self.sequence_stride = fft_length, sequence_stride
        self.sequence_length = sequence_length or fft_length
        if fft_length < self.sequence_length:
            raise ValueError(
                f"`fft_length` of layer '{self.name}' must be at least `sequence_length`; got {fft_length} and "
                f"{self.sequence_length}."
            )
        self.window, self.sampling_rate, self.num_mel_bins = window, sampling_rate, num_mel_bins
        self.min_freq, self.max_freq = min_freq, max_freq or int(sampling_rate / 2)
        self.power_to_db, self.top_db, self.mag_exp = power_to_db, top_db, mag_exp
        self.min_power, self.ref_power = min_power, ref_power

    def call(self, inputs: jax.Array) -> jax.Array:
        signals = inputs.astype("float64" if self.compute_dtype == "float64" else "float32")
        real, imag = stft(
            signals, self.sequence_length, self.sequence_stride, self.fft_length, window=self.window, center=True
        )
        strength = jnp.sqrt(jnp.square(real) + jnp.square(imag)) ** self.mag_exp
        weights = mel_weights(
            self.num_mel_bins, strength.shape[-1], self.sampling_rate, self.min_freq, self.max_freq, strength.dtype
        )
        bands = jnp.matmul(strength, weights)
        if self.power_to_db:
            reference = max(abs(self.ref_power), self.min_power)
            bands = 10 * jnp.log10(jnp.maximum(bands, self.min_power)) - 10 * math.log10(reference)
            bands = jnp.maximum(bands, jnp.max(bands) - self.top_db)
        return jnp.swapaxes(bands, -1, -2).astype(self.compute_dtype)


def mel_weights(bands: int, bins: int, sampling_rate: float, low: float, high: float, dtype: Any) -> np.ndarray:
    """What each frequency counts in each band: triangles on the mel scale of HTK, `(bins, bands)`.

    Args:
        bands: how many triangles.
        bins: how many frequencies, from 0 to half the sampling rate.
        sampling_rate: samples a second.
        low, high: where the first triangle begins and the last one ends, in hertz.
        dtype: of the result.
    """

    def mel(hertz: Any) -> Any:
        return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)

    places = mel(np.linspace(0.0, sampling_rate / 2, bins))[:, None]
    edges = np.linspace(mel(low), mel(high), bands + 2)
    rising = (places - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - places) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0  # the mean of the signal is in no band
    return weights.astype(dtype)
