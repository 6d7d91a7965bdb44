"""Layers that disturb or penalise what passes through them while training.

Their random numbers come from a hash made for the purpose (`jaxkeras.lowering.bits`), not from the generator that Keras
uses on JAX: the same seed gives the same numbers in every run and on every platform, but not Keras's numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering, registry
from jaxkeras.core.config import standardize_data_format
from jaxkeras.core.seeds import SeedGenerator, draw_key
from jaxkeras.layers.base import Layer
from jaxkeras.layers.input_spec import InputSpec


class _Noise(Layer):
    """Changes its input by random numbers while training, unless its strength (a number in [0, 1]) is zero."""

    def __init__(self, strength: float, name_of_strength: str, seed: int | None, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0 <= strength <= 1:
            raise ValueError(
                f"`{name_of_strength}` of {type(self).__name__} must be a number from 0 to 1; got {strength!r}."
            )
        setattr(self, name_of_strength, strength)
        self.seed = seed
        self._active = strength > 0
        if self._active:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: jax.Array, training: bool = False) -> jax.Array:
        return self.disturb(inputs) if training and self._active else inputs

    def disturb(self, x: jax.Array) -> jax.Array:
        raise NotImplementedError


def _noise_shape(layer: Layer, value: Any) -> tuple[int | None, ...] | None:
    if value is None:
        return None
    sizes = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ("?",)
    if not all(size is None or (isinstance(size, int) and size > 0) for size in sizes):
        raise ValueError(
            f"`noise_shape` of {type(layer).__name__} must hold positive integers, and None where the size of the "
            f"input is taken; got {value!r}."
        )
    return sizes  # type: ignore[return-value]


def _filled(shape: Sequence[int | None] | None, x: jax.Array) -> tuple[int, ...]:
    """A noise shape with the sizes of the input in place of None."""
    return x.shape if shape is None else tuple(n if size is None else size for size, n in zip(shape, x.shape))


@registry.register("keras.layers")
class Dropout(_Noise):
    """While training, sets a random part of the input to zero and scales up the rest (Srivastava et al., 2014).

    The mask for a seed is not the one that Keras draws for it, on purpose: it takes a twentieth of the time. Use
    `jaxkeras.random.dropout` for Keras's own.

    Args:
        rate: the part to drop, from 0 to 1.
        noise_shape: shape of the mask, broadcast to the input; None in it takes the size of the input. With
            `(None, 1, None)` all steps of a sequence share one mask.
        seed: an integer, or None.

    Call arguments:
        inputs: any float array.
        training: whether to drop.

    Example:

    >>> Dropout(0.5)(jnp.ones((2, 3)), training=False)[0]
    Array([1., 1., 1.], dtype=float32)
    """

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **kwargs: Any
    ):
        super().__init__(rate, "rate", seed, **kwargs)
        self.noise_shape = _noise_shape(self, noise_shape)

    def disturb(self, x: jax.Array) -> jax.Array:
        shape = _filled(self.noise_shape, x)
        return lowering.dropout(x, self.rate, draw_key(self.seed_generator), shape)


class _SpatialDropout(_Noise):
    """Drops whole channels."""

    rank = 1

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(rate, "rate", seed, name=name, dtype=dtype)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def disturb(self, x: jax.Array) -> jax.Array:
        channels = 1 if self.data_format == "channels_first" else x.ndim - 1
        shape = [size if axis in (0, channels) else 1 for axis, size in enumerate(x.shape)]
        return lowering.dropout(x, self.rate, draw_key(self.seed_generator), shape)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["trainable"]  # not an argument of the constructor, which is Keras's
        return {**config, "dtype": self.dtype}


@registry.register("keras.layers")
class SpatialDropout1D(_SpatialDropout):
    """Dropout of whole features of a sequence, `(batch, steps, features)` (Tompson et al., 2014).

    Args:
        rate: the part to drop, from 0 to 1.
        seed: an integer, or None.

    Example:

    >>> SpatialDropout1D(0.5)(jnp.ones((2, 3, 4)), training=True).shape
    (2, 3, 4)
    """

    def __init__(self, rate: float, seed: int | None = None, name: str | None = None, dtype: Any = None):
        super().__init__(rate, "channels_last", seed, name, dtype)


@registry.register("keras.layers")
class SpatialDropout2D(_SpatialDropout):
    """Dropout of whole channels of images (Tompson et al., 2014).

    Args:
        rate: the part to drop, from 0 to 1.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        seed: an integer, or None.

    Example:

    >>> SpatialDropout2D(0.5)(jnp.ones((2, 3, 3, 4)), training=True).shape
    (2, 3, 3, 4)
    """

    rank = 2


@registry.register("keras.layers")
class SpatialDropout3D(_SpatialDropout):
    """Dropout of whole channels of volumes (Tompson et al., 2014).

    Args:
        rate: the part to drop, from 0 to 1.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        seed: an integer, or None.

    Example:

    >>> SpatialDropout3D(0.5)(jnp.ones((2, 3, 3, 3, 4)), training=True).shape
    (2, 3, 3, 3, 4)
    """

    rank = 3


@registry.register("keras.layers")
class GaussianDropout(_Noise):
    """While training, multiplies by normal noise of mean 1 (Srivastava et al., 2014).

    Args:
        rate: from 0 to 1, as in Dropout; the noise has the standard deviation `sqrt(rate / (1 - rate))`.
        seed: an integer, or None.

    Example:

    >>> GaussianDropout(0.5)(jnp.ones((2, 3)), training=True).shape
    (2, 3)
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any):
        super().__init__(rate, "rate", seed, **kwargs)

    def disturb(self, x: jax.Array) -> jax.Array:
        stddev = math.sqrt(self.rate / (1.0 - self.rate))
        noise = lowering.normal_noise(draw_key(self.seed_generator), x.shape, jnp.dtype(self.compute_dtype))
        return x * (1.0 + stddev * noise)


@registry.register("keras.layers")
class GaussianNoise(_Noise):
    """While training, adds normal noise of mean 0.

    Args:
        stddev: standard deviation of the noise, from 0 to 1.
        seed: an integer, or None.

    Example:

    >>> GaussianNoise(0.1)(jnp.ones((2, 3)), training=True).shape
    (2, 3)
    """

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any):
        super().__init__(stddev, "stddev", seed, **kwargs)

    def disturb(self, x: jax.Array) -> jax.Array:
        noise = lowering.normal_noise(draw_key(self.seed_generator), x.shape, jnp.dtype(self.compute_dtype))
        return x + self.stddev * noise


@registry.register("keras.layers")
class AlphaDropout(_Noise):
    """Dropout that keeps mean and variance, for networks with SELU activations (Klambauer et al., 2017).

    Args:
        rate: the part to drop, from 0 to 1.
        noise_shape: shape of the mask, broadcast to the input; None in it takes the size of the input.
        seed: an integer, or None.

    Example:

    >>> AlphaDropout(0.5)(jnp.ones((2, 3)), training=True).shape
    (2, 3)
    """

    # What SELU tends to for very negative inputs: -scale * alpha.
    _floor = -1.0507009873554805 * 1.6732632423543772

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **kwargs: Any
    ):
        super().__init__(rate, "rate", seed, **kwargs)
        self.noise_shape = _noise_shape(self, noise_shape)

    def disturb(self, x: jax.Array) -> jax.Array:
        if self.rate == 1:
            return jnp.zeros_like(x)
        keep = lowering.dropout_mask(draw_key(self.seed_generator), _filled(self.noise_shape, x), self.rate)
        a = ((1 - self.rate) * (1 + self.rate * self._floor**2)) ** -0.5
        return a * jnp.where(keep, x, self._floor) - a * self._floor * self.rate


@registry.register("keras.layers")
class ActivityRegularization(Layer):
    """Returns its input, whose size it adds to the loss.

    Args:
        l1: factor of the sum of absolute values.
        l2: factor of the sum of squares.

    Example:

    >>> layer = ActivityRegularization(l1=0.5)
    >>> y = layer(jnp.ones((1, 4)))
    >>> float(layer.losses[0])
    2.0
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any):
        penalty = {"class_name": "L1L2", "config": {"l1": l1, "l2": l2}}
        super().__init__(activity_regularizer=penalty, **kwargs)
        self.supports_masking = True
        self.l1, self.l2 = l1, l2

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["activity_regularizer"]
        return config
