"""One table for every kind of object: from a string or a config to an object, and from an object to a config.

The table is also the allowlist of loading: a config can name what is registered here, by this library or by the user,
and nothing else. What a file says can make a family of this library be loaded, and no other module be imported.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import jax
import numpy as np

from jaxkeras.core import lazy_imports
from jaxkeras.core.context import local
from jaxkeras.core.names import closest, to_snake_case
from jaxkeras.core.policy import DTypePolicy, FloatDTypePolicy
from jaxkeras.core.symbolic import KerasTensor

T = TypeVar("T")

_NAMES: dict[str, dict[str, Any]] = {}  # kind -> {name or alias: class or function}
_MODULES: dict[Any, str] = {}  # class or function -> the module that configs name it by
_PUBLIC: dict[Any, str] = {}  # class -> its name in configs, where that is not its own
_CUSTOM: dict[str, Any] = {}  # registered name -> the user's class or function
_CUSTOM_NAMES: dict[Any, str] = {}


def register(kind: str, *aliases: str, module: str | None = None, name: str | None = None) -> Callable[[T], T]:
    """Put a built-in class or function into the table.

    Args:
        kind: the namespace it is looked up in, such as `"keras.layers"`.
        *aliases: further strings it is known by.
        module: what configs name as its module, when that differs from `kind`.
        name: what configs name it, when that differs from its own name.
    """

    def decorate(thing: T) -> T:
        names = _NAMES.setdefault(kind, {})
        public = name or thing.__name__  # type: ignore[attr-defined]
        own = [public, *aliases]
        if inspect.isclass(thing):
            own += [to_snake_case(public), public.lower()]
            if name:
                _PUBLIC[thing] = name
        for key in own:
            names.setdefault(key, thing)
        names[public] = thing
        _MODULES.setdefault(thing, module or kind)
        return thing

    return decorate


def registered(kind: str) -> dict[str, Any]:
    """The whole table of one kind, `{name: class or function}`."""
    _load(kind)
    return dict(_NAMES.get(kind, {}))


def find(kind: str, name: str) -> Any:
    """The class or function of a name or alias, or None."""
    found = _NAMES.get(kind, {}).get(name)
    if found is None:
        _load(kind, name)
        found = _NAMES.get(kind, {}).get(name)
    return found


# Kinds whose members are loaded when first used, from the package of the same name.
_BUILT_IN = tuple(
    f"keras.{part}"
    for part in (
        "activations", "applications", "constraints", "distillation", "dtype_policies", "initializers", "layers",
        "losses", "metrics", "models", "optimizers", "optimizers.schedules", "random", "regularizers", "utils",
    )
)  # fmt: skip


def _load(kind: str, name: str | None = None) -> None:
    if kind in _BUILT_IN:
        lazy_imports.load("jaxkeras" + kind.removeprefix("keras"), name)


def unknown(what: str, name: Any, choices: Any) -> ValueError:
    """An error for a name that does not exist, with the closest ones that do."""
    return ValueError(f"Unknown {what}: {name!r}. {closest(name, choices)}")


def get(kind: str, identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """An object from what a user wrote.

    Args:
        kind: the namespace, such as `"keras.losses"`.
        identifier: None, a name, a config, a class, or an object (returned as it is).
        custom_objects: further names, for this call.

    Returns:
        None, a function, or an instance (classes are instantiated without arguments).

    Raises:
        ValueError: for an unknown name; the message lists the closest ones.
    """
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        return deserialize(identifier, custom_objects, kind=kind)
    if isinstance(identifier, str):
        found = _custom(identifier, custom_objects)
        if found is None:
            found = find(kind, identifier)
        if found is None:
            what = kind.removeprefix("keras.").replace("_", " ")
            singular = {"losses": "loss", "optimizers.schedules": "learning-rate schedule"}
            what = singular.get(what, what.removesuffix("s"))
            raise unknown(what, identifier, registered(kind))
        return found() if inspect.isclass(found) else found
    if inspect.isclass(identifier):
        return identifier()
    return identifier


# -- custom objects -------------------------------------------------------------------------------------------------
def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """Let configs and files name a class or function of yours.

    Args:
        package: a prefix that keeps your names apart from others'.
        name: the name; defaults to that of the class or function.

    Returns:
        A decorator.

    Raises:
        ValueError: for a class without `get_config`.

    Example:

    >>> @register_keras_serializable("my_package")
    ... def my_activation(x):
    ...     return x
    >>> get_registered_name(my_activation)
    'my_package>my_activation'
    """

    def decorate(thing: T) -> T:
        own = name or thing.__name__  # type: ignore[attr-defined]
        if inspect.isclass(thing) and not hasattr(thing, "get_config"):
            raise ValueError(
                f"Cannot register {thing.__name__}: it needs a `get_config` method that returns the arguments of its "
                "constructor."
            )
        full = f"{package}>{own}"
        _CUSTOM[full] = thing
        _CUSTOM_NAMES[thing] = full
        return thing

    return decorate


def get_custom_objects() -> dict[str, Any]:
    """The global dictionary of the user's own objects by name; change it to add some."""
    return _CUSTOM


def get_registered_name(obj: Any) -> str:
    """The name a class or function was registered under, else its own."""
    return _CUSTOM_NAMES.get(obj, getattr(obj, "__name__", str(obj)))


def get_registered_object(
    name: str, custom_objects: Mapping[str, Any] | None = None, module_objects: Mapping[str, Any] | None = None
) -> Any:
    """The class or function of a registered name, or None."""
    found = _custom(name, custom_objects)
    return found if found is not None else (module_objects or {}).get(name)


class CustomObjectScope:
    """Make names known to configs inside a `with` block, in its thread.

    Args:
        custom_objects: `{name: class or function}`.

    Example:

    >>> with CustomObjectScope({"twice": lambda x: 2 * x}):
    ...     get("keras.activations", "twice")(3)
    6
    """

    def __init__(self, custom_objects: Mapping[str, Any] | None):
        self.custom_objects = dict(custom_objects or {})

    def __enter__(self) -> CustomObjectScope:
        local.custom_objects += (self.custom_objects,)
        return self

    def __exit__(self, *exc: object) -> None:
        local.custom_objects = local.custom_objects[:-1]


custom_object_scope = CustomObjectScope


def _sources(custom_objects: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    if custom_objects:
        yield custom_objects
    yield from reversed(local.custom_objects)
    yield _CUSTOM


def _custom(name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    for source in _sources(custom_objects):
        if name in source:
            return source[name]
    return None


# -- configs --------------------------------------------------------------------------------------------------------
_PLAIN = (str, int, float, bool, type(None))


def serialize(obj: Any) -> Any:
    """The config of an object, in Keras's format.

    Args:
        obj: plain data, a registered or custom object, a function, or nested lists, tuples and dicts of these.

    Returns:
        Data that `json` can write and `deserialize` turns back into an equal object.

    Raises:
        ValueError: for an object without `get_config`, and for lambdas.
    """
    if isinstance(obj, _PLAIN):
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
    if type(obj).__name__ == "ellipsis":
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, slice):
        return {"class_name": "__slice__", "config": {k: getattr(obj, k) for k in ("start", "stop", "step")}}
    if isinstance(obj, KerasTensor):
        history = obj._keras_history
        config: dict[str, Any] = {"shape": list(obj.shape), "dtype": obj.dtype}
        if history is not None:
            config["keras_history"] = [history.operation.name, history.node_index, history.tensor_index]
        return {"class_name": "__keras_tensor__", "config": config}
    if inspect.isfunction(obj) or inspect.isbuiltin(obj) or (callable(obj) and not hasattr(obj, "get_config")):
        return _serialize_function(obj)
    if inspect.isclass(obj):
        name = _PUBLIC.get(obj, obj.__name__)
        return {"module": _module(obj), "class_name": name, "config": {}, "registered_name": _reg_name(obj)}
    if not hasattr(obj, "get_config"):
        raise ValueError(
            f"Cannot make a config of {obj!r} (of type {type(obj).__name__}): it has no `get_config` method. Give its "
            "class a `get_config` that returns the arguments of its constructor as plain data."
        )
    cls = type(obj)
    result = {
        "module": _module(cls),
        "class_name": _PUBLIC.get(cls, cls.__name__),
        "config": serialize_dict(obj.get_config()),
        "registered_name": _reg_name(cls),
    }
    if hasattr(obj, "get_build_config"):
        build_config = obj.get_build_config()
        if build_config is not None:
            result["build_config"] = serialize_dict(build_config, tuples=False)
    if hasattr(obj, "get_compile_config"):
        compile_config = obj.get_compile_config()
        if compile_config is not None:
            result["compile_config"] = compile_config
    return result


def is_builtin(thing: Any) -> bool:
    """Whether a class or function is one of the library's own, put into the table by `register`."""
    try:
        return thing in _MODULES
    except TypeError:
        return False


def serialize_argument(value: Any) -> Any:
    """The config of a constructor's argument: tuples stay, a built-in function becomes its bare name."""
    if callable(value) and is_builtin(value) and not inspect.isclass(value):
        return value.__name__
    if isinstance(value, tuple):
        return tuple(serialize_argument(item) for item in value)
    return _untuple(value)


def serialize_dict(config: Mapping[str, Any], tuples: bool = False) -> dict[str, Any]:
    """The config of every value; tuples become lists unless `tuples`, as constructors take either."""
    return {key: serialize(value) if tuples else _untuple(value) for key, value in config.items()}


def _untuple(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_untuple(item) for item in value]
    if isinstance(value, dict):
        return {k: _untuple(v) for k, v in value.items()}
    return serialize(value)


def _module(cls: Any) -> str:
    return _MODULES.get(cls) or cls.__module__


def _reg_name(cls: Any) -> str | None:
    return None if cls in _MODULES and not _MODULES[cls].startswith("keras.src") else get_registered_name(cls)


def _serialize_function(obj: Any) -> Any:
    name = getattr(obj, "__name__", None) or getattr(obj, "op_name", None)
    if name == "<lambda>":
        raise ValueError(
            "A lambda cannot be written into a config: a file that carried its code could not be loaded safely. "
            "Write a named function, decorate it with @jaxkeras.saving.register_keras_serializable(), and use that."
        )
    if name is None:
        raise ValueError(f"Cannot make a config of the callable {obj!r}: it has no name.")
    # Keras finds functions by name alone, whatever module a config says.
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": get_registered_name(obj)}


# Keras's own private module paths in files, and the kind under which the same names are registered here.
_KINDS = {
    "keras": "keras.models",
    "keras.src.models.functional": "keras.models",
    "keras.src.models.sequential": "keras.models",
    "keras.src.models.model": "keras.models",
    "keras.optimizers.schedules": "keras.optimizers.schedules",
}
_SPECIAL = ("__tuple__", "__numpy__", "__tensor__", "__bytes__", "__ellipsis__", "__slice__", "__keras_tensor__")


def is_config(value: Any) -> bool:
    """Whether a value is a dict that `deserialize` turns into an object."""
    return isinstance(value, dict) and "class_name" in value and ("config" in value or "items" in value)


def deserialize(
    config: Any, custom_objects: Mapping[str, Any] | None = None, safe_mode: bool = True, *, kind: str | None = None
) -> Any:
    """An object from its config.

    Args:
        config: what `serialize` returned, or nested lists and dicts of it.
        custom_objects: `{name: class or function}` that the config may name besides what is registered.
        safe_mode: kept for compatibility with Keras; nothing is ever executed from a config.
        kind: where to look when the config names no module (old files do not).

    Returns:
        The object.

    Raises:
        ValueError: for a name that is neither registered nor given.
        TypeError: for something that is not a config.
    """
    if custom_objects:
        with CustomObjectScope(custom_objects):
            return deserialize(config, None, safe_mode, kind=kind)
    if isinstance(config, _PLAIN):
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
        return _special(name, config)
    if name in ("function", "__lambda__"):
        return _function(config, kind)
    cls = _find_class(config, kind)
    inner = config.get("config") or {}
    if not hasattr(cls, "from_config"):
        if inner:
            raise ValueError(f"Class {name!r} has no `from_config`, so its config {str(inner)[:200]} cannot be used.")
        return cls
    obj = cls.from_config(dict(inner))
    build_config = config.get("build_config")
    # A layer that makes its parts after `super().__init__()` says that it is built, as it had none then.
    done = getattr(obj, "built", False) and not (hasattr(obj, "_has_unbuilt_parts") and obj._has_unbuilt_parts())
    if build_config and hasattr(obj, "build_from_config") and not done:
        obj.build_from_config(build_config)
    compile_config = config.get("compile_config")
    if compile_config and hasattr(obj, "compile_from_config"):
        obj.compile_from_config(compile_config)
    return obj


def _special(name: str, config: dict[str, Any]) -> Any:
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
    tensor = KerasTensor(inner["shape"], dtype=inner["dtype"])
    return tensor


def _kinds(module: str | None, kind: str | None) -> list[str]:
    found = [k for k in (_KINDS.get(module or ""), module, kind) if k]
    if module and module.startswith("keras.src."):
        found += [f"keras.{part}" for part in module.split(".")[2:4]]
        found.append(".".join(["keras", *module.split(".")[2:4]]))
    if module and module.startswith("jaxkeras."):
        found.append("keras" + module.removeprefix("jaxkeras"))
    if module == "keras" or module is None and kind in (None, "keras.layers", "keras.models"):
        found += ["keras.models", "keras.layers", "keras.dtype_policies"]
    return found


def _find_class(config: dict[str, Any], kind: str | None) -> Any:
    name, module, registered_name = config["class_name"], config.get("module"), config.get("registered_name")
    if not isinstance(name, str):
        raise TypeError(f"The class_name of a config must be a string; got {name!r}.")
    for key in (registered_name, name):
        if isinstance(key, str):
            found = _custom(key)
            if found is not None:
                return found
    for place in _kinds(module if isinstance(module, str) else None, kind):
        found = find(place, name)
        if inspect.isclass(found):
            return found
    raise _refusal(name, module, [n for k in _BUILT_IN for n, x in registered(k).items() if inspect.isclass(x)])


def _function(config: dict[str, Any], kind: str | None) -> Any:
    name, module = config["config"], config.get("module")
    if not isinstance(name, str):
        raise ValueError(
            "This config holds the code of a Python function, which is never executed. Save the model again with a "
            "named function registered by @jaxkeras.saving.register_keras_serializable()."
        )
    for key in (config.get("registered_name"), name):
        if isinstance(key, str):
            found = _custom(key)
            if found is not None:
                return found
    places = _kinds(module, kind) if module != "builtins" else [kind] if kind else []
    for place in [*places, "keras.activations", "keras.losses", "keras.metrics", "keras.ops"]:
        found = find(place, name)
        if found is not None and not inspect.isclass(found):
            return found
    raise _refusal(name, module, registered(kind or "keras.activations"))


def _refusal(name: str, module: Any, choices: Any) -> ValueError:
    error = unknown("name in a config", name, choices)
    return ValueError(
        f"{str(error)[:180]} If it is a class or function of yours, pass custom_objects={{{name[:30]!r}: ...}} or "
        "decorate it with @jaxkeras.saving.register_keras_serializable(). "
        f"(The config says module {str(module)[:30]!r}; modules are never imported because a config names them.)"
    )


register("keras.dtype_policies", module="keras")(DTypePolicy)
register("keras.dtype_policies", module="keras")(FloatDTypePolicy)
