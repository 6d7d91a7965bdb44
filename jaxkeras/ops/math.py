"""Segments, transforms and special functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxkeras.core.symbolic import op
from jaxkeras.ops._classes import in_top_k as in_top_k
from jaxkeras.ops._row import REQUIRED, as_array, inexact, row

erf = row(inexact(jax.scipy.special.erf), "x", "Error function.")
erfc = row(inexact(jax.scipy.special.erfc), "x", "One minus the error function, accurate where that is near one.")
erfinv = row(inexact(jax.scipy.special.erfinv), "x", "Inverse of the error function.")
logdet = row(
    lambda x: jnp.linalg.slogdet(x)[1], "x", "Logarithm of the absolute value of a determinant.", name="logdet"
)
logsumexp = row(
    inexact(jax.scipy.special.logsumexp), "x", "`log(sum(exp(x)))`, without overflow.", axis=None, keepdims=False
)
rsqrt = row(inexact(lambda x: jax.lax.rsqrt(as_array(x))), "x", "One divided by the square root.", name="rsqrt")
top_k = row(
    lambda x, k, sorted: tuple(jax.lax.top_k(as_array(x), k)), "x",
    "The `k` largest elements along the last axis, and their indices.", name="top_k", k=REQUIRED, sorted=True,
)  # fmt: skip


@op
def cdist(x: Any, y: Any) -> jax.Array:
    """Euclidean distances between the rows of two arrays.

    Args:
        x: array of shape `(..., m, n)`.
        y: array of shape `(..., k, n)`.

    Returns:
        Array of shape `(..., m, k)`.

    Raises:
        ValueError: for vectors, or rows of different lengths.
    """
    x, y = as_array(x), as_array(y)
    if min(x.ndim, y.ndim) < 2 or x.shape[-1] != y.shape[-1]:
        raise ValueError(f"Expected shapes (..., m, n) and (..., k, n), got {x.shape} and {y.shape}.")
    return jnp.sqrt(jnp.sum(jnp.square(x[..., :, None, :] - y[..., None, :, :]), axis=-1))


# -- segments -------------------------------------------------------------------------------------------------------
def _segments(name: str, summary: str) -> Callable[..., jax.Array]:
    reduce = getattr(jax.ops, name)

    def call(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> jax.Array:
        data, segment_ids = as_array(data), as_array(segment_ids)
        if segment_ids.ndim != 1 or segment_ids.shape[0] != data.shape[0]:
            raise ValueError(
                f"`segment_ids` must be a vector as long as the first axis of `data`: got shapes {segment_ids.shape} "
                f"and {data.shape}."
            )
        if num_segments is None and isinstance(segment_ids, Tracer):
            raise ValueError(f"Under jit the number of segments must be given: `{name}(..., num_segments=...)`.")
        return reduce(data, segment_ids, num_segments, indices_are_sorted=sorted)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"""{summary}

    Args:
        data: array.
        segment_ids: vector of integers, the segment of each element of the first axis.
        num_segments: how many segments there are; needed under `jit`.
        sorted: whether `segment_ids` is known to be in increasing order.

    Returns:
        Array of shape `(num_segments, *data.shape[1:])`.

    Raises:
        ValueError: for ids that are not a vector as long as the first axis of `data`.
    """
    return op(call)


segment_max = _segments("segment_max", "Largest element of each segment.")
segment_min = _segments("segment_min", "Smallest element of each segment.")
segment_prod = _segments("segment_prod", "Product of each segment.")
segment_sum = _segments("segment_sum", "Sum of each segment.")


# -- Fourier transforms ---------------------------------------------------------------------------------------------
def complex_of(x: Any) -> jax.Array:
    """A pair of real and imaginary parts as one complex array."""
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ValueError(f"Expected a pair (real, imaginary) of arrays, got {x!r}.")
    real, imaginary = as_array(x[0]), as_array(x[1])
    if real.shape != imaginary.shape or not all(jnp.issubdtype(p.dtype, jnp.floating) for p in (real, imaginary)):
        raise ValueError(
            f"Real and imaginary parts must be floating-point arrays of one shape, got {real.dtype}{real.shape} and "
            f"{imaginary.dtype}{imaginary.shape}."
        )
    return jax.lax.complex(real, imaginary)


def _pair(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jnp.real(x), jnp.imag(x)


def _transform(function: Callable[..., jax.Array], summary: str) -> Callable[..., Any]:
    def call(x: Any) -> tuple[jax.Array, jax.Array]:
        return _pair(function(complex_of(x)))

    call.__name__ = call.__qualname__ = function.__name__
    call.__doc__ = f"""{summary}

    Args:
        x: pair of arrays, real and imaginary parts.

    Returns:
        Pair of arrays of the same shape.

    Raises:
        ValueError: for something else than a pair of floating-point arrays of one shape.
    """
    return op(call)


fft = _transform(jnp.fft.fft, "Fourier transform over the last axis.")
fft2 = _transform(jnp.fft.fft2, "Fourier transform over the last two axes.")
ifft2 = _transform(jnp.fft.ifft2, "Inverse Fourier transform over the last two axes.")


@op
def rfft(x: Any, fft_length: int | None = None) -> tuple[jax.Array, jax.Array]:
    """Fourier transform of real numbers over the last axis.

    Args:
        x: real array.
        fft_length: length of the transform; shorter input is filled up with zeros, longer cut.

    Returns:
        Pair of arrays, real and imaginary parts of the `fft_length // 2 + 1` frequencies that are not negative.
    """
    return _pair(jnp.fft.rfft(as_array(x), n=fft_length))


@op
def irfft(x: Any, fft_length: int | None = None) -> jax.Array:
    """Inverse of `rfft`.

    Args:
        x: pair of arrays, real and imaginary parts.
        fft_length: length of the result; the even one that fits by default.

    Returns:
        Real array.
    """
    return jnp.fft.irfft(complex_of(x), n=fft_length)


@op
def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> jax.Array:
    """Overlapping pieces of the last axis.

    Args:
        x: array of shape `(..., length)`.
        sequence_length: length of a piece.
        sequence_stride: from the start of one to the start of the next.

    Returns:
        Array of shape `(..., pieces, sequence_length)`; what does not fill a piece is left out.
    """
    x = as_array(x)
    starts = np.arange(0, x.shape[-1] - sequence_length + 1, sequence_stride)
    # Added by JAX: shapes are inferred without making the table.
    return x[..., jnp.asarray(starts)[:, None] + np.arange(sequence_length)]


def _window(window: Any, length: int, fft_length: int, dtype: Any) -> jax.Array:
    """The window of a transform, centred within `fft_length`; ones throughout without a window."""
    if window is None:
        return jnp.ones(fft_length, dtype)
    if isinstance(window, str):
        if window not in ("hann", "hamming"):
            raise ValueError(f"`window` must be 'hann', 'hamming', an array or None, got {window!r}.")
        from scipy.signal import get_window

        window = get_window(window, length)
    window = as_array(window, dtype)
    if window.shape != (length,):
        raise ValueError(f"`window` must have shape ({length},), got {window.shape}.")
    before = (fft_length - length) // 2
    return jnp.pad(window, (before, fft_length - length - before))


def _check_lengths(sequence_length: int, sequence_stride: int, fft_length: int) -> None:
    if not isinstance(sequence_stride, int) or sequence_stride < 1:
        raise ValueError(f"`sequence_stride` must be a positive integer, got {sequence_stride!r}.")
    if fft_length < sequence_length:
        raise ValueError(f"`fft_length` ({fft_length}) must not be less than `sequence_length` ({sequence_length}).")


@op
def stft(
    x: Any, sequence_length: int, sequence_stride: int, fft_length: int, window: Any = "hann", center: bool = True
) -> tuple[jax.Array, jax.Array]:
    """Short-time Fourier transform over the last axis.

    Args:
        x: float32 or float64 array of shape `(..., length)`.
        sequence_length: length of the window.
        sequence_stride: from one window to the next.
        fft_length: length of the transforms, at least `sequence_length`.
        window: `"hann"`, `"hamming"`, an array of `sequence_length` weights, or None.
        center: reflect the ends so that window `t` is centred at `t * sequence_stride`.

    Returns:
        Pair of arrays of shape `(..., windows, fft_length // 2 + 1)`, real and imaginary parts.

    Raises:
        TypeError: for another dtype.
        ValueError: for lengths that do not fit, or an unknown window.
    """
    _check_lengths(sequence_length, sequence_stride, fft_length)
    x = as_array(x)
    if x.dtype not in (jnp.float32, jnp.float64):
        raise TypeError(f"`stft` takes float32 or float64, got {x.dtype}.")
    if center:
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(fft_length // 2, fft_length // 2)], mode="reflect")
    frames = extract_sequences(x, fft_length, sequence_stride)
    return _pair(jnp.fft.rfft(frames * _window(window, sequence_length, fft_length, x.dtype)))


@op
def istft(
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: Any = "hann",
    center: bool = True,
) -> jax.Array:
    """Inverse of `stft`: the signal whose transform comes closest.

    Args:
        x: pair of arrays of shape `(..., windows, fft_length // 2 + 1)`, real and imaginary parts.
        sequence_length: length of the window.
        sequence_stride: from one window to the next.
        fft_length: length of the transforms.
        length: of the result; all that can be restored by default.
        window: the window of `stft`.
        center: whether `stft` reflected the ends.

    Returns:
        Array of shape `(..., length)`.

    Raises:
        ValueError: for lengths that do not fit, or an unknown window.

    Reference:
        [Griffin and Lim, 1984](https://doi.org/10.1109/TASSP.1984.1164317)
    """
    _check_lengths(sequence_length, sequence_stride, fft_length)
    x = complex_of(x)
    if x.ndim < 2:
        raise ValueError(f"Expected arrays of shape (..., windows, frequencies), got {x.shape}.")
    frames = jnp.fft.irfft(x, n=fft_length)
    weights = _window(window, sequence_length, fft_length, frames.dtype)
    count = x.shape[-2]
    total = fft_length + sequence_stride * (count - 1)
    places = np.arange(count)[:, None] * sequence_stride + np.arange(fft_length)
    signal = jnp.zeros((*x.shape[:-2], total), frames.dtype).at[..., places].add(frames * weights)
    power = jnp.zeros(total, frames.dtype).at[places].add(jnp.square(weights))
    signal = jnp.where(power > 1e-10, signal / jnp.where(power > 1e-10, power, 1), signal)
    if window is None:
        signal = signal * (fft_length / sequence_stride)  # as in Keras
    start = fft_length // 2 if center else 0
    end = start + length if length is not None else total - fft_length // 2 if center else total
    return signal[..., start:end]


@op
def view_as_complex(x: Any) -> jax.Array:
    """Pairs of numbers as complex numbers.

    Args:
        x: real array of shape `(..., 2)`.

    Returns:
        Complex array of shape `(...)`.

    Raises:
        ValueError: for another last axis.
    """
    x = as_array(x)
    if x.ndim < 1 or x.shape[-1] != 2:
        raise ValueError(f"The last axis must hold (real, imaginary), got shape {x.shape}.")
    return jax.lax.complex(x[..., 0].astype(jnp.float32), x[..., 1].astype(jnp.float32))


@op
def view_as_real(x: Any) -> jax.Array:
    """Complex numbers as pairs of numbers.

    Args:
        x: complex array of shape `(...)`.

    Returns:
        Real array of shape `(..., 2)`.
    """
    return jnp.stack(_pair(as_array(x)), axis=-1)
