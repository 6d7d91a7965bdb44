"""Layer normalization."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import constraints, initializers, lowering, regularizers
from jaxkeras.layers._base.arguments import known_size
from jaxkeras.layers.normalization.base import Affine, built_axes, standardize_axis
from jaxkeras.registry import register


@register("keras.layers")
class LayerNormalization(Affine):
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta`, for each sample (Ba et al., 2016).

    Args:
        axis: the axis, or the axes that are normalized together.
        epsilon: added to the variance.
        center, scale: whether there is a learned offset (beta) and scale (gamma).
        beta_initializer, gamma_initializer: their initializers.
        beta_regularizer, gamma_regularizer: penalties added to the loss.
        beta_constraint, gamma_constraint: applied after each update.

    Example:

    >>> LayerNormalization(epsilon=0.0)(jnp.array([[1.0, 3.0]])).round(3)
    Array([[-1.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ):
        # An option of earlier versions of Keras, still found in files: no offset, and no mean is subtracted.
        self.rms_scaling = kwargs.pop("rms_scaling", False)
        if self.rms_scaling:
            warnings.warn("`rms_scaling` is deprecated; use RMSNormalization.", stacklevel=2)
        super().__init__(**kwargs)
        self.axis: Any
        self.axis, self.epsilon, self.center, self.scale = standardize_axis(self, axis), epsilon, center, scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.supports_masking = True
        self.autocast = False

    def build(self, input_shape: Any) -> None:
        self.axis = built_axes(self, len(input_shape))
        self.affine([known_size(self, input_shape, axis) for axis in self.axis], center=not self.rms_scaling)

    def call(self, inputs: jax.Array) -> jax.Array:
        gamma = None if self.gamma is None else self.gamma.value
        beta = None if self.beta is None else self.beta.value
        if self.rms_scaling:
            return self._scale_only(inputs, gamma)
        axes = self.axis[0] if len(self.axis) == 1 else tuple(self.axis)
        return lowering.layer_norm(inputs, gamma, beta, axes, self.epsilon).astype(self.compute_dtype)

    def _scale_only(self, inputs: jax.Array, gamma: jax.Array | None) -> jax.Array:
        x = inputs.astype(jnp.promote_types(inputs.dtype, jnp.float32))
        axes = [axis % x.ndim for axis in self.axis]
        y = x * jax.lax.rsqrt(jnp.var(x, tuple(axes), keepdims=True) + self.epsilon)
        if gamma is not None:
            y = y * gamma.reshape([n if axis in axes else 1 for axis, n in enumerate(x.shape)])
        return y.astype(self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rms_scaling": self.rms_scaling}
