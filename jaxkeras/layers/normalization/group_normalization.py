"""Group normalization."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering
from jaxkeras.layers._base.arguments import known_size, weight_settings
from jaxkeras.layers._base.input_spec import InputSpec
from jaxkeras.layers.normalization.base import _Affine
from jaxkeras.registry import register


@register("keras.layers")
class GroupNormalization(_Affine):
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta` over groups of channels (Wu and He, 2018).

    Args:
        groups: into how many groups the channels are split; -1 makes each channel a group (instance normalization).
        axis: the channels.
        epsilon: added to the variance.
        center, scale: whether there is a learned offset (beta) and scale (gamma).
        beta_initializer, gamma_initializer: how they start.
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
        weight_settings(
            self, beta_initializer=beta_initializer, gamma_initializer=gamma_initializer,
            beta_regularizer=beta_regularizer, gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint, gamma_constraint=gamma_constraint,
        )  # fmt: skip
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
