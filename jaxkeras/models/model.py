"""`Model`: a layer that can be compiled, trained, summarised and saved."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from jaxkeras import registry
from jaxkeras.core.context import setting
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.layers._base.layer import Layer
from jaxkeras.models import functional
from jaxkeras.models.graph import Graph
from jaxkeras.models.summary import print_summary
from jaxkeras.models.trainer import Trainer


@registry.register("keras.models", module="keras")
class Model(Trainer):
    """A layer with a trainer. There are three ways to make one.

    1. From symbolic tensors (functional): `Model(inputs, outputs)`; inputs and outputs may be nested lists or dicts.
    2. From a stack of layers: `Sequential([...])`.
    3. By subclassing: create layers in `__init__`, use them in `call`.

    Args:
        inputs: KerasTensor or nested structure of them (functional form).
        outputs: likewise.
        name: made up when not given.
        trainable: whether its weights are updated.

    Example:

    >>> import jaxkeras as jk
    >>> x = jk.Input((4,))
    >>> model = jk.Model(x, jk.layers.Dense(1)(x))
    >>> model.compile("adam", "mse")
    >>> model.predict(np.ones((2, 4)), verbose=0).shape
    (2, 1)
    """

    _is_model = True
    #: Whether it is shown as a list of layers although it has a graph.
    _is_stack = False

    _graph: Graph | None = None
    _untracked = Trainer._untracked | {"_graph"}
    _built_by_super = True

    def __new__(cls, *args: Any, **kwargs: Any):
        if cls is Model and ("inputs" in kwargs or "outputs" in kwargs or len(args) >= 2):
            return Functional.__new__(Functional, *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any):
        self._start_uncompiled()
        if "inputs" in kwargs or "outputs" in kwargs or len(args) >= 2:
            names = ("inputs", "outputs", "name")
            if len(args) > 3:
                raise TypeError(f"A functional model takes (inputs, outputs, name); got {len(args)} arguments.")
            kwargs.update(zip(names, args))
            if "inputs" not in kwargs or "outputs" not in kwargs:
                raise ValueError("A functional model needs both `inputs` and `outputs`: Model(inputs, outputs).")
            self._set_graph(**kwargs)
        else:
            if args:
                raise TypeError(
                    f"{type(self).__name__}() takes keyword arguments only (or inputs and outputs); got {args[0]!r}."
                )
            Layer.__init__(self, **kwargs)

    def _set_graph(
        self, inputs: Any, outputs: Any, name: str | None = None, trainable: bool | None = None, **kwargs: Any
    ) -> None:
        functional.check_tensors(inputs, "inputs")
        functional.check_tensors(outputs, "outputs")
        graph = functional.graph_of(inputs, outputs)
        Layer.__init__(self, name=name, **kwargs)
        self._graph = graph
        self._scope()
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.built = True
        self._called = True
        self.supports_masking = True
        self.output_names = [x._keras_history.operation.name for x in graph.outputs]
        if trainable is not None and not trainable:  # True leaves layers frozen that are
            self.trainable = False

    # -- structure -----------------------------------------------------------------------------------------------
    @property
    def layers(self) -> list[Layer]:
        """The layers directly in the model, from the inputs on; `InputLayer`s included in a functional model."""
        if self._graph is not None:
            return [o for o in self._graph.operations if isinstance(o, Layer)]
        return self.parts()

    def parts(self, kind: str = "layer") -> list[Any]:
        if kind != "layer" or self._graph is None:
            return super().parts(kind)
        found = {id(layer): layer for layer in [*self.layers, *super().parts()]}
        return list(found.values())

    def linked(self) -> list[Any]:
        return [] if self._graph is None else [o for o in self._graph.operations if isinstance(o, Layer)]

    def file_children(self):
        if self._graph is not None:
            yield "layers", self.layers
        yield from super().file_children()

    @property
    def operations(self) -> list[Any]:
        """Layers and ops of the graph."""
        return self._require_graph("operations").operations

    _operations = operations  # the name by which code written for Keras reads it

    def _require_graph(self, what: str) -> Graph:
        if self._graph is None:
            raise AttributeError(f"Model '{self.name}' has no `{what}`: it is not made of symbolic tensors.")
        return self._graph

    @property
    def inputs(self) -> list[KerasTensor]:
        return self._require_graph("inputs").inputs

    @property
    def outputs(self) -> list[KerasTensor]:
        return self._require_graph("outputs").outputs

    @property
    def input(self) -> Any:
        return self._require_graph("input").inputs_struct

    @property
    def output(self) -> Any:
        return self._require_graph("output").outputs_struct

    @property
    def input_shape(self) -> Any:
        shapes = [x.shape for x in self.inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        shapes = [x.shape for x in self.outputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def input_names(self) -> list[str]:
        """The names by which a dict of data can feed the inputs."""
        return [x._keras_history.operation.name for x in self.inputs]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or position.

        Raises:
            ValueError: for an unknown one, with the closest names.
        """
        layers = self.layers
        if index is not None:
            if name is not None:
                raise ValueError(f"Give get_layer a name or an index, not both: name={name!r}, index={index}.")
            if index >= len(layers):
                raise ValueError(f"Model '{self.name}' has {len(layers)} layers, so there is none at index {index}.")
            return layers[index]
        if name is None:
            raise ValueError("Give get_layer a `name` or an `index`.")
        for layer in layers:
            if layer.name == name:
                return layer
        raise registry.unknown(f"layer of model '{self.name}'", name, [layer.name for layer in layers])

    # -- computing -----------------------------------------------------------------------------------------------
    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if self._graph is None:
            raise NotImplementedError(
                f"Model {type(self).__name__} has no `call` method. Write `def call(self, inputs): ...`, or make the "
                "model from symbolic tensors with Model(inputs, outputs)."
            )
        flat = functional.standardize_inputs(self._graph, inputs, self.name)
        outputs = functional.run_graph(self._graph, flat, training, mask)
        return outputs[0] if isinstance(outputs, (list, tuple)) and len(outputs) == 1 else outputs

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return None  # the layers inside have set it on the outputs

    # -- config --------------------------------------------------------------------------------------------------
    def get_config(self) -> dict[str, Any]:
        if self._graph is not None and _takes_graph(type(self)):
            return {"name": self.name, "trainable": self._trainable, **functional.graph_config(self._graph)}
        config = super().get_config()
        return self._with_own_arguments(config) if type(self).get_config is Model.get_config else config

    def get_build_config(self) -> dict[str, Any] | None:
        return super().get_build_config() if self._graph is None else {"input_shape": None}

    def build_from_config(self, config: dict[str, Any]) -> None:
        if self._graph is None:
            super().build_from_config(config)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """A model from what `get_config` returned."""
        with registry.CustomObjectScope(custom_objects):
            if {"layers", "input_layers", "output_layers"} <= set(config) and _takes_graph(cls):
                config = dict(config)
                with setting(names=()):  # its layers are made before it, and outside of the model around it
                    inputs, outputs = functional.graph_from_config(config)
                rest = {k: v for k, v in config.items() if k not in ("layers", "input_layers", "output_layers")}
                return cls(inputs=inputs, outputs=outputs, **rest)
            return super().from_config(config)

    def to_json(self, **kwargs: Any) -> str:
        """The architecture as a JSON string, which `models.model_from_json` reads."""
        import json

        return json.dumps(registry.serialize(self), **kwargs)

    # -- looking, saving -----------------------------------------------------------------------------------------
    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Print the layers with their output shapes and numbers of parameters.

        Args:
            line_length: width of the table in characters.
            positions: relative widths of the columns.
            print_fn: called with the text instead of printing.
            expand_nested: show the layers of models inside the model.
            show_trainable: add a column that says whether each layer is trained.
            layer_range: two names: only the layers from the first to the second.
        """
        print_summary(
            self, line_length=line_length, positions=positions, print_fn=print_fn, expand_nested=expand_nested,
            show_trainable=show_trainable, layer_range=layer_range,
        )  # fmt: skip

    def save(self, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any) -> None:
        """Write architecture, weights, compile arguments and optimizer state to one file, or to a folder.

        Args:
            filepath: `"model.keras"` (recommended) or `"model.h5"`.
            overwrite: whether to replace an existing file.
            zipped: False for a folder with the parts of a `.keras` file.
        """
        from jaxkeras.saving import save_model

        save_model(self, filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_weights(self, filepath: Any, overwrite: bool = True, max_shard_size: Any = None) -> None:
        """Write the weights to a `.weights.h5` file, or to several of at most `max_shard_size` gigabytes."""
        from jaxkeras.saving import save_weights

        save_weights(self, filepath, overwrite=overwrite, max_shard_size=max_shard_size)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
        """Read the weights from a `.weights.h5`, `.weights.json`, `.keras` or `.h5` file."""
        from jaxkeras.saving import load_weights

        load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)

    def __reduce__(self) -> Any:
        """How `pickle` and `copy.deepcopy` take a model: as its `.keras` file, with your classes beside it."""
        from jaxkeras.saving import in_memory

        return in_memory.from_bytes, (in_memory.to_bytes(self), in_memory.own_objects(self))

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, Any]:
        """All variables as nested dicts: trainable, non-trainable, optimizer and metrics variables by path.

        Args:
            value_format: `"backend_tensor"` for JAX arrays or `"numpy_array"`.
        """
        groups = {
            "trainable_variables": self.trainable_variables,
            "non_trainable_variables": self.non_trainable_variables,
            "optimizer_variables": self.optimizer.variables if self.optimizer is not None else [],
            "metrics_variables": self.metrics_variables,
        }
        convert = np.asarray if value_format == "numpy_array" else (lambda x: x)
        tree: dict[str, Any] = {}
        for group, variables in groups.items():
            tree[group] = {}
            for v in variables:
                node = tree[group]
                *scopes, leaf = v.path.split("/")
                for scope in scopes:
                    node = node.setdefault(scope, {})
                if leaf in node:
                    raise ValueError(
                        f"Two variables of model '{self.name}' have the path '{v.path}', so a state tree cannot hold "
                        "both. Give their layers different names."
                    )
                node[leaf] = convert(v.cell())
        return tree

    def set_state_tree(self, state_tree: dict[str, Any]) -> None:
        """Write what `get_state_tree` returned back into the variables."""
        groups = {
            "trainable_variables": self.trainable_variables,
            "non_trainable_variables": self.non_trainable_variables,
            "optimizer_variables": self.optimizer.variables if self.optimizer is not None else [],
            "metrics_variables": self.metrics_variables,
        }
        for group, tree in state_tree.items():
            if group not in groups:
                raise registry.unknown("group of a state tree", group, groups)
            for v in groups[group]:
                node = tree
                for key in v.path.split("/"):
                    node = node[key]
                v.assign(node)


@registry.register("keras.models", module="keras.src.models.functional")
class Functional(Model):
    """The class of models made from symbolic tensors; written as `Model(inputs, outputs)`."""

    _is_functional = True

    def __init__(self, inputs: Any = None, outputs: Any = None, name: str | None = None, **kwargs: Any):
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)


def _takes_graph(cls: type) -> bool:
    """Whether a class can be made from a graph: its constructor has not been changed, or passes everything on."""
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    if [p.name for p in parameters[:2]] == ["inputs", "outputs"]:
        return True
    kinds = {p.kind for p in parameters}
    return inspect.Parameter.VAR_POSITIONAL in kinds and inspect.Parameter.VAR_KEYWORD in kinds
