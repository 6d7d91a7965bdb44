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
