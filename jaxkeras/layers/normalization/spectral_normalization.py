"""Spectral normalization of a layer's weights."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.initializers import TruncatedNormal
from jaxkeras.layers._base.input_spec import InputSpec
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.core.wrapper import Wrapper
from jaxkeras.layers.normalization.unit_normalization import unit
from jaxkeras.registry import register


@register("keras.layers")
class SpectralNormalization(Wrapper):
    """Divides the kernel of a layer by its largest singular value while training (Miyato et al., 2018).

    The value is estimated by power iteration, from a vector that is kept between calls. A call with `training=True`
    normalizes the kernel in place. A compiled training step normalizes it for that step, differentiably, and leaves
    the kernel itself to the optimizer, as Keras on JAX does; with `training=False` the kernel is used as it is. So call
    the layer once with `training=True` before you use a trained model for inference.

    Args:
        layer: a layer with a `kernel` or with `embeddings`.
        power_iterations: iterations in each call.

    Raises:
        ValueError: for a layer without either, or fewer than one iteration.

    Example:

    >>> from jaxkeras.layers import Dense
    >>> SpectralNormalization(Dense(3))(jnp.ones((2, 4)), training=True).shape
    (2, 3)
    """

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs: Any):
        super().__init__(layer, **kwargs)
        if power_iterations <= 0:
            raise ValueError(f"`power_iterations` of SpectralNormalization must be positive; got {power_iterations!r}.")
        self.power_iterations = power_iterations

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        name = next((name for name in ("kernel", "embeddings") if hasattr(self.layer, name)), None)
        if name is None:
            raise ValueError(
                f"SpectralNormalization goes around a layer with a `kernel` or `embeddings`; "
                f"{type(self.layer).__name__} has neither."
            )
        self.kernel = getattr(self.layer, name)
        self.vector_u = self.add_weight(
            (1, self.kernel.shape[-1]), TruncatedNormal(stddev=0.02), trainable=False, name="vector_u",
            dtype=self.kernel.dtype,
        )  # fmt: skip

    def call(self, inputs: jax.Array, training: bool = False) -> jax.Array:
        if training:
            self._normalize()
        return self.layer(inputs).astype(inputs.dtype)

    def _normalize(self) -> None:
        kernel, u = self.kernel.value, self.vector_u.value
        matrix = kernel.reshape(-1, kernel.shape[-1])
        for _ in range(self.power_iterations):
            v = unit(u @ matrix.T)
            u = unit(v @ matrix)
        u, v = jax.lax.stop_gradient((u, v))
        sigma = (v @ matrix @ u.T).reshape(())
        # A kernel of zeros has no direction to normalize.
        zero = jnp.all(kernel == 0)
        self.vector_u.assign(jnp.where(zero, self.vector_u.value, u))
        self.kernel.assign(kernel / jnp.where(zero, jnp.ones_like(sigma), sigma))
