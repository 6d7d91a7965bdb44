"""A layer applied to each time step."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import registry
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.core.wrapper import Wrapper
from jaxkeras.layers.recurrent.loop import every_step


@registry.register("keras.layers")
class TimeDistributed(Wrapper):
    """Applies a layer to each step of a sequence independently.

    Args:
        layer: the layer to apply.

    Input shape: `(batch, time, ...)`. Output shape: `(batch, time, ...)`. A mask `(batch, time, ...)` is passed to the
    layer step by step.

    Example:

    >>> from jaxkeras.layers import Dense
    >>> TimeDistributed(Dense(4))(jnp.ones((2, 5, 3))).shape
    (2, 5, 4)
    """

    def __init__(self, layer: Layer, **kwargs: Any):
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        if len(input_shape) < 3:
            raise ValueError(
                f"TimeDistributed '{self.name}' needs an input (batch, time, ...) of at least three axes; got shape "
                f"{tuple(input_shape)}."
            )
        super().build((input_shape[0], *input_shape[2:]))

    def call(self, inputs: jax.Array, training: bool | None = None, mask: Any = None) -> jax.Array:
        if mask is not None and tuple(mask.shape[:2]) != tuple(inputs.shape[:2]):
            raise ValueError(
                f"The mask of TimeDistributed '{self.name}' must begin with (batch, time) = {tuple(inputs.shape[:2])}; "
                f"its shape is {tuple(mask.shape)}."
            )
        parameters = self.layer._call_signature().parameters
        context = {"training": training} if "training" in parameters else {}

        def call(x_t: jax.Array, mask_t: Any) -> Any:
            masks = {} if mask_t is None else {"mask": mask_t}
            return self.layer(x_t, **masks, **context)

        masks = jnp.swapaxes(mask, 0, 1) if mask is not None and "mask" in parameters else None
        outputs = every_step(self.layer, jnp.swapaxes(inputs, 0, 1), call, masks)
        return jax.tree.map(lambda y: jnp.swapaxes(y, 0, 1), outputs)
