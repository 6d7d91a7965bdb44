"""Deterministic initializers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import random, registry
from jaxkeras.core.dtypes import standardize_dtype
from jaxkeras.initializers.base import KIND, Initializer


def _filled(shape: Sequence[int], value: Any, dtype: Any) -> jax.Array:
    """An array of one value. Eagerly it is made by NumPy, as `jnp.full` compiles for each shape."""
    dtype = standardize_dtype(dtype)
    if random.is_eager(value):
        return jax.device_put(np.full(tuple(shape), np.asarray(value).astype(dtype)))
    return jnp.full(tuple(shape), value, dtype)


@registry.register(KIND, "zero")
class Zeros(Initializer):
    """All zeros.

    Example:

    >>> Zeros()((2,)).tolist()
    [0.0, 0.0]
    """

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        return _filled(shape, 0, dtype)


@registry.register(KIND, "one")
class Ones(Initializer):
    """All ones.

    Example:

    >>> Ones()((2,)).tolist()
    [1.0, 1.0]
    """

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        return _filled(shape, 1, dtype)


@registry.register(KIND)
class Constant(Initializer):
    """One value everywhere.

    Args:
        value: a scalar, or an array that broadcasts to the shape.

    Example:

    >>> Constant(3.0)((2,)).tolist()
    [3.0, 3.0]
    """

    def __init__(self, value: Any = 0.0):
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        return _filled(shape, self.value, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"value": registry.serialize(self.value)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(registry.deserialize(config["value"]))


@registry.register(KIND, "IdentityInitializer")
class Identity(Initializer):
    """The identity matrix times a factor; for two-dimensional weights.

    Args:
        gain: the factor.

    Raises:
        ValueError: when called with a shape that is not two-dimensional.

    Example:

    >>> Identity()((2, 2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    def __init__(self, gain: float = 1.0):
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        if len(shape) != 2:
            raise ValueError(f"Identity makes matrices: expected a shape (rows, columns), got {tuple(shape)}.")
        dtype = jnp.result_type(jnp.dtype(standardize_dtype(dtype)), self.gain)  # integers times a float are floats
        return jax.device_put(np.eye(*shape, dtype=dtype) * dtype.type(self.gain))

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


@registry.register(KIND, "STFTInitializer")
class STFT(Initializer):
    """Convolution kernel that computes one side of a short-time Fourier transform.

    It makes kernels of shape `(frame_length, 1, fft_length // 2 + 1)`: frequency bands as output channels, only half of
    them since the other half are their conjugates. Used by `layers.STFTSpectrogram`.

    Args:
        side: `"real"` (cosines) or `"imag"` (sines).
        window: name of a window of `scipy.signal.windows`, an array of `frame_length` weights, or None.
        scaling: `"density"` divides by the window's L2 norm, `"spectrum"` by its L1 norm, None by nothing.
        periodic: whether a named window is periodic.

    Raises:
        ValueError: for an unknown side, window or scaling, or a window of another length.

    Example:

    >>> STFT("imag")((16, 1, 9)).shape
    (16, 1, 9)
    """

    def __init__(
        self, side: str = "real", window: Any = "hann", scaling: str | None = "density", periodic: bool = False
    ):
        if side not in ("real", "imag"):
            raise ValueError(f"`side` must be 'real' or 'imag', got {side!r}.")
        if scaling not in (None, "density", "spectrum"):
            raise ValueError(f"`scaling` must be 'density', 'spectrum' or None, got {scaling!r}.")
        if isinstance(window, str):
            _named_window(window, 1, periodic)
        self.side, self.window, self.scaling, self.periodic = side, window, scaling, periodic

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        frame_length, _, bands = shape
        number = jnp.result_type(jnp.dtype(standardize_dtype(dtype)), 0.0).type  # floats, even for an integer dtype
        time = np.arange(frame_length).astype(number).reshape(-1, 1, 1)
        frequency = np.arange(bands).astype(number).reshape(1, 1, -1) / number((bands - 1) * 2)
        angle = (number(-2) * time) * frequency * number(np.pi)
        kernel = np.cos(angle) if self.side == "real" else np.sin(angle)
        if self.window is not None:
            window = self.window
            if isinstance(window, str):
                window = _named_window(window, frame_length, self.periodic)
            window = np.asarray(window).astype(number)
            if window.shape != (frame_length,):
                raise ValueError(f"`window` must have shape ({frame_length},), got {window.shape}.")
            scale = {
                None: number(1),
                "density": np.sqrt(np.sum(np.square(window))),
                "spectrum": np.sum(np.abs(window)),
            }[self.scaling]
            kernel = kernel * window.reshape(-1, 1, 1) / scale
        return jax.device_put(kernel.astype(number))

    def get_config(self) -> dict[str, Any]:
        return {"side": self.side, "window": self.window, "periodic": self.periodic, "scaling": self.scaling}


def _named_window(name: str, length: int, periodic: bool) -> np.ndarray:
    from scipy.signal import get_window

    return np.asarray(get_window(name, length, periodic))
