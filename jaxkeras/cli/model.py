"""Models from files or from functions."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pathlib
import sys
from typing import Any

from jaxkeras.cli.report import CommandError


def load_model(name: str, **known: Any) -> Any:
    """A model from a file, or from a function that makes one.

    Args:
        name: the path of a `.keras` or `.h5` file, `module:function`, or `file.py:function`.
        **known: arguments for the function, such as `classes`; those that it does not take are left out.

    Returns:
        The model.

    Raises:
        CommandError: if there is no such model.
    """
    from jaxkeras.models import Model
    from jaxkeras.saving import load_model as load

    path = pathlib.Path(name)
    if path.suffix in (".keras", ".h5", ".hdf5"):
        if not path.exists():
            raise CommandError(f"{name} does not exist.")
        try:
            return load(path)
        except (ValueError, TypeError, OSError) as error:
            raise CommandError(f"{name} cannot be loaded: {error}") from None
    where, colon, function = name.rpartition(":")
    if not colon:
        raise CommandError(f"{name!r} is neither a .keras file nor module:function.")
    make = getattr(_module(where), function, None)
    if make is None:
        raise CommandError(f"{where} has no {function!r}.")
    if isinstance(make, Model):
        return make
    taken = inspect.signature(make).parameters
    model = make(**{key: value for key, value in known.items() if key in taken})
    if not isinstance(model, Model):
        raise CommandError(f"{name} returned {type(model).__name__}, not a Model.")
    return model


def _module(name: str) -> Any:
    if not name.endswith(".py"):
        sys.path.insert(0, "")  # as `python -m` does
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise CommandError(f"there is no module {error.name!r}. Is it installed, or in this folder?") from None
    path = pathlib.Path(name)
    if not path.exists():
        raise CommandError(f"{name} does not exist.")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def default_loss(model: Any, y: Any, classes: list[str] | None) -> tuple[str | Any, list[str]]:
    """A loss for a model that was not compiled, from its last activation and the targets, and metrics to go with it."""
    from jaxkeras import losses

    activation = getattr(getattr(model.layers[-1], "activation", None), "__name__", None) if model.layers else None
    labels = classes is not None or (y is not None and y.dtype.kind in "biu")
    if not labels:
        return "mse", ["mae"]
    if activation == "sigmoid":
        return "binary_crossentropy", ["accuracy"]
    return losses.SparseCategoricalCrossentropy(from_logits=activation != "softmax"), ["accuracy"]
