"""Models as bytes, for `pickle` and `copy.deepcopy`."""

from __future__ import annotations

import pathlib
import tempfile
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
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.keras")
        keras_format.save(model, path)
        return path.read_bytes()


def from_bytes(content: bytes, custom_objects: dict[str, Any]) -> Any:
    """Return the model that `to_bytes` wrote. As with a file, no code in it is executed."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.keras")
        path.write_bytes(content)
        return keras_format.load(path, custom_objects, True, True)


def own_objects(model: Any) -> dict[str, Any]:
    """Return the user's classes and functions that the config of a model names, by name."""
    things: list[Any] = [type(part) for _, part in walk(model)]
    for value in jax.tree.leaves(model._session.arguments):
        things.append(value if hasattr(value, "__name__") else type(value))
    return {thing.__name__: thing for thing in things if callable(thing) and not registry.is_builtin(thing)}
