"""Spectral normalization of a layer's weights."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.initializers import TruncatedNormal
from jaxkeras.layers._base.arguments import positive_int
from jaxkeras.layers._base.input_spec import InputSpec
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.core.wrapper import Wrapper
from jaxkeras.layers.normalization.unit_normalization import l2_normalize
from jaxkeras.registry import register


@register("keras.layers")
class SpectralNormalization(Wrapper):
    """Divides the kernel of a layer by its largest singular value while training (Miyato et al., 2018).

    The singular value is estimated by power iteration, starting from a vector that is kept between calls. A call with
    `training=True` normalizes the kernel in place. As in Keras on JAX, a compiled training step normalizes it for that
    step only, differentiably, and the optimizer updates the kernel itself; with `training=False` the kernel is used
    unchanged. So call the layer once with `training=True` before using a trained model for inference.

    Args:
        layer: a layer with a `kernel` or with `embeddings`.
        power_iterations: number of iterations per call.

    Raises:
        ValueError: for a layer with neither, or `power_iterations` below 1.

    Example:

    >>> from jaxkeras.layers import Dense
    >>> SpectralNormalization(Dense(3))(jnp.ones((2, 4)), training=True).shape
    (2, 3)
    """

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs: Any):
        super().__init__(layer, **kwargs)
        self.power_iterations = positive_int(power_iterations, "power_iterations", self)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        name = next((name for name in ("kernel", "embeddings") if hasattr(self.layer, name)), None)
        if name is None:
            raise ValueError(
                f"SpectralNormalization wraps a layer with a `kernel` or `embeddings`; "
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
            v = l2_normalize(u @ matrix.T)
            u = l2_normalize(v @ matrix)
        u, v = jax.lax.stop_gradient((u, v))
        sigma = (v @ matrix @ u.T).reshape(())
        # A kernel of zeros has no singular vectors.
        zero = jnp.all(kernel == 0)
        self.vector_u.assign(jnp.where(zero, self.vector_u.value, u))
        self.kernel.assign(kernel / jnp.where(zero, jnp.ones_like(sigma), sigma))
