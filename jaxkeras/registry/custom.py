"""Classes and functions that users register, for the whole process or inside a `with` block."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from jaxkeras.core.context import local

T = TypeVar("T")

_objects: dict[str, Any] = {}  # registered name -> class or function
_names: dict[Any, str] = {}


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """Register a class or function, so that configs and files can name it.

    Args:
        package: a prefix that keeps your names apart from those of other packages.
        name: the name; by default the `__name__` of the class or function.

    Returns:
        A decorator that returns its argument unchanged.

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
        _objects[full] = thing
        _names[thing] = full
        return thing

    return decorate


def get_custom_objects() -> dict[str, Any]:
    """The global dictionary of registered objects, `{name: class or function}`.

    Changes to it take effect: an added item can be named in configs.

    Example:

    >>> get_custom_objects()["twice"] = lambda x: 2 * x
    >>> jk.activations.get("twice")(3)
    6
    >>> del get_custom_objects()["twice"]
    """
    return _objects


def get_registered_name(obj: Any) -> str:
    """The name under which a class or function was registered, else its `__name__`.

    Args:
        obj: a class or function.

    Example:

    >>> get_registered_name(jk.layers.Dense)
    'Dense'
    """
    return _names.get(obj, getattr(obj, "__name__", str(obj)))


def is_custom(thing: Any) -> bool:
    """Whether a class or function was registered by the user."""
    try:
        return thing in _names
    except TypeError:  # not hashable
        return False


def get_registered_object(
    name: str, custom_objects: Mapping[str, Any] | None = None, module_objects: Mapping[str, Any] | None = None
) -> Any:
    """The class or function with a registered name, or None.

    Args:
        name: the name, with its package: `"my_package>my_activation"`.
        custom_objects: names that take precedence over registered ones.
        module_objects: names to look in last.

    Example:

    >>> get_registered_object("twice", custom_objects={"twice": lambda x: 2 * x})(3)
    6
    """
    found = find_custom(name, custom_objects)
    return found if found is not None else (module_objects or {}).get(name)


class CustomObjectScope:
    """Let configs use further names inside a `with` block, in the current thread.

    Args:
        custom_objects: `{name: class or function}`.

    Example:

    >>> with CustomObjectScope({"twice": lambda x: 2 * x}):
    ...     jk.activations.get("twice")(3)
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


def find_custom(name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """What a name means: in `custom_objects`, else in the innermost scope that has it, else globally; or None."""
    for source in _sources(custom_objects):
        if name in source:
            return source[name]
    return None


def find_custom_suffix(name: str) -> Any:
    """What is registered as `name` in any package, or None: files of Keras 3.6 and older leave the package out."""
    for source in _sources(None):
        for key, thing in source.items():
            if key.endswith(f">{name}") and ">" not in name:
                return thing
    return None


def _sources(custom_objects: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    if custom_objects:
        yield custom_objects
    yield from reversed(local.custom_objects)
    yield _objects
