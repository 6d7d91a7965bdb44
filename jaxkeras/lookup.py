"""The public `get`, `serialize` and `deserialize` of a family: losses, metrics, initializers and so on."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from jaxkeras import registry

T_co = TypeVar("T_co", covariant=True)


class Get(Protocol[T_co]):
    """Type of a `get`."""

    def __call__(self, identifier: Any) -> T_co: ...


class Serialize(Protocol):
    """Type of a `serialize`."""

    def __call__(self, obj: Any, /) -> Any: ...


class Deserialize(Protocol):
    """Type of a `deserialize`."""

    def __call__(self, config: Any, /, custom_objects: Mapping[str, Any] | None = None) -> Any: ...


_GET = """Return {a_noun} from a name, a config or an object.

Args:
    identifier: {accepts}; or None.

Returns:
    The {noun}. An object is returned as it is, a class is instantiated without arguments{none}.

Raises:
    ValueError: for an unknown name (the message lists similar ones), or something that is not {a_noun}.

Example:

{example}
"""
_SERIALIZE = """Return the config of {a_noun}, in Keras's format.

Args:
    {argument}: {a_noun}.

Returns:
    Data that JSON can hold and `deserialize` turns back into an equal object.

Raises:
    ValueError: for an object without `get_config`, and for a lambda.

Example:

{example}
"""
_DESERIALIZE = """Return the {noun} that a config describes.

Args:
    {config_argument}: what `serialize` returned, or a name.
    custom_objects: `{{name: class or function}}` that the config may name besides registered ones.

Returns:
    A new {noun}, or the function that the config names.

Raises:
    ValueError: for a name that is neither registered nor in `custom_objects`.

Example:

{example}
"""


def lookup_functions(
    kind: str,
    argument: str,
    *,
    accepts: str,
    example: str,
    instance_of: type | None = None,
    config_argument: str = "config",
    convert: Callable[[Any], Any] | None = None,
    prepare: Callable[[Any, Any], tuple[Any, Any]] | None = None,
) -> tuple[Get[Any], Serialize, Deserialize]:
    """Make the public `get`, `serialize` and `deserialize` of a family.

    Args:
        kind: the family's namespace, such as `"keras.losses"`.
        argument: what Keras calls the argument of `serialize`, which is the family's singular: `"loss"`.
        accepts: what `get` accepts, in words, for its docstring and its error.
        example: a doctest.
        instance_of: the class of all objects of the family; None where plain functions belong to it, too.
        config_argument: what Keras calls the first argument of `deserialize`.
        convert: changes the argument of `get` first.
        prepare: changes the arguments of `deserialize` first.

    Returns:
        `(get, serialize, deserialize)`.
    """
    noun = argument.replace("_", " ")
    a_noun = f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"

    def get(identifier: Any) -> Any:
        given = identifier if convert is None else convert(identifier)
        found = deserialize(given) if isinstance(given, dict) else registry.get(kind, given)
        if found is not None and not callable(found):
            raise ValueError(f"Cannot use {identifier!r} as {a_noun}: expected {accepts}.")
        return found

    def serialize(obj: Any) -> Any:
        return registry.serialize(obj)

    def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        if prepare is not None:
            config, custom_objects = prepare(config, custom_objects)
        if isinstance(config, dict) and "class_name" not in config:
            raise registry.ConfigError(f"The config of {a_noun} must have a `class_name`; got {config!r:.200}.")
        if isinstance(config, dict) and "config" not in config and "items" not in config:
            config = {**config, "config": {}}
        found = registry.deserialize(config, custom_objects, kind=kind)
        if instance_of is not None and not isinstance(found, instance_of):
            raise ValueError(f"This is the config of {type(found).__name__}, which is not {a_noun}: {config!r}.")
        return found

    none = "" if convert is not None and convert(None) is not None else "; None gives None"
    words = {
        "noun": noun, "a_noun": a_noun, "accepts": accepts, "example": example, "argument": argument,
        "config_argument": config_argument, "none": none,
    }  # fmt: skip
    made = get, _rename_first(serialize, argument), _rename_first(deserialize, config_argument)
    for name, function, doc in zip(("get", "serialize", "deserialize"), made, (_GET, _SERIALIZE, _DESERIALIZE)):
        function.__name__ = function.__qualname__ = name
        function.__module__ = "jaxkeras" + kind.removeprefix("keras")
        function.__doc__ = doc.format(**words)
    return made


def _rename_first(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """`function` with another name for its first parameter."""
    own = inspect.signature(function)
    first, *rest = own.parameters.values()
    signature = own.replace(parameters=[first.replace(name=name), *rest])

    def renamed(*args: Any, **kwargs: Any) -> Any:
        return function(*signature.bind(*args, **kwargs).args)

    renamed.__signature__ = signature  # type: ignore[attr-defined]
    return renamed
