"""Objects that configs refer to: those that several configs share, and lambdas of this process."""

from __future__ import annotations

import uuid
import weakref
from typing import Any

from jaxkeras.core.context import local, setting


class ObjectSharingScope:
    """Write an object that several others share once: inside a `with` block, configs of the same object get the same
    `shared_object_id`, and configs with the same id become one object."""

    def __enter__(self) -> ObjectSharingScope:
        self._setting = setting(sharing=({}, {}))
        self._setting.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._setting.__exit__(*exc)


def record_config(obj: Any, config: dict[str, Any]) -> None:
    """Note the config of an object; if it has one already, both get an id."""
    if local.sharing is None:
        return
    _, first = local.sharing[0].setdefault(id(obj), (obj, config))  # keeps `obj` alive, and so its id unique
    if first is not config:
        config["shared_object_id"] = first["shared_object_id"] = id(obj)


def record_object(config: dict[str, Any], obj: Any) -> None:
    """Note the object that was made from a config with an id."""
    if local.sharing is not None and "shared_object_id" in config:
        local.sharing[1][config["shared_object_id"]] = obj


def shared_object(config: dict[str, Any]) -> Any:
    """The object that was made from a config with the same id, or None."""
    if local.sharing is None or "shared_object_id" not in config:
        return None
    return local.sharing[1].get(config["shared_object_id"])


_lambdas: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
_references: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


def reference_to(function: Any) -> str:
    """A text by which this process, and no other, finds a lambda again."""
    reference = _references.setdefault(function, uuid.uuid4().hex)
    _lambdas[reference] = function
    return reference


def lambda_of(reference: Any) -> Any:
    """The lambda with a reference, or None."""
    return _lambdas.get(reference) if isinstance(reference, str) else None


def holds_lambda(config: Any) -> bool:
    """Whether a lambda is anywhere in a config."""
    if isinstance(config, dict):
        return config.get("class_name") == "__lambda__" or any(map(holds_lambda, config.values()))
    return isinstance(config, (list, tuple)) and any(map(holds_lambda, config))
