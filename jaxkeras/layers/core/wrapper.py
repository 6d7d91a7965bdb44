"""The base class of layers that wrap one layer."""

from __future__ import annotations

from typing import Any

from jaxkeras import registry
from jaxkeras.layers._base.layer import Layer


def check_is_layer(layer: Any, wrapper: str) -> None:
    """Raise a ValueError unless `layer` is a layer that `wrapper` can wrap."""
    if not isinstance(layer, Layer):
        registry.refuse_foreign_keras([layer])
        raise ValueError(f"{wrapper} wraps a layer, such as {wrapper}(Dense(8)); got {layer!r}.")


@registry.register("keras.layers")
class Wrapper(Layer):
    """Base class of layers that hold one other layer as `self.layer`; write a `call` that uses it.

    Args:
        layer: the wrapped layer.

    Example:

    >>> class Residual(Wrapper):
    ...     def call(self, inputs):
    ...         return inputs + self.layer(inputs)
    """

    def __init__(self, layer: Layer, **kwargs: Any):
        check_is_layer(layer, type(self).__name__)
        super().__init__(**kwargs)
        self.layer: Any = layer

    def build(self, input_shape: Any = None) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)
