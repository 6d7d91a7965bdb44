"""Group normalization."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import constraints, initializers, lowering, regularizers
from jaxkeras.layers._base.arguments import known_size
from jaxkeras.layers._base.input_spec import InputSpec
from jaxkeras.layers.normalization.base import Affine
from jaxkeras.registry import register


@register("keras.layers")
class GroupNormalization(Affine):
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta` over groups of channels (Wu and He, 2018).

    Args:
        groups: number of groups that the channels are split into; -1 for one group per channel (instance
            normalization).
        axis: the axis of the channels.
        epsilon: added to the variance.
        center, scale: whether there is a learned offset (beta) and scale (gamma).
        beta_initializer, gamma_initializer: their initializers.
        beta_regularizer, gamma_regularizer: penalties added to the loss.
        beta_constraint, gamma_constraint: applied after each update.

    Example:

    >>> GroupNormalization(groups=2)(jnp.ones((2, 5, 5, 4))).shape
    (2, 5, 5, 4)
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
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
        super().__init__(**kwargs)
        if not isinstance(groups, int) or (groups <= 0 and groups != -1):
            raise ValueError(f"`groups` of GroupNormalization must be a positive integer, or -1; got {groups!r}.")
        self.groups, self.axis, self.epsilon, self.center, self.scale = groups, axis, epsilon, center, scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.supports_masking = True
        self.autocast = False

    def build(self, input_shape: Any) -> None:
        size = known_size(self, input_shape, self.axis)
        if self.groups == -1:
            self.groups = size
        if size % self.groups:
            raise ValueError(
                f"`groups` of GroupNormalization '{self.name}' must divide the {size} channels of its input of shape "
                f"{tuple(input_shape)}; got {self.groups}."
            )
        self.affine((size,))
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})

    def call(self, inputs: jax.Array) -> jax.Array:
        x = inputs.astype(jnp.promote_types(inputs.dtype, jnp.float32))
        axis = self.axis % x.ndim
        split = (*x.shape[:axis], self.groups, x.shape[axis] // self.groups, *x.shape[axis + 1 :])
        within = [a for a in range(1, len(split)) if a != axis]
        y = lowering.layer_norm(x.reshape(split), axis=within, epsilon=self.epsilon).reshape(x.shape)
        shape = [-1 if a == axis else 1 for a in range(x.ndim)]
        if self.gamma is not None:
            y = y * self.gamma.value.reshape(shape)
        if self.beta is not None:
            y = y + self.beta.value.reshape(shape)
        return y.astype(self.compute_dtype)
