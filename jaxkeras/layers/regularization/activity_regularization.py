"""A penalty on activations."""

from __future__ import annotations

from typing import Any

from jaxkeras import registry
from jaxkeras.layers._base.layer import Layer


@registry.register("keras.layers")
class ActivityRegularization(Layer):
    """Returns its input, and adds a penalty on it to the loss.

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
