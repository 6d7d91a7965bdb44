"""The mel spectrogram."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import registry
from jaxkeras.layers._base.layer import Layer
from jaxkeras.ops.math import stft


@registry.register("keras.layers")
class MelSpectrogram(Layer):
    """A spectrogram of a signal on the mel scale, on which equal distances sound equal.

    Args:
        fft_length: size of the Fourier transform.
        sequence_stride: number of samples from one frame to the next.
        sequence_length: number of samples of a frame; defaults to `fft_length`.
        window: "hann", "hamming", an array of `sequence_length` weights, or None.
        sampling_rate: samples per second.
        num_mel_bins: number of frequency bands.
        min_freq, max_freq: frequency range of the bands, in hertz; `max_freq` defaults to half the sampling rate.
        power_to_db: whether to convert to decibels.
        top_db: values more than this many decibels below the maximum are clipped.
        mag_exp: exponent of the magnitude.
        min_power: smaller powers are clipped to this.
        ref_power: the power at zero decibels.

    Input shape: `(samples,)` or `(batch, samples)`. Output shape: `(num_mel_bins, frames)` or
    `(batch, num_mel_bins, frames)`.

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
    """The weight of each frequency in each band, `(bins, bands)`: triangles on HTK's mel scale.

    Args:
        bands: number of bands.
        bins: number of frequencies, from 0 to half the sampling rate.
        sampling_rate: samples per second.
        low, high: start of the first triangle and end of the last one, in hertz.
        dtype: dtype of the result.
    """

    def mel(hertz: Any) -> Any:
        return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)

    positions = mel(np.linspace(0.0, sampling_rate / 2, bins))[:, None]
    edges = np.linspace(mel(low), mel(high), bands + 2)
    rising = (positions - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - positions) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0  # the zero frequency is in no band
    return weights.astype(dtype)
