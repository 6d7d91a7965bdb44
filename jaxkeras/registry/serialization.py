"""From objects to configs, in Keras's format."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.registry.custom import get_registered_name, is_custom
from jaxkeras.registry.shared_objects import record_config, reference_to
from jaxkeras.registry.table import builtin_module, config_name, is_builtin

#: Types that JSON can represent as they are.
JSON_SCALARS = (str, int, float, bool, type(None))


def serialize(obj: Any) -> Any:
    """The config of an object, in Keras's format.

    A Python lambda is written as a reference that only the process itself can follow, with a warning: its code is
    never written.

    Args:
        obj: plain data, a registered or custom object, a function, or nested lists, tuples and dicts of these.

    Returns:
        Data that `json` can write and `deserialize` turns back into an equal object.

    Raises:
        TypeError: for an object without `get_config`.

    Example:

    >>> config = serialize(jk.regularizers.L2(0.1))
    >>> config["module"], config["class_name"], config["config"]
    ('keras.regularizers', 'L2', {'l2': 0.1})
    """
    if isinstance(obj, JSON_SCALARS):
        return obj
    if isinstance(obj, (list, tuple)):
        items = [serialize(item) for item in obj]
        return items if isinstance(obj, list) else tuple(items)
    if isinstance(obj, dict):
        return serialize_dict(obj)
    if isinstance(obj, np.generic) or isinstance(obj, np.ndarray) and obj.ndim == 0:
        return obj.item()
    if isinstance(obj, (np.ndarray, jax.Array)):
        array = np.asarray(obj)
        kind = "__numpy__" if isinstance(obj, np.ndarray) else "__tensor__"
        return {"class_name": kind, "config": {"value": array.tolist(), "dtype": array.dtype.name}}
    if isinstance(obj, np.dtype):
        return obj.name
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode()}}
    if obj is ...:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, slice):
        parts = {k: serialize(getattr(obj, k)) for k in ("start", "stop", "step")}
        return {"class_name": "__slice__", "config": parts}
    if isinstance(obj, KerasTensor):
        return _serialize_keras_tensor(obj)
    if inspect.isfunction(obj) or inspect.isbuiltin(obj) or (callable(obj) and not hasattr(obj, "get_config")):
        return _serialize_function(obj)
    if inspect.isclass(obj):
        return _header(obj, {})
    return _serialize_object(obj)


def _serialize_object(obj: Any) -> dict[str, Any]:
    if not hasattr(obj, "get_config"):
        raise TypeError(
            f"Cannot make a config of {obj!r} (of type {type(obj).__name__}): it has no `get_config` method. Give its "
            "class a `get_config` that returns the arguments of its constructor as plain data."
        )
    config = obj.get_config()
    if not isinstance(config, dict):
        raise TypeError(f"`get_config` of {obj!r} must return a dict; it returned {config!r}.")
    result = _header(type(obj), serialize_dict(config))
    if hasattr(obj, "get_build_config"):
        build_config = obj.get_build_config()
        if build_config is not None:
            result["build_config"] = serialize_dict(build_config)
    if hasattr(obj, "get_compile_config"):
        compile_config = obj.get_compile_config()
        if compile_config is not None:
            result["compile_config"] = serialize_dict(compile_config)
    record_config(obj, result)
    return result


def serialize_argument(value: Any) -> Any:
    """The config of a constructor's argument, in which a built-in function is its name."""
    if callable(value) and is_builtin(value) and not inspect.isclass(value):
        return value.__name__
    if isinstance(value, (list, tuple)):
        items = [serialize_argument(item) for item in value]
        return items if isinstance(value, list) else tuple(items)
    return serialize(value)


def serialize_dict(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config of every value."""
    return {key: serialize(value) for key, value in config.items()}


def _header(cls: type, config: dict[str, Any]) -> dict[str, Any]:
    module = builtin_module(cls)
    # Keras writes no registered name for its public classes, but does for those in private modules.
    own = module is not None and not module.startswith("keras.src")
    return {
        "module": module or _module_of(cls),
        "class_name": config_name(cls),
        "config": config,
        "registered_name": None if own else get_registered_name(cls),
    }


def _module_of(thing: Any) -> str | None:
    """The module of a class or function; None for a program's own file, which has another name elsewhere."""
    return None if thing.__module__ == "__main__" else thing.__module__


def _serialize_keras_tensor(x: KerasTensor) -> dict[str, Any]:
    history = x._keras_history
    address = None if history is None else [history.operation.name, history.node_index, history.tensor_index]
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": x.shape, "dtype": x.dtype, "keras_history": address},
    }


def _serialize_function(function: Any) -> dict[str, Any]:
    name = getattr(function, "__name__", None) or getattr(function, "op_name", None)
    if name == "<lambda>":
        warnings.warn(
            f"{function!r} is a lambda, whose code is not written into configs and files: only this process can find "
            "it again, with safe_mode=False. Write a named function, decorate it with "
            "@jaxkeras.saving.register_keras_serializable(), and use that.",
            stacklevel=2,
        )
        return {"class_name": "__lambda__", "config": {"value": reference_to(function)}}
    if name is None:
        raise TypeError(f"Cannot make a config of the callable {function!r}: it has no name.")
    # Keras looks functions up by name alone and ignores the module.
    name = get_registered_name(function) if is_custom(function) else name
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}
