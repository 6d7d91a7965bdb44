"""A layer made from a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from jaxkeras import registry
from jaxkeras.layers._base.layer import Layer


@registry.register("keras.layers")
class Lambda(Layer):
    """A function as a layer.

    The code of a Python `lambda` is not saved, so a model with one can be loaded only by the process that saved it; a
    named function that is registered by `jaxkeras.saving.register_keras_serializable` can be loaded anywhere.

    Args:
        function: takes the input, and `mask` and `training` if it has parameters with these names. It cannot have
            weights; write a `Layer` for that.
        output_shape: accepted for compatibility and kept in the config; the shape is inferred by tracing the function.
        mask: the mask of the output, or a function `(inputs, mask)` that returns it.
        arguments: further keyword arguments of the function.

    Example:

    >>> Lambda(lambda x: x**2)(jnp.array([3.0]))
    Array([9.], dtype=float32)
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not callable(function):
            raise ValueError(f"Lambda '{self.name}' needs a function; got {function!r}.")
        self.function, self.output_shape, self.mask = function, output_shape, mask
        self.arguments = dict(arguments or {})
        self.supports_masking = mask is not None
        try:
            taken = inspect.signature(function).parameters
        except ValueError:  # some built-in functions have no signature
            taken = {}
        self._context = tuple(name for name in ("mask", "training") if name in taken)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        context = {"mask": mask, "training": training}
        return self.function(inputs, **self.arguments, **{name: context[name] for name in self._context})

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {k: v for k, v in config.items() if v is not None or k not in ("output_shape", "mask")}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None, safe_mode: bool | None = None) -> Lambda:
        config = dict(config)
        for key in ("function", "output_shape", "mask"):
            if registry.is_config(config.get(key)):
                config[key] = registry.deserialize(config[key], custom_objects, safe_mode=bool(safe_mode))
        if "arguments" in config:
            config["arguments"] = registry.deserialize(config["arguments"], custom_objects)
        return cls(**config)
