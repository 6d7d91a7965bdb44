"""Fourier transforms, of whole signals and of windows."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import TensorLike, as_array, as_complex


def _real_and_imaginary(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jnp.real(x), jnp.imag(x)


@op
def fft(x: tuple[TensorLike, TensorLike]) -> tuple[jax.Array, jax.Array]:
    """Fourier transform over the last axis.

    Args:
        x: pair of floating-point arrays of one shape, real and imaginary parts.

    Returns:
        Pair of arrays of the same shape, real and imaginary parts.

    Raises:
        ValueError: for anything but a pair of floating-point arrays of one shape.

    Example:

    >>> real, imaginary = fft((np.array([1.0, 0.0]), np.zeros(2)))
    >>> real.tolist(), imaginary.tolist()
    ([1.0, 1.0], [0.0, 0.0])
    """
    return _real_and_imaginary(jnp.fft.fft(as_complex(x)))


@op
def fft2(x: tuple[TensorLike, TensorLike]) -> tuple[jax.Array, jax.Array]:
    """Fourier transform over the last two axes.

    Args:
        x: pair of floating-point arrays of one shape, real and imaginary parts.

    Returns:
        Pair of arrays of the same shape, real and imaginary parts.

    Raises:
        ValueError: for anything but a pair of floating-point arrays of one shape.

    Example:

    >>> real, imaginary = fft2((np.ones((2, 2)), np.zeros((2, 2))))
    >>> real.tolist()
    [[4.0, 0.0], [0.0, 0.0]]
    """
    return _real_and_imaginary(jnp.fft.fft2(as_complex(x)))


@op
def ifft2(x: tuple[TensorLike, TensorLike]) -> tuple[jax.Array, jax.Array]:
    """Inverse Fourier transform over the last two axes.

    Args:
        x: pair of floating-point arrays of one shape, real and imaginary parts.

    Returns:
        Pair of arrays of the same shape, real and imaginary parts.

    Raises:
        ValueError: for anything but a pair of floating-point arrays of one shape.

    Example:

    >>> real, imaginary = ifft2((np.ones((2, 2)), np.zeros((2, 2))))
    >>> real.tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    return _real_and_imaginary(jnp.fft.ifft2(as_complex(x)))


@op
def rfft(x: TensorLike, fft_length: int | None = None) -> tuple[jax.Array, jax.Array]:
    """Fourier transform of real numbers over the last axis.

    Args:
        x: real array of shape `(..., n)`.
        fft_length: length of the transform, `n` by default; the input is padded with zeros, or cut.

    Returns:
        Pair of arrays of shape `(..., fft_length // 2 + 1)`, real and imaginary parts at the non-negative frequencies.

    Example:

    >>> real, imaginary = rfft([1.0, 0.0, 0.0, 0.0])
    >>> real.tolist()
    [1.0, 1.0, 1.0]
    """
    return _real_and_imaginary(jnp.fft.rfft(as_array(x), n=fft_length))


@op
def irfft(x: tuple[TensorLike, TensorLike], fft_length: int | None = None) -> jax.Array:
    """Inverse of `rfft`.

    Args:
        x: pair of floating-point arrays of shape `(..., n)`, real and imaginary parts.
        fft_length: length of the result; `2 (n - 1)` by default.

    Returns:
        Real array of shape `(..., fft_length)`.

    Raises:
        ValueError: for anything but a pair of floating-point arrays of one shape.

    Example:

    >>> irfft((np.array([1.0, 1.0, 1.0]), np.zeros(3))).tolist()
    [1.0, 0.0, 0.0, 0.0]
    """
    return jnp.fft.irfft(as_complex(x), n=fft_length)


@op
def extract_sequences(x: TensorLike, sequence_length: int, sequence_stride: int) -> jax.Array:
    """Cut the last axis into overlapping sequences.

    Args:
        x: array of shape `(..., length)`.
        sequence_length: length of a sequence.
        sequence_stride: step from the start of one to the start of the next.

    Returns:
        Array of shape `(..., sequences, sequence_length)`; a rest that is shorter is dropped.

    Example:

    >>> extract_sequences([1, 2, 3, 4, 5], 3, 2).tolist()
    [[1, 2, 3], [3, 4, 5]]
    """
    x = as_array(x)
    starts = np.arange(0, x.shape[-1] - sequence_length + 1, sequence_stride)
    # Summed by JAX, so that shape inference does not allocate the table.
    return x[..., jnp.asarray(starts)[:, None] + np.arange(sequence_length)]


def _window(window: Any, length: int, fft_length: int, dtype: Any) -> jax.Array:
    """The window of a transform, centered within `fft_length`; all ones for None."""
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
    x: TensorLike,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: TensorLike | str | None = "hann",
    center: bool = True,
) -> tuple[jax.Array, jax.Array]:
    """Short-time Fourier transform over the last axis.

    Args:
        x: float32 or float64 array of shape `(..., length)`.
        sequence_length: length of the window.
        sequence_stride: step from one window to the next.
        fft_length: length of the transforms, at least `sequence_length`.
        window: `"hann"`, `"hamming"`, an array of `sequence_length` weights, or None.
        center: whether to pad by reflection so that window `t` is centered at `t * sequence_stride`.

    Returns:
        Pair of arrays of shape `(..., windows, fft_length // 2 + 1)`, real and imaginary parts.

    Raises:
        TypeError: for another dtype.
        ValueError: for `fft_length < sequence_length`, a stride below 1, or an unknown window.

    Example:

    >>> real, imaginary = stft(np.ones(16, "float32"), 4, 2, 4)
    >>> real.shape
    (9, 3)
    """
    _check_lengths(sequence_length, sequence_stride, fft_length)
    x = as_array(x)
    if x.dtype not in (jnp.float32, jnp.float64):
        raise TypeError(f"`stft` takes float32 or float64, got {x.dtype}.")
    if center:
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(fft_length // 2, fft_length // 2)], mode="reflect")
    frames = extract_sequences(x, fft_length, sequence_stride)
    return _real_and_imaginary(jnp.fft.rfft(frames * _window(window, sequence_length, fft_length, x.dtype)))


@op
def istft(
    x: tuple[TensorLike, TensorLike],
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: TensorLike | str | None = "hann",
    center: bool = True,
) -> jax.Array:
    """Inverse of `stft`: the signal whose transform is closest, in least squares.

    Args:
        x: pair of arrays of shape `(..., windows, fft_length // 2 + 1)`, real and imaginary parts.
        sequence_length: length of the window.
        sequence_stride: step from one window to the next.
        fft_length: length of the transforms.
        length: length of the result; all that can be reconstructed by default.
        window: the window that `stft` used.
        center: whether `stft` padded the signal.

    Returns:
        Array of shape `(..., length)`.

    Raises:
        ValueError: for `fft_length < sequence_length`, a stride below 1, an unknown window, or anything but a pair of
            floating-point arrays of one shape.

    Example:

    >>> x = np.ones(16, "float32")
    >>> print(np.asarray(istft(stft(x, 4, 2, 4), 4, 2, 4)).round(3))
    [1. 1. 1. 1. 1. 1. 1. 1. 1. 1. 1. 1. 1. 1. 1. 1.]

    Reference:
        [Griffin and Lim, 1984](https://doi.org/10.1109/TASSP.1984.1164317)
    """
    _check_lengths(sequence_length, sequence_stride, fft_length)
    transform = as_complex(x)
    if transform.ndim < 2:
        raise ValueError(f"Expected arrays of shape (..., windows, frequencies), got {transform.shape}.")
    frames = jnp.fft.irfft(transform, n=fft_length)
    weights = _window(window, sequence_length, fft_length, frames.dtype)
    count = transform.shape[-2]
    total = fft_length + sequence_stride * (count - 1)
    indices = np.arange(count)[:, None] * sequence_stride + np.arange(fft_length)
    signal = jnp.zeros((*transform.shape[:-2], total), frames.dtype).at[..., indices].add(frames * weights)
    power = jnp.zeros(total, frames.dtype).at[indices].add(jnp.square(weights))
    signal = jnp.where(power > 1e-10, signal / jnp.where(power > 1e-10, power, 1), signal)
    if window is None:
        signal = signal * (fft_length / sequence_stride)  # as Keras does
    start = fft_length // 2 if center else 0
    end = start + length if length is not None else total - fft_length // 2 if center else total
    return signal[..., start:end]


@op
def view_as_complex(x: TensorLike) -> jax.Array:
    """Turn pairs of real and imaginary parts into complex numbers.

    Args:
        x: real array of shape `(..., 2)`.

    Returns:
        complex64 array of shape `(...)`.

    Raises:
        ValueError: for another last axis.

    Example:

    >>> view_as_complex([[1.0, 2.0]]).tolist()
    [(1+2j)]
    """
    x = as_array(x)
    if x.ndim < 1 or x.shape[-1] != 2:
        raise ValueError(f"The last axis must hold (real, imaginary), got shape {x.shape}.")
    return jax.lax.complex(x[..., 0].astype(jnp.float32), x[..., 1].astype(jnp.float32))


@op
def view_as_real(x: TensorLike) -> jax.Array:
    """Turn complex numbers into pairs of real and imaginary parts.

    Args:
        x: complex array of shape `(...)`.

    Returns:
        Real array of shape `(..., 2)`.

    Example:

    >>> view_as_real([1 + 2j]).tolist()
    [[1.0, 2.0]]
    """
    return jnp.stack(_real_and_imaginary(as_array(x)), axis=-1)
