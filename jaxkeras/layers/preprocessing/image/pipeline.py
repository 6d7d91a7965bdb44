"""A sequence of layers as one layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxkeras import registry
from jaxkeras.core.masks import get_mask
from jaxkeras.layers._base.layer import Layer


@registry.register("keras.layers")
class Pipeline(Layer):
    """Calls layers one after the other, for use in a data pipeline.

    Args:
        layers: the layers.

    Example:

    >>> from jaxkeras.layers import RandomFlip, Rescaling
    >>> Pipeline([Rescaling(1 / 255), RandomFlip()])(jnp.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    _convert_input_args = False
    _allow_non_tensor_positional_args = True

    def __init__(self, layers: Sequence[Layer], name: str | None = None):
        super().__init__(name=name)
        self._pipeline_layers = list(layers)

    @property
    def layers(self) -> list[Layer]:
        """The layers, in order."""
        return self._pipeline_layers

    @property
    def host_only(self) -> bool:
        """Whether any of the layers computes on the host."""
        return any(getattr(layer, "host_only", False) for layer in self._pipeline_layers)

    def build(self, input_shape: Any = None) -> None:
        """Each layer is built when it is first called."""

    def call(self, inputs: Any, training: bool | None = True, mask: Any = None) -> Any:
        for layer in self._pipeline_layers:
            takes = layer._call_signature().parameters
            given = {"training": training, "mask": mask}
            inputs = layer(inputs, **{k: v for k, v in given.items() if k in takes and v is not None})
            mask = get_mask(inputs)
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {"layers": [registry.serialize(layer) for layer in self._pipeline_layers], "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        if not isinstance(config.get("layers"), (list, tuple)):
            raise ValueError(f"The config of a Pipeline needs a list of `layers`; got {config}.")
        return cls(**{**config, "layers": [registry.deserialize(layer) for layer in config["layers"]]})
