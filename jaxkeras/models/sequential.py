"""`Sequential`: a stack of layers."""

from __future__ import annotations

from typing import Any

from jaxkeras import registry
from jaxkeras.core.context import local
from jaxkeras.core.names import config_scope, unique
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.core.variable import standardize_shape
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers._base.tensor_structures import is_shape
from jaxkeras.layers.core.input import InputLayer
from jaxkeras.models.graph import Graph
from jaxkeras.models.model import Functional, Model


@registry.register("keras.models", module="keras")
class Sequential(Model):
    """Layers applied one after the other.

    Args:
        layers: a list of layers; the first may be an `Input`.
        trainable: whether the weights are updated.
        name: made up when not given.

    Example:

    >>> import jaxkeras as jk
    >>> model = jk.Sequential([jk.Input((4,)), jk.layers.Dense(8, activation="relu"), jk.layers.Dense(1)])
    >>> model.count_params()
    49
    """

    _is_stack = True

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None):
        if isinstance(layers, Layer) or isinstance(trainable, Layer):
            raise ValueError("Sequential takes a list of layers: write Sequential([Dense(8), Dense(1)]).")
        super().__init__(trainable=trainable, name=name)
        self._layers: list[Layer] = []
        for layer in layers or []:
            self._append(layer)
        self._rebuild()

    def _append(self, layer: Any) -> None:
        if isinstance(layer, KerasTensor) and layer._keras_history is not None:
            layer = layer._keras_history.operation
        declared = getattr(layer, "_declared_input_shape", None)
        if not self._layers and declared is not None:
            self._layers.append(InputLayer(batch_shape=declared))
        if not isinstance(layer, Layer):
            registry.refuse_foreign_keras([layer])
            raise ValueError(
                f"Only layers can be added to a Sequential model; got {layer!r} (of type {type(layer).__name__})."
                + (f" Did you mean {layer.__name__}(...)?" if isinstance(layer, type) else "")
            )
        if isinstance(layer, InputLayer) and self._layers:
            raise ValueError(
                f"Sequential model '{self.name}' already has its input or first layer; an Input must come first."
            )
        if any(other.name == layer.name for other in self._layers):
            raise ValueError(
                f"Layer names in a Sequential model must be unique; '{layer.name}' is already in '{self.name}'. "
                "Give the layer another `name`, or make a new layer instead of adding the same one twice."
            )
        self._layers.append(layer)

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer on top of the stack."""
        self._append(layer)
        if rebuild:
            self._rebuild()

    def pop(self, rebuild: bool = True) -> Layer:
        """Remove and return the last layer."""
        layer = self._layers.pop()
        if rebuild:
            self._rebuild()
        return layer

    def _rebuild(self) -> None:
        self.built, self._graph = False, None
        if not self._layers:
            return
        first = self._layers[0]
        if isinstance(first, InputLayer):
            if len(self._layers) > 1:
                self.build(first.batch_shape)
        elif isinstance(first, Model) and first._graph is not None:
            self.build(first.input_shape)

    def build(self, input_shape: Any = None) -> None:
        """Create the weights for inputs of this shape (with the batch axis, None where unknown)."""
        if not self._layers:
            raise ValueError(f"Sequential model '{self.name}' has no layers yet: call `model.add(layer)`.")
        if self._graph is not None:
            self._check_build_shape(input_shape)
            return
        if local.eager:
            return  # while values are to be seen, the layers are built as the data reach them
        if not is_shape(input_shape) and input_shape is not None:
            return  # nested inputs: the layers are built when the model is called
        first = self._layers[0]
        if not isinstance(first, InputLayer):
            if input_shape is None:
                raise ValueError(f"Give the input shape to build Sequential model '{self.name}': build((None, 784)).")
            used = {layer.name: 0 for layer in self._layers}
            first = InputLayer(
                batch_shape=standardize_shape(input_shape), dtype=self._input_type(first),
                name=unique("input_layer", used),
            )  # fmt: skip
        x = first.output
        for layer in self._layers:
            x = x if layer is first else layer(x)
        if first is not self._layers[0]:
            self._layers.insert(0, first)
        self._graph = Graph(first.output, x)
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.output_names = [self._layers[-1].name]
        self.supports_masking = True
        self._called = True
        self.built = True

    def _check_build_shape(self, input_shape: Any) -> None:
        expected = self._graph.inputs[0].shape  # type: ignore[union-attr]
        if not is_shape(input_shape):
            return
        given = standardize_shape(input_shape)
        if len(given) != len(expected) or any(a != b for a, b in zip(given[1:], expected[1:]) if None not in (a, b)):
            raise ValueError(
                f"Sequential model '{self.name}' has already been configured to take inputs of shape {expected}; "
                f"build got {given}."
            )

    @property
    def _functional(self) -> Functional | None:
        """The stack as a functional model of the same layers, under the name by which code written for Keras reads it;
        None before it is built."""
        return None if self._graph is None else Functional(self.input, self.output, name=self.name)

    def _input_type(self, first: Layer) -> str:
        return self._seen_dtype or first.compute_dtype

    _seen_dtype: str | None = None

    def _maybe_build(self, arguments: dict[str, Any]) -> None:
        x: Any = next(iter(arguments.values()), None)
        if self._graph is None and hasattr(x, "dtype"):
            # Integer ids stay integers: the input takes the type of the first data it sees.
            name = "string" if getattr(x.dtype, "kind", "-") in "USO" else str(x.dtype)
            self._seen_dtype = name if name.startswith(("int", "uint", "string")) else None
        super()._maybe_build(arguments)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if self._graph is not None:
            return super().call(inputs, training=training, mask=mask)
        for layer in self._layers:  # nested inputs, which have no single symbolic tensor
            inputs = layer(inputs)
        return inputs

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input."""
        stack = vars(self).get("_layers", [])
        return [layer for i, layer in enumerate(stack) if i or not isinstance(layer, InputLayer)]

    @layers.setter
    def layers(self, value: Any) -> None:
        raise AttributeError("`Sequential.layers` cannot be set; use `add` and `pop`.")

    def parts(self, kind: str = "layer") -> list[Any]:
        if kind != "layer":
            return super().parts(kind)
        found = {id(layer): layer for layer in self.layers}
        for part in Layer.parts(self):
            found.setdefault(id(part), part)
        return [part for part in found.values() if not isinstance(part, InputLayer)]

    def file_children(self):
        yield "layers", self.layers
        for name, value in Layer.file_children(self):
            if name != "_layers":
                yield name, value

    def get_config(self) -> dict[str, Any]:
        from jaxkeras.models.functional import serialize_operation

        config = {
            "name": self.name,
            "trainable": self._trainable,
            "dtype": registry.serialize(self._dtype_policy),
            "layers": [serialize_operation(layer) for layer in self._layers],
        }
        if self._graph is not None:
            config["build_input_shape"] = list(self._layers[0].batch_shape)  # type: ignore[attr-defined]
        return config

    def get_build_config(self) -> dict[str, Any] | None:
        return {"input_shape": list(self._graph.inputs[0].shape)} if self._graph is not None else None

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        if "name" not in config:
            raise ValueError(f"The config of a Sequential model must hold its `name`; it has the keys {list(config)}.")
        with registry.CustomObjectScope(custom_objects), config_scope(config):
            layers = [registry.deserialize(item, kind="keras.layers") for item in config["layers"]]
        model = cls(name=config["name"])
        for layer in layers:
            model._append(layer)
        model._trainable = config.get("trainable", True)
        model._rebuild()
        shape = config.get("build_input_shape")
        if model._graph is None and shape and is_shape(shape):
            model.build(tuple(shape))
        return model
