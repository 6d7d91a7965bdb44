"""The table of the library's own classes and functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from jaxkeras.core import lazy_imports
from jaxkeras.core.names import closest, to_snake_case
from jaxkeras.core.policy import DTypePolicy, FloatDTypePolicy

T = TypeVar("T")

#: Kinds whose members are imported on first use, each from the package of the same name.
BUILT_IN_KINDS = tuple(
    f"keras.{part}"
    for part in (
        "activations", "applications", "constraints", "distillation", "dtype_policies", "initializers", "layers",
        "losses", "metrics", "models", "optimizers", "optimizers.schedules", "random", "regularizers", "utils",
    )
)  # fmt: skip

_by_kind: dict[str, dict[str, Any]] = {}  # kind -> {name or alias: class or function}
_modules: dict[Any, str] = {}  # class or function -> its module in configs
_config_names: dict[Any, str] = {}  # class -> its name in configs, if that is not its `__name__`


class ConfigError(TypeError, ValueError):
    """A config that is malformed or names an unknown object: a TypeError as in Keras, and a ValueError."""


def register(kind: str, *aliases: str, module: str | None = None, name: str | None = None) -> Callable[[T], T]:
    """Add a class or function of the library to the table.

    Args:
        kind: the namespace it is looked up in, such as `"keras.layers"`.
        *aliases: further names for it.
        module: its module in configs, if that is not `kind`.
        name: its name in configs, if that is not its `__name__`.

    Returns:
        A decorator that returns its argument unchanged.
    """

    def decorate(thing: T) -> T:
        names = _by_kind.setdefault(kind, {})
        public = name or thing.__name__  # type: ignore[attr-defined]
        keys = [public, *aliases]
        if inspect.isclass(thing):
            keys += [to_snake_case(public), public.lower()]
            if name:
                _config_names[thing] = name
        for key in keys:
            names.setdefault(key, thing)
        names[public] = thing
        _modules.setdefault(thing, module or kind)
        return thing

    return decorate


def registered(kind: str) -> dict[str, Any]:
    """All names and aliases of one kind, `{name: class or function}`."""
    _load(kind)
    return dict(_by_kind.get(kind, {}))


def find(kind: str, name: str) -> Any:
    """The class or function with this name or alias, or None."""
    found = _by_kind.get(kind, {}).get(name)
    if found is None:
        _load(kind, name)
        found = _by_kind.get(kind, {}).get(name)
    return found


def _load(kind: str, name: str | None = None) -> None:
    if kind in BUILT_IN_KINDS:
        lazy_imports.load("jaxkeras" + kind.removeprefix("keras"), name)


def unknown(what: str, name: object, choices: Iterable[object]) -> ValueError:
    """An error for a name that does not exist, with the closest ones that do.

    Args:
        what: what the name should name, such as `"optimizer"`.
        name: the name.
        choices: the names that exist.

    Returns:
        The error, for the caller to raise.
    """
    return ValueError(f"Unknown {what}: {name!r}. {closest(name, choices)}")


def is_builtin(thing: Any) -> bool:
    """Whether a class or function is in the table, that is, one of the library's own."""
    try:
        return thing in _modules
    except TypeError:  # not hashable
        return False


def builtin_module(thing: Any) -> str | None:
    """The module that configs give for a class or function in the table; None for others."""
    return _modules.get(thing)


def config_name(cls: type) -> str:
    """The name of a class in configs."""
    return _config_names.get(cls, cls.__name__)


# These are defined in `core`, which must not import the registry.
register("keras.dtype_policies", module="keras")(DTypePolicy)
register("keras.dtype_policies", module="keras")(FloatDTypePolicy)
