"""`.h5`, Keras's older format for whole models: one HDF5 file with the config in its attributes."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np

from jaxkeras import registry
from jaxkeras.core import placement
from jaxkeras.core.tracking import walk
from jaxkeras.saving import checksum
from jaxkeras.saving.atomic import replacing
from jaxkeras.saving.budget import Budget
from jaxkeras.saving.keras_format import _FORMAT, model_config
from jaxkeras.saving.values import Loaded, all_or_nothing
from jaxkeras.saving.weights_h5 import budget_of, has, plain, read_array, write_array
from jaxkeras.training.state import build_optimizer

_ATTRIBUTE_LIMIT = 64512  # maximum size of an HDF5 attribute in bytes


def save(model: Any, filepath: Any, include_optimizer: bool = True) -> None:
    """Save a model, with or without its optimizer state and `compile` arguments."""
    config = model_config(model)
    compile_config = config.pop("compile_config", None)
    with replacing(filepath) as temporary, checksum.created(temporary) as file:
        file.attrs["keras_version"] = _FORMAT.encode()
        file.attrs["backend"] = b"jax"
        file.attrs["model_config"] = json.dumps({k: config[k] for k in ("class_name", "config")}).encode()
        if compile_config and include_optimizer:
            optimizer = compile_config.pop("optimizer")
            training = {**compile_config, "optimizer_config": {k: optimizer[k] for k in ("class_name", "config")}}
            training["loss"] = _full_names(training["loss"])
            file.attrs["training_config"] = json.dumps(training).encode()
        write_weights(file.create_group("model_weights"), model)
        for path, state in _seeds(model).items():  # an extra group: Keras does not save the seeds of dropout
            file[f"seed_states/{path}"] = placement.to_host(state.cell())
        if include_optimizer and model._optimizer is not None and model._optimizer.built:
            _write_arrays(
                file.create_group("optimizer_weights"), [(v.path, v.cell()) for v in model.optimizer.variables]
            )


def _full_names(loss: Any) -> Any:
    """Replace short names of losses (`mse`), which Keras 3.15 cannot read from this format, by full ones."""
    if isinstance(loss, str):
        return getattr(registry.registered("keras.losses").get(loss), "__name__", loss)
    if isinstance(loss, list):
        return [_full_names(item) for item in loss]
    if isinstance(loss, dict) and not registry.is_config(loss):
        return {key: _full_names(item) for key, item in loss.items()}
    return loss


def _seeds(model: Any) -> dict[str, Any]:
    return {
        "/".join((*path, name)): generator.state for path, part in walk(model) for name, generator in part._own_seeds()
    }


def _ordered(layer: Any) -> list[Any]:
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def write_weights(group: Any, model: Any) -> None:
    """Write the weights of each layer of a model to its own group."""
    layers = _layers(model)
    _write_names(group, "layer_names", [layer.name for layer in layers])
    group.attrs["backend"] = b"jax"
    group.attrs["keras_version"] = _FORMAT.encode()
    for layer in layers:
        _write_arrays(group.create_group(layer.name), [(v.path, v.cell()) for v in _ordered(layer)])
    own = model._own_variables()
    _write_arrays(group.create_group("top_level_model_weights"), [(v.path, v.cell()) for v in own])


def _layers(model: Any) -> list[Any]:
    return list(getattr(model, "_layers", None) or model.layers)


def _write_arrays(group: Any, arrays: list[tuple[str, Any]]) -> None:
    _write_names(group, "weight_names", [name for name, _ in arrays])
    for name, value in arrays:
        if name in group:
            raise ValueError(
                f"Two weights are both called '{name}', which an .h5 file cannot hold: save as .keras instead."
            )
        write_array(group, name, np.asarray(value))


def _write_names(group: Any, attribute: str, names: list[str]) -> None:
    encoded = np.array([n.encode() for n in names], dtype="S") if names else np.array([], dtype="S1")
    if encoded.nbytes <= _ATTRIBUTE_LIMIT:
        group.attrs[attribute] = encoded
        return
    pieces = int(np.ceil(encoded.nbytes / _ATTRIBUTE_LIMIT))
    for i, part in enumerate(np.array_split(encoded, pieces)):
        group.attrs[f"{attribute}{i}"] = part


def _read_names(group: Any, attribute: str) -> list[str]:
    if attribute in group.attrs:
        values = list(group.attrs[attribute])
    else:
        values, i = [], 0
        while f"{attribute}{i}" in group.attrs:
            values += list(group.attrs[f"{attribute}{i}"])
            i += 1
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values]


def load(filepath: Any, custom_objects: Any, compile: bool, safe_mode: bool = True) -> Any:
    """Load a model.

    Raises:
        ValueError: if the file has no config, or the config names an unknown object.
    """
    with checksum.opened(filepath) as file:
        if "model_config" not in file.attrs:
            raise ValueError(
                f"'{filepath}' holds weights but no model: build the model and call model.load_weights(filepath)."
            )
        with registry.CustomObjectScope(custom_objects), Loaded() as loaded:
            model = registry.deserialize(_json(file.attrs["model_config"]), safe_mode=safe_mode, kind="keras.models")
            _read_weights(plain(file, "model_weights"), model, loaded)
            if has(file, "seed_states"):
                budget = budget_of([file])
                for path, state in _seeds(model).items():
                    place = f"seed_states/{path}"
                    state.assign(loaded.check(read_array(plain(file, place), budget), state, place))
            if compile and "training_config" in file.attrs:
                training = _json(file.attrs["training_config"])
                optimizer = training.pop("optimizer_config")
                training["optimizer"] = _in_module(optimizer, "keras.optimizers")
                training["loss"] = _in_module(training.get("loss"), "keras.losses")
                for key in ("metrics", "weighted_metrics"):
                    training[key] = _in_module(training.get(key), "keras.metrics")
                model.compile_from_config(training)
                if has(file, "optimizer_weights") and model._optimizer is not None:
                    _read_optimizer(plain(file, "optimizer_weights"), model, loaded)
    return model


def _in_module(config: Any, module: str) -> Any:
    """Add the module to configs, which old files omit."""
    if registry.is_config(config):
        return {"module": module, **config}
    if isinstance(config, dict):
        return {key: _in_module(item, module) for key, item in config.items()}
    return [_in_module(item, module) for item in config] if isinstance(config, list) else config


def _json(value: Any) -> Any:
    return json.loads(value.decode() if isinstance(value, bytes) else value)


def _datasets(group: Any) -> list[Any]:
    return [plain(group, name) for name in _read_names(group, "weight_names")]


def _read_optimizer(group: Any, model: Any, loaded: Loaded) -> None:
    build_optimizer(model)
    budget = budget_of([group.file])
    items = _datasets(group)
    arrays = [read_array(item, budget) for item in items]
    try:
        for variable, item, array in zip(model.optimizer.variables, items, arrays):
            loaded.check(array, variable, item.name)
        with all_or_nothing(model.optimizer.variables):
            model.optimizer.set_weights(arrays)
    except ValueError as error:
        warnings.warn(f"The state of the optimizer could not be restored, so it starts anew: {error}", stacklevel=4)


def read_weights(group: Any, model: Any, by_name: bool = False, skip_mismatch: bool = False) -> None:
    """Read the weights of each layer, matching layers by order or by name.

    Raises:
        ValueError: if the number of layers or weights, the shapes or the kinds of values differ.
    """
    with Loaded() as loaded:
        _read_weights(group, model, loaded, by_name, skip_mismatch)


def _read_weights(group: Any, model: Any, loaded: Loaded, by_name: bool = False, skip_mismatch: bool = False) -> None:
    names = _read_names(group, "layer_names")
    budget = budget_of([group.file])
    stored = {name: _datasets(plain(group, name)) for name in names}
    layers = [layer for layer in _layers(model) if _ordered(layer)]
    if by_name:
        pairs = [(layer, stored[layer.name]) for layer in layers if layer.name in stored]
    else:
        filled = [items for items in stored.values() if items]
        if len(filled) != len(layers):
            raise ValueError(
                f"The file holds weights of {len(filled)} layers, but the model has {len(layers)} layers with weights."
                + ("" if model.built else " The model is not built: call it on data, or build it, first.")
            )
        pairs = list(zip(layers, filled))
    for layer, items in pairs:
        _assign(layer.name, _ordered(layer), items, skip_mismatch, budget, loaded)
    if has(group, "top_level_model_weights"):
        own = model._own_variables()
        items = _datasets(plain(group, "top_level_model_weights"))
        _assign(model.name, own, items, skip_mismatch, budget, loaded)


def _assign(
    name: str, variables: list[Any], items: list[Any], skip_mismatch: bool, budget: Budget, loaded: Loaded
) -> None:
    shapes, stored = [v.shape for v in variables], [item.shape for item in items]
    if shapes != stored:
        message = f"Weights of layer '{name}' have shapes {shapes}, but the file holds {stored}."
        if not skip_mismatch:
            raise ValueError(message)
        warnings.warn(f"Skipped. {message}", stacklevel=4)
        return
    for v, item in zip(variables, items):
        v.assign(loaded.check(read_array(item, budget), v, item.name))
