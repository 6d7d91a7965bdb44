"""From objects to configs, in Keras's format."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.registry.custom import get_registered_name
from jaxkeras.registry.table import builtin_module, config_name, is_builtin

#: Types that JSON can represent as they are.
JSON_SCALARS = (str, int, float, bool, type(None))


def serialize(obj: Any) -> Any:
    """The config of an object, in Keras's format.

    Args:
        obj: plain data, a registered or custom object, a function, or nested lists, tuples and dicts of these.

    Returns:
        Data that `json` can write and `deserialize` turns back into an equal object.

    Raises:
        ValueError: for an object without `get_config`, and for lambdas.

    Example:

    >>> config = serialize(jk.regularizers.L2(0.1))
    >>> config["module"], config["class_name"], config["config"]
    ('keras.regularizers', 'L2', {'l2': 0.1})
    """
    if isinstance(obj, JSON_SCALARS):
        return obj
    if isinstance(obj, (list, tuple)):
        items = [serialize(item) for item in obj]
        return items if isinstance(obj, list) else {"class_name": "__tuple__", "items": items}
    if isinstance(obj, dict):
        return {key: serialize(value) for key, value in obj.items()}
    if isinstance(obj, (np.integer, np.floating, np.bool_)):
        return obj.item()
    if isinstance(obj, (np.ndarray, jax.Array)):
        array = np.asarray(obj)
        return {"class_name": "__numpy__", "config": {"value": array.tolist(), "dtype": array.dtype.name}}
    if isinstance(obj, np.dtype):
        return obj.name
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode()}}
    if obj is ...:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, slice):
        return {"class_name": "__slice__", "config": {k: getattr(obj, k) for k in ("start", "stop", "step")}}
    if isinstance(obj, KerasTensor):
        return _serialize_keras_tensor(obj)
    if inspect.isfunction(obj) or inspect.isbuiltin(obj) or (callable(obj) and not hasattr(obj, "get_config")):
        return _serialize_function(obj)
    if inspect.isclass(obj):
        return _header(obj, {})
    if not hasattr(obj, "get_config"):
        raise ValueError(
            f"Cannot make a config of {obj!r} (of type {type(obj).__name__}): it has no `get_config` method. Give its "
            "class a `get_config` that returns the arguments of its constructor as plain data."
        )
    result = _header(type(obj), serialize_dict(obj.get_config()))
    if hasattr(obj, "get_build_config"):
        build_config = obj.get_build_config()
        if build_config is not None:
            result["build_config"] = serialize_dict(build_config)
    if hasattr(obj, "get_compile_config"):
        compile_config = obj.get_compile_config()
        if compile_config is not None:
            result["compile_config"] = compile_config
    return result


def serialize_argument(value: Any) -> Any:
    """The config of a constructor's argument: tuples stay tuples, a built-in function becomes its name."""
    if callable(value) and is_builtin(value) and not inspect.isclass(value):
        return value.__name__
    if isinstance(value, tuple):
        return tuple(serialize_argument(item) for item in value)
    return _serialize_as_lists(value)


def serialize_dict(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config of every value, with lists in place of tuples, which constructors accept as well."""
    return {key: _serialize_as_lists(value) for key, value in config.items()}


def _serialize_as_lists(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_serialize_as_lists(item) for item in value]
    if isinstance(value, dict):
        return {k: _serialize_as_lists(v) for k, v in value.items()}
    return serialize(value)


def _header(cls: type, config: dict[str, Any]) -> dict[str, Any]:
    module = builtin_module(cls)
    # Keras writes no registered name for its public classes, but does for those in private modules.
    own = module is not None and not module.startswith("keras.src")
    return {
        "module": module or cls.__module__,
        "class_name": config_name(cls),
        "config": config,
        "registered_name": None if own else get_registered_name(cls),
    }


def _serialize_keras_tensor(x: KerasTensor) -> dict[str, Any]:
    config: dict[str, Any] = {"shape": list(x.shape), "dtype": x.dtype}
    history = x._keras_history
    if history is not None:
        config["keras_history"] = [history.operation.name, history.node_index, history.tensor_index]
    return {"class_name": "__keras_tensor__", "config": config}


def _serialize_function(function: Any) -> dict[str, Any]:
    name = getattr(function, "__name__", None) or getattr(function, "op_name", None)
    if name == "<lambda>":
        raise ValueError(
            "A lambda cannot be written into a config: a file that carried its code could not be loaded safely. "
            "Write a named function, decorate it with @jaxkeras.saving.register_keras_serializable(), and use that."
        )
    if name is None:
        raise ValueError(f"Cannot make a config of the callable {function!r}: it has no name.")
    # Keras looks functions up by name alone and ignores the module.
    registered_name = get_registered_name(function)
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": registered_name}
