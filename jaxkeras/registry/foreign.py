"""Detect objects of real Keras, which reach this library when a program still imports `keras` somewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

_PACKAGES = ("keras", "tf_keras")
# Public modules; what lies elsewhere, such as `keras.src.backend.common.keras_tensor`, is a name of `keras` itself.
_NAMESPACES = frozenset(
    "callbacks constraints dtype_policies initializers layers losses metrics models optimizers random regularizers "
    "utils".split()
)

_MADE_BY = {"KerasTensor": "Input"}


def foreign_keras(obj: Any) -> str | None:
    """A message saying that an object comes from real Keras, and which import to change; None for other objects.

    Keras is never imported: only the modules that the object's classes name are looked at.

    Args:
        obj: any object or class.

    Example:

    >>> foreign_keras(jk.layers.Dense(1)) is None
    True
    """
    if sys.modules.keys().isdisjoint(_PACKAGES):
        return None
    cls = obj if isinstance(obj, type) else type(obj)
    for base in cls.__mro__:
        package, *path = str(base.__module__).split(".")
        if package in _PACKAGES:
            return _message(cls, base, package, [part for part in path if part != "src"])
    return None


def refuse_foreign_keras(objects: Iterable[Any]) -> None:
    """Check that no object comes from real Keras.

    Args:
        objects: any objects.

    Raises:
        ValueError: for the first that does, with the import to change.
    """
    for obj in objects:
        message = foreign_keras(obj)
        if message is not None:
            raise ValueError(message)


def _message(cls: type, base: type, package: str, path: list[str]) -> str:
    namespace = path[0] if path and path[0] in _NAMESPACES else None
    if path[:2] == ["optimizers", "schedules"]:
        namespace = "optimizers.schedules"
    name = ".".join(filter(None, (package, namespace, base.__name__)))
    subject = f"Got a {name}" if base is cls else f"'{cls.__name__}' is a subclass of {name}"
    imported = (namespace or _MADE_BY.get(base.__name__, base.__name__)).partition(".")[0]
    return (
        f"{subject}, which jaxkeras cannot use: an import still names {package}. Write "
        f"`from jaxkeras import {imported}` instead of `from {package} import {imported}`, or "
        f"`import jaxkeras as keras` instead of `import {package}`."
    )
