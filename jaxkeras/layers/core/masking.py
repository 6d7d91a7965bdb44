"""A layer that masks padded time steps."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import registry
from jaxkeras.core.symbolic import op
from jaxkeras.layers._base.layer import Layer


@registry.register("keras.layers")
class Masking(Layer):
    """Masks the steps of a sequence at which every feature equals `mask_value`.

    Args:
        mask_value: the value of padding.

    Input shape: `(batch, steps, ..., features)`. The output is the input with masked steps set to zero; its mask has
    the shape `(batch, steps, ...)`.

    Example:

    >>> from jaxkeras.core.masks import get_mask
    >>> get_mask(Masking()(jnp.array([[[1.0], [0.0]]])))
    Array([[ True, False]], dtype=bool)
    """

    def __init__(self, mask_value: Any = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.mask_value = registry.deserialize(mask_value) if registry.is_config(mask_value) else mask_value
        self.supports_masking = True

    def compute_mask(self, inputs: jax.Array, mask: Any = None) -> jax.Array:
        return _differs_from(inputs, self.mask_value)

    def call(self, inputs: jax.Array) -> jax.Array:
        return jnp.where(self.compute_mask(inputs)[..., None], inputs, 0)


@op
def _differs_from(x: jax.Array, mask_value: Any) -> jax.Array:
    return jnp.any(x != jnp.asarray(mask_value, x.dtype), axis=-1)
