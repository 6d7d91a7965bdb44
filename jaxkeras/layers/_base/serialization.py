"""From layers to configs and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxkeras import registry
from jaxkeras.layers._base.layer import Layer


def serialize(layer: Layer) -> dict[str, Any]:
    """The config of a layer, in Keras's format.

    Args:
        layer: the layer.

    Returns:
        Plain data, without the weights.

    Example:

    >>> from jaxkeras.layers import ReLU
    >>> serialize(ReLU())["class_name"]
    'ReLU'
    """
    return registry.serialize(layer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """A layer from its config.

    Args:
        config: what `serialize` returned.
        custom_objects: classes and functions that the config may name besides the built-in ones.

    Returns:
        A new layer.

    Raises:
        ValueError: for something else than a layer.
    """
    layer = registry.deserialize(config, custom_objects, kind="keras.layers")
    if not isinstance(layer, Layer):
        raise ValueError(f"This is the config of {type(layer).__name__}, which is not a layer: {config!r}.")
    return layer
