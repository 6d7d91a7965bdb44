"""Keras's older format of configs, in which names are looked up in a dict that the caller gives.

Packages use it for classes of their own that have `get_config` and `from_config` but are neither layers nor registered.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from jaxkeras import registry
from jaxkeras.core import lazy_imports

__all__ = ["deserialize_keras_object", "serialize_keras_object"]
__dir__ = lazy_imports.public_dir(__name__)

_NESTED = "__passive_serialization__"


def serialize_keras_object(instance: Any) -> Any:
    """The config of an object, or the name of a class or function.

    Args:
        instance: an object with `get_config`, a class, a function, or None.

    Returns:
        `{"class_name": name, "config": {...}}`, in which objects in the config are such dicts too; a name; or None.

    Raises:
        ValueError: for anything else.

    Example:

    >>> serialize_keras_object(jk.regularizers.L2(0.5))
    {'class_name': 'L2', 'config': {'l2': 0.5}}
    """
    if instance is None:
        return None
    instance = inspect.unwrap(instance) if callable(instance) else instance
    if inspect.isclass(instance) or not hasattr(instance, "get_config"):
        if not hasattr(instance, "__name__"):
            raise ValueError(f"{instance!r} has no `get_config`, so it cannot be serialized.")
        return registry.get_registered_name(instance)
    config = {key: _serialize_item(item) for key, item in instance.get_config().items()}
    return {"class_name": registry.get_registered_name(type(instance)), "config": config}


def _serialize_item(item: Any) -> Any:
    if isinstance(item, str):
        return item
    try:
        config = serialize_keras_object(item)
    except ValueError:
        return item
    return {**config, _NESTED: True} if isinstance(config, dict) else config


def deserialize_keras_object(
    identifier: Any,
    module_objects: Mapping[str, Any] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    printable_module_name: str = "object",
) -> Any:
    """The object of a config, or the class or function of a name.

    Args:
        identifier: what `serialize_keras_object` returned; a function or None is returned as it is.
        module_objects: `{name: class or function}` in which names are looked up.
        custom_objects: names that take precedence.
        printable_module_name: what an object is called in errors.

    Returns:
        The object; a class that is found by its name is called without arguments.

    Raises:
        ValueError: for an unknown name, or a dict that is not a config.

    Example:

    >>> config = {"class_name": "L2", "config": {"l2": 0.5}}
    >>> deserialize_keras_object(config, module_objects=vars(jk.regularizers)).l2
    0.5
    """
    if isinstance(identifier, str):
        found = _find(identifier, module_objects, custom_objects, printable_module_name)
        return found() if inspect.isclass(found) else found
    if not isinstance(identifier, dict):
        return identifier
    if "class_name" not in identifier or "config" not in identifier:
        raise ValueError(f"A config needs the keys 'class_name' and 'config'; got {identifier!r}.")
    cls = _find(identifier["class_name"], module_objects, custom_objects, printable_module_name)
    config = identifier["config"]
    if isinstance(config, dict):
        config = {key: _item(key, item, module_objects, custom_objects) for key, item in config.items()}
    with registry.CustomObjectScope(custom_objects):
        if not hasattr(cls, "from_config"):
            return cls(**config)
        if "custom_objects" in inspect.signature(cls.from_config).parameters:
            return cls.from_config(config, custom_objects={**registry.get_custom_objects(), **(custom_objects or {})})
        return cls.from_config(config)


def _find(name: str, module_objects: Any, custom_objects: Any, what: str) -> Any:
    found = registry.get_registered_object(name, custom_objects, module_objects)
    if found is None:
        raise registry.unknown(what, name, {**(module_objects or {}), **(custom_objects or {})})
    return found


def _item(key: str, item: Any, module_objects: Any, custom_objects: Any) -> Any:
    if isinstance(item, dict) and _NESTED in item:
        return deserialize_keras_object(item, module_objects, custom_objects, "config item")
    if isinstance(item, str) and key != "name":
        found = registry.get_registered_object(item, custom_objects, module_objects)
        return found if inspect.isfunction(found) else item
    return item
