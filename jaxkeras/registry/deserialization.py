"""From strings and configs to objects."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxkeras.core.context import local, setting
from jaxkeras.core.names import closest
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.registry.custom import CustomObjectScope, find_custom, find_custom_suffix
from jaxkeras.registry.foreign import refuse_foreign_keras
from jaxkeras.registry.serialization import JSON_SCALARS
from jaxkeras.registry.shared_objects import lambda_of, record_object, shared_object
from jaxkeras.registry.table import BUILT_IN_KINDS, ConfigError, find, registered, unknown

# Modules that Keras writes to files although the classes are registered as models here.
_MODEL_MODULES = ("keras", "keras.src.models.functional", "keras.src.models.sequential", "keras.src.models.model")
_SPECIAL = (
    "__tuple__", "__numpy__", "__tensor__", "__bytes__", "__ellipsis__", "__slice__", "__keras_tensor__",
    "__typespec__", "__lambda__",
)  # fmt: skip


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
    config: Any,
    custom_objects: Mapping[str, Any] | None = None,
    safe_mode: bool = True,
    *,
    module_objects: Mapping[str, Any] | None = None,
    printable_module_name: str = "object",
    kind: str | None = None,
) -> Any:
    """An object from its config.

    Args:
        config: what `serialize` returned, or nested lists and dicts of it.
        custom_objects: `{name: class or function}` that the config may name besides what is registered.
        safe_mode: False to follow references to lambdas that this process itself serialized; code in a config is
            never executed.
        module_objects: further names, looked up last.
        printable_module_name: accepted for compatibility.
        kind: the namespace to search if the config names no module, as in old files.

    Returns:
        The object.

    Raises:
        TypeError: for something that is not a config, and (as an error that is a ValueError, too) for a name that is
            neither registered nor given.
        ValueError: for a lambda.

    Example:

    >>> deserialize({"module": "keras.regularizers", "class_name": "L2", "config": {"l2": 0.1}}).l2
    0.1
    """
    if local.safe_mode is None:
        with setting(safe_mode=safe_mode):
            return deserialize(config, custom_objects, module_objects=module_objects, kind=kind)
    if custom_objects:
        with CustomObjectScope(custom_objects):
            return deserialize(config, module_objects=module_objects, kind=kind)
    if module_objects:
        return _deserialize_with(module_objects, config)
    if isinstance(config, str):
        custom = find_custom(config)
        if custom is not None or kind is None:
            return config if custom is None else custom
        return get(kind, config)
    if isinstance(config, JSON_SCALARS) or hasattr(config, "get_config"):  # plain data, or an object already
        return config
    if isinstance(config, (list, tuple)):
        return [deserialize(item) for item in config]
    if not isinstance(config, dict):
        raise ConfigError(f"Cannot make an object of {config!r} (of type {type(config).__name__}): it is not a config.")
    if not is_config(config):
        return {key: deserialize(value) for key, value in config.items()}
    name = config["class_name"]
    if name in _SPECIAL:
        return _deserialize_special(name, config)
    if name == "function":
        return _find_function(config, kind)
    shared = shared_object(config)
    return _deserialize_object(name, config, kind) if shared is None else shared


def _deserialize_object(name: Any, config: dict[str, Any], kind: str | None) -> Any:
    cls: Any = _find_class(config, kind)
    inner = {} if config.get("config") is None else config["config"]
    if not isinstance(inner, dict):
        raise ConfigError(f"The `config` of {name!r} must be a dict; got {inner!r:.200}.")
    if not inspect.isclass(cls):
        return cls
    from_config: Any = getattr(cls, "from_config", None)
    if from_config is None:
        if inner:
            raise ConfigError(f"Class {name!r} has no `from_config`, so its config {inner!r:.200} cannot be used.")
        return cls
    try:
        obj = from_config(dict(inner))
    except ConfigError:
        raise
    except TypeError as error:
        raise ConfigError(
            f"Cannot make a {name!r} from its config: {str(error)[:200]}. A class whose `get_config` returns objects "
            "gets their configs back: turn these into objects again in `from_config`, by "
            "jaxkeras.saving.deserialize_keras_object."
        ) from error
    build_config = config.get("build_config")
    # A layer without a `build` of its own counts as built even before the layers it creates in `__init__` are.
    built = getattr(obj, "built", False) and not (hasattr(obj, "_has_unbuilt_parts") and obj._has_unbuilt_parts())
    if build_config and hasattr(obj, "build_from_config") and not built:
        obj.build_from_config(build_config)
    compile_config = config.get("compile_config")
    if compile_config and hasattr(obj, "compile_from_config"):
        obj.compile_from_config(compile_config)
    record_object(config, obj)
    return obj


def _deserialize_with(module_objects: Mapping[str, Any], config: Any) -> Any:
    """An object whose name is looked up in `module_objects` if it is not a custom one."""
    given = config["class_name"] if isinstance(config, dict) and "class_name" in config else config
    name = config.get("config") if given == "function" else given
    if not isinstance(name, str) or find_custom(name) is not None:
        return deserialize(config)
    if name not in module_objects:
        return config
    found: Any = module_objects[name]
    from_config: Any = getattr(found, "from_config", None)
    if not inspect.isclass(found) or from_config is None:
        return found
    return from_config(dict(config.get("config") or {}) if isinstance(config, dict) else {})


def _deserialize_special(name: str, config: dict[str, Any]) -> Any:
    inner = config.get("config", {})
    if name == "__tuple__":
        return tuple(deserialize(item) for item in config.get("items", inner.get("value", ())))
    if name == "__lambda__":
        return _find_lambda(inner)
    if name == "__typespec__":
        raise ConfigError("The config holds a TypeSpec of TensorFlow, which jaxkeras does not use.")
    if not isinstance(inner, dict):
        raise ConfigError(f"The `config` of {name!r} must be a dict; got {inner!r:.200}.")
    if name == "__numpy__":
        return np.array(inner["value"], dtype=inner["dtype"])
    if name == "__tensor__":
        return jnp.asarray(np.array(inner["value"], dtype=jnp.dtype(inner["dtype"])))
    if name == "__bytes__":
        return inner["value"].encode()
    if name == "__ellipsis__":
        return ...
    if name == "__slice__":
        return slice(*(deserialize(inner[k]) for k in ("start", "stop", "step")))
    return KerasTensor(inner["shape"], dtype=inner["dtype"])


def _find_lambda(inner: Any) -> Any:
    if local.safe_mode:
        raise ValueError(
            "The config refers to a Python lambda. Register a named function with "
            "@jaxkeras.saving.register_keras_serializable() and use that instead; in the process that saved the "
            "lambda, safe_mode=False finds it again. For code in files, which would be arbitrary code execution, there "
            "is no such switch: it is never executed."
        )
    found = lambda_of(inner.get("value")) if isinstance(inner, dict) else None
    if found is None:
        raise ValueError(
            "The config refers to a Python lambda of another process. Code in files is never executed: build the model "
            "in this program and read the file with model.load_weights(...), or save the model again with a named "
            "function registered by @jaxkeras.saving.register_keras_serializable()."
        )
    return found


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


def _find_custom(name: Any) -> Any:
    return find_custom(name) if isinstance(name, str) else None


def _find_class(config: dict[str, Any], kind: str | None) -> Any:
    name, module, registered_name = config["class_name"], config.get("module"), config.get("registered_name")
    if not isinstance(name, str):
        raise ConfigError(f"The class_name of a config must be a string; got {name!r:.100}.")
    # As in Keras, None in place of a registered name is a built-in class, and no key, in old files, is any class.
    found = _find_custom(config.get("registered_name", name))
    if found is not None:
        return found
    # `"module": None` is a class of the program that wrote the config; in old files the key is missing.
    places = [] if "module" in config and module is None else _kinds(module if isinstance(module, str) else None, kind)
    for place in places:
        found = find(place, name)
        if inspect.isclass(found):
            _check_registered_name(registered_name, (name,))
            return found
    found = _find_custom(name)
    if found is not None:
        return found
    known = [n for k in BUILT_IN_KINDS for n, thing in registered(k).items() if inspect.isclass(thing)]
    raise _unknown_in_config(name, module, known)


def _check_registered_name(given: Any, names: tuple[str, ...]) -> None:
    """Check that a config that names a built-in object does not also name a registered one, which would be ignored."""
    if given and given not in names:
        raise ConfigError(
            f"The config has registered_name={given!r:.100}, under which nothing is registered, but {names[0]!r} is "
            "built in. Import the module that registers the first, or leave `registered_name` out for the second."
        )


def _find_function(config: dict[str, Any], kind: str | None) -> Any:
    name, module = config["config"], config.get("module")
    if not isinstance(name, str):
        raise ConfigError(
            "This config holds the code of a Python function, which is never executed. Save the model again with a "
            "named function registered by @jaxkeras.saving.register_keras_serializable()."
        )
    registered_name = config.get("registered_name")
    for key in (None if registered_name == "function" else registered_name, name):
        found = _find_custom(key)
        if found is not None:
            return found
    places = _kinds(module, kind) if isinstance(module, str) and module != "builtins" else [kind] if kind else []
    for place in [*places, "keras.activations", "keras.losses", "keras.metrics"]:
        found = find(place, name)
        if found is not None and not inspect.isclass(found):
            _check_registered_name(registered_name, (name, "function"))
            return found
    found = find_custom_suffix(name)
    if found is not None:
        return found
    raise _unknown_in_config(name, module, registered(kind or "keras.activations"))


def _unknown_in_config(name: str, module: Any, choices: Iterable[str]) -> ConfigError:
    error = unknown("name in a config", name, choices)
    return ConfigError(
        f"{str(error)[:180]} If it is a class or function of yours, pass custom_objects={{{name[:30]!r}: ...}} or "
        "decorate it with @jaxkeras.saving.register_keras_serializable(). "
        f"(The config says module {str(module)[:30]!r}; modules are never imported because a config names them.)"
    )
