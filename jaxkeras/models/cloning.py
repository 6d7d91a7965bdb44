"""Copies of models, and models from JSON."""

from __future__ import annotations

import inspect
import json
from typing import Any

import jax

from jaxkeras import registry
from jaxkeras.core.names import name_scope
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.core.input import Input, InputLayer
from jaxkeras.models.model import Model
from jaxkeras.models.sequential import Sequential


def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: Any = None,
    call_function: Any = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Any:
    """A model of the same layers with fresh weights.

    Args:
        model: the model.
        input_tensors: KerasTensors to build it on, instead of new inputs.
        clone_function: `layer -> layer`; copies each layer by its config when not given.
        call_function: `(layer, *args, **kwargs) -> output`; how each copy is called.
        recursive: whether `clone_function` also sees the layers of models inside.

    Returns:
        The new model, compiled like the old one unless its class overrides `compile`.
    """
    clone = copy_layers(model, input_tensors, clone_function, call_function, recursive)
    if model.compiled and type(model).compile is Model.compile:
        clone.compile(**jax.tree.map(another_argument, model._session.arguments))
    return clone


def another_argument(argument: Any) -> Any:
    """A new object with the same config, and the same functions: optimizers and metrics hold state."""
    if hasattr(argument, "get_config") and not inspect.isclass(argument):
        functions = {f.__name__: f for f in getattr(argument, "__dict__", {}).values() if inspect.isfunction(f)}
        with registry.custom_object_scope(functions):
            return type(argument).from_config(argument.get_config())
    return argument


def copy_layers(
    model: Model,
    input_tensors: Any = None,
    clone_function: Any = None,
    call_function: Any = None,
    recursive: bool = False,
) -> Any:
    """`clone_model` without `compile`."""

    def copy(layer: Any) -> Any:
        if recursive and isinstance(layer, Model) and (layer._graph is not None or isinstance(layer, Sequential)):
            return clone_model(layer, clone_function=clone_function, call_function=call_function, recursive=True)
        if clone_function is not None:
            return clone_function(layer)
        return type(layer).from_config(layer.get_config())

    if isinstance(model, Sequential):
        with name_scope(model.name):  # nested models are built here, and keep their paths
            stack = [copy(layer) for layer in model._layers if not isinstance(layer, InputLayer)]
        if input_tensors is not None:
            stack.insert(0, jax.tree.leaves(input_tensors)[0])
        elif model._layers and isinstance(model._layers[0], InputLayer):
            first = model._layers[0]
            stack.insert(0, InputLayer(batch_shape=first.batch_shape, dtype=first.dtype, name=first.name))
        return Sequential(stack, name=model.name, trainable=model.trainable)
    if model._graph is None:
        return type(model).from_config(model.get_config())
    copies: dict[int, Any] = {}

    def call(operation: Any, args: tuple, call_kwargs: dict) -> Any:
        if id(operation) not in copies:
            copies[id(operation)] = copy(operation) if isinstance(operation, Layer) else operation
        layer = copies[id(operation)]
        if call_function is not None:
            return call_function(layer, *args, **call_kwargs)
        return layer(*args, **call_kwargs)

    graph = model._graph
    if input_tensors is None:
        new_inputs = [
            Input(batch_shape=x.shape, dtype=x.dtype, name=x._keras_history.operation.name) for x in graph.inputs
        ]
    else:
        new_inputs = jax.tree.leaves(input_tensors)
        if jax.tree.structure(input_tensors) != jax.tree.structure(graph.inputs_struct) and len(new_inputs) > 1:
            raise ValueError(
                "`input_tensors` must have the same structure as model.input: "
                f"{jax.tree.structure(graph.inputs_struct)}; got {jax.tree.structure(input_tensors)}."
            )
    outputs = graph.run(new_inputs, call)
    inputs = jax.tree.unflatten(jax.tree.structure(graph.inputs_struct), new_inputs)
    return type(model)(inputs=inputs, outputs=outputs, name=model.name)


def model_from_json(json_string: str, custom_objects: Any = None) -> Any:
    """A model from the string that `to_json` returned."""
    return registry.deserialize(json.loads(json_string), custom_objects, kind="keras.models")
