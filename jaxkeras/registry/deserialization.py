"""From strings and configs to objects."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from jaxkeras.core.names import closest
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.registry.custom import CustomObjectScope, find_custom
from jaxkeras.registry.foreign import refuse_foreign_keras
from jaxkeras.registry.serialization import JSON_SCALARS
from jaxkeras.registry.table import BUILT_IN_KINDS, find, registered, unknown

# Modules that Keras writes to files although the classes are registered as models here.
_MODEL_MODULES = ("keras", "keras.src.models.functional", "keras.src.models.sequential", "keras.src.models.model")
_SPECIAL = ("__tuple__", "__numpy__", "__tensor__", "__bytes__", "__ellipsis__", "__slice__", "__keras_tensor__")


def get(kind: str, identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """An object from what a user wrote.

    Args:
        kind: the namespace, such as `"keras.losses"`.
        identifier: None, a name, a config, a class, or an object, which is returned unchanged.
        custom_objects: `{name: class or function}` that `identifier` may name besides what is registered.

    Returns:
        None, a function, or an instance (a class is called without arguments).

    Raises:
        ValueError: for an unknown name, with the closest ones, and for an object of real Keras.

    Example:

    >>> get("keras.regularizers", "l2").l2
    0.01
    """
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        return deserialize(identifier, custom_objects, kind=kind)
    if isinstance(identifier, str):
        found = find_custom(identifier, custom_objects)
        if found is None:
            found = find(kind, identifier)
        if found is None:
            # Packages match the first words, which are Keras's.
            hint = closest(identifier, registered(kind))
            raise ValueError(f"Could not interpret {_singular(kind)} identifier {identifier!r}. {hint}")
        return found() if inspect.isclass(found) else found
    refuse_foreign_keras([identifier])
    return identifier() if inspect.isclass(identifier) else identifier


def _singular(kind: str) -> str:
    plural = kind.removeprefix("keras.").replace("_", " ")
    return {"losses": "loss", "optimizers.schedules": "learning-rate schedule"}.get(plural, plural.removesuffix("s"))


def is_config(value: Any) -> bool:
    """Whether a value is a dict from which `deserialize` makes an object."""
    return isinstance(value, dict) and "class_name" in value and ("config" in value or "items" in value)


def deserialize(
    config: Any, custom_objects: Mapping[str, Any] | None = None, safe_mode: bool = True, *, kind: str | None = None
) -> Any:
    """An object from its config.

    Args:
        config: what `serialize` returned, or nested lists and dicts of it.
        custom_objects: `{name: class or function}` that the config may name besides what is registered.
        safe_mode: accepted for compatibility with Keras; code in a config is never executed.
        kind: the namespace to search if the config names no module, as in old files.

    Returns:
        The object.

    Raises:
        ValueError: for a name that is neither registered nor in `custom_objects`.
        TypeError: for something that is not a config.

    Example:

    >>> deserialize({"module": "keras.regularizers", "class_name": "L2", "config": {"l2": 0.1}}).l2
    0.1
    """
    if custom_objects:
        with CustomObjectScope(custom_objects):
            return deserialize(config, None, safe_mode, kind=kind)
    if isinstance(config, JSON_SCALARS):
        if isinstance(config, str) and kind is not None:
            return get(kind, config)
        return config
    if isinstance(config, (list, tuple)):
        return [deserialize(item, kind=None) for item in config]
    if not isinstance(config, dict):
        raise TypeError(f"Cannot make an object of {config!r} (of type {type(config).__name__}): it is not a config.")
    if not is_config(config):
        return {key: deserialize(value) for key, value in config.items()}
    name = config["class_name"]
    if name in _SPECIAL:
        return _deserialize_special(name, config)
    if name in ("function", "__lambda__"):
        return _find_function(config, kind)
    cls = _find_class(config, kind)
    inner = config.get("config") or {}
    if not hasattr(cls, "from_config"):
        if inner:
            raise ValueError(f"Class {name!r} has no `from_config`, so its config {str(inner)[:200]} cannot be used.")
        return cls
    obj = cls.from_config(dict(inner))
    build_config = config.get("build_config")
    # A layer without a `build` of its own counts as built even before the layers it creates in `__init__` are.
    built = getattr(obj, "built", False) and not (hasattr(obj, "_has_unbuilt_parts") and obj._has_unbuilt_parts())
    if build_config and hasattr(obj, "build_from_config") and not built:
        obj.build_from_config(build_config)
    compile_config = config.get("compile_config")
    if compile_config and hasattr(obj, "compile_from_config"):
        obj.compile_from_config(compile_config)
    return obj


def _deserialize_special(name: str, config: dict[str, Any]) -> Any:
    inner = config.get("config", {})
    if name == "__tuple__":
        return tuple(deserialize(item) for item in config.get("items", inner.get("value", ())))
    if name in ("__numpy__", "__tensor__"):
        return np.array(inner["value"], dtype=inner["dtype"])
    if name == "__bytes__":
        return inner["value"].encode()
    if name == "__ellipsis__":
        return ...
    if name == "__slice__":
        return slice(*(deserialize(inner[k]) for k in ("start", "stop", "step")))
    return KerasTensor(inner["shape"], dtype=inner["dtype"])


def _kinds(module: str | None, kind: str | None) -> list[str]:
    """The kinds to search for a name in a config, in order."""
    found = ["keras.models"] if module in _MODEL_MODULES else []
    found += [name for name in (module, kind) if name]
    if module and module.startswith("keras.src."):
        found += [f"keras.{part}" for part in module.split(".")[2:4]]
        found.append(".".join(["keras", *module.split(".")[2:4]]))
    if module and module.startswith("jaxkeras."):
        found.append("keras" + module.removeprefix("jaxkeras"))
    if module == "keras" or module is None and kind in (None, "keras.layers", "keras.models"):
        found += ["keras.models", "keras.layers", "keras.dtype_policies"]
    return found


def _find_registered(registered_name: Any, name: str) -> Any:
    for key in (registered_name, name):
        found = find_custom(key) if isinstance(key, str) else None
        if found is not None:
            return found
    return None


def _find_class(config: dict[str, Any], kind: str | None) -> Any:
    name, module, registered_name = config["class_name"], config.get("module"), config.get("registered_name")
    if not isinstance(name, str):
        raise TypeError(f"The class_name of a config must be a string; got {name!r}.")
    found = _find_registered(registered_name, name)
    if found is not None:
        return found
    for place in _kinds(module if isinstance(module, str) else None, kind):
        found = find(place, name)
        if inspect.isclass(found):
            return found
    known = [n for k in BUILT_IN_KINDS for n, thing in registered(k).items() if inspect.isclass(thing)]
    raise _unknown_in_config(name, module, known)


def _find_function(config: dict[str, Any], kind: str | None) -> Any:
    name, module = config["config"], config.get("module")
    if not isinstance(name, str):
        raise ValueError(
            "This config holds the code of a Python function, which is never executed. Save the model again with a "
            "named function registered by @jaxkeras.saving.register_keras_serializable()."
        )
    found = _find_registered(config.get("registered_name"), name)
    if found is not None:
        return found
    places = _kinds(module, kind) if module != "builtins" else [kind] if kind else []
    for place in [*places, "keras.activations", "keras.losses", "keras.metrics"]:
        found = find(place, name)
        if found is not None and not inspect.isclass(found):
            return found
    raise _unknown_in_config(name, module, registered(kind or "keras.activations"))


def _unknown_in_config(name: str, module: Any, choices: Iterable[str]) -> ValueError:
    error = unknown("name in a config", name, choices)
    return ValueError(
        f"{str(error)[:180]} If it is a class or function of yours, pass custom_objects={{{name[:30]!r}: ...}} or "
        "decorate it with @jaxkeras.saving.register_keras_serializable(). "
        f"(The config says module {str(module)[:30]!r}; modules are never imported because a config names them.)"
    )
