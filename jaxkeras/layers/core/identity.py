"""The identity layer."""

from __future__ import annotations

from typing import Any

from jaxkeras import registry
from jaxkeras.layers._base.layer import Layer


@registry.register("keras.layers")
class Identity(Layer):
    """Returns its input.

    Example:

    >>> Identity()(jnp.array([1.0]))
    Array([1.], dtype=float32)
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs
