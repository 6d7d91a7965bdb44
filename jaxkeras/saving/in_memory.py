"""Models as bytes, for `pickle` and `copy.deepcopy`."""

from __future__ import annotations

import io
from typing import Any

import jax

from jaxkeras import registry
from jaxkeras.core.tracking import walk
from jaxkeras.saving import keras_format


def to_bytes(model: Any) -> bytes:
    """Return the content of the `.keras` file of a model.

    Raises:
        ValueError: if the model cannot be saved.
    """
    content = io.BytesIO()
    keras_format.save(model, content)
    return content.getvalue()


def from_bytes(content: bytes, custom_objects: dict[str, Any]) -> Any:
    """Return the model that `to_bytes` wrote. As with a file, no code in it is executed."""
    return keras_format.load(io.BytesIO(content), custom_objects, True, False)


def own_objects(model: Any) -> dict[str, Any]:
    """Return the user's classes and functions that the config of a model names, by name."""
    things: list[Any] = [type(part) for _, part in walk(model)]
    for value in jax.tree.leaves(model._session.arguments):
        things.append(value if hasattr(value, "__name__") else type(value))
    return {thing.__name__: thing for thing in things if callable(thing) and not registry.is_builtin(thing)}
