"""Saving and loading by the ending of the file's name."""

from __future__ import annotations

import pathlib
from typing import Any

from jaxkeras.saving import keras_format, legacy_h5, weights_h5
from jaxkeras.saving.atomic import replacing
from jaxkeras.saving.errors import reading

_BY_NAME = "by_name=True needs an .h5 file: other formats find weights by the structure of the model."


def _ready(filepath: Any, overwrite: bool) -> pathlib.Path:
    path = pathlib.Path(filepath)
    if path.is_dir():
        raise ValueError(f"'{path}' is a folder; give the name of a file in it, such as '{path / 'model.keras'}'.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"The folder '{path.parent}' does not exist; make it first.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"'{path}' exists already. Pass overwrite=True to replace it.")
    return path


def save_model(model: Any, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any) -> None:
    """Write architecture, weights, arguments of `compile` and optimizer state to one file.

    The layouts are Keras's own. A crash while saving leaves the old file whole.

    Args:
        model: the model.
        filepath: a name that ends in `.keras`, or in `.h5` for Keras's older format.
        overwrite: whether to replace an existing file.
        zipped: must not be False; a folder is not written.
        **kwargs: `include_optimizer=False` leaves out the optimizer of an `.h5` file.

    Raises:
        ValueError: for another ending.
        FileExistsError: if the file exists and `overwrite` is false.

    Example:

    >>> save_model(model, "model.keras")  # doctest: +SKIP
    """
    if zipped is False:
        raise ValueError("A .keras file is always one zip archive; leave `zipped` out.")
    kwargs.pop("include_optimizer", None)
    kwargs.pop("save_format", None)
    if kwargs:
        raise ValueError(f"Unknown arguments of save_model: {', '.join(kwargs)}.")
    name = str(filepath)
    if name.endswith(".weights.h5"):
        raise ValueError(
            f"The ending of '{name}' is for weights alone: use model.save_weights, or save the model as '.keras'."
        )
    if name.endswith(".keras"):
        keras_format.save(model, _ready(filepath, overwrite))
    elif name.endswith((".h5", ".hdf5")):
        legacy_h5.save(model, _ready(filepath, overwrite))
    else:
        raise ValueError(f"The name of a model file must end in '.keras' (or '.h5'); got '{name}'.")


def load_model(filepath: Any, custom_objects: Any = None, compile: bool = True, safe_mode: bool = True) -> Any:
    """Read a model from a file that `save_model`, or Keras, wrote.

    Nothing in the file is executed, and its config can only name what is registered or given.

    Args:
        filepath: the file.
        custom_objects: `{name: class or function}` of yours that the file names.
        compile: whether to compile the model as it was, with its optimizer's state.
        safe_mode: kept for compatibility: code in a file is never executed.

    Returns:
        The model; training it goes on where it stopped.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a damaged file, or one that names what is not known.
    """
    path = pathlib.Path(filepath)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file '{path}'.")
    if str(path).endswith(".weights.h5"):
        raise ValueError(f"'{path}' holds weights alone: build the model and call model.load_weights(...).")
    with reading(path):
        if str(path).endswith((".h5", ".hdf5")):
            return legacy_h5.load(path, custom_objects, compile)
        return keras_format.load(path, custom_objects, compile, safe_mode)


def save_weights(model: Any, filepath: Any, overwrite: bool = True, max_shard_size: Any = None, **kwargs: Any) -> None:
    """Write the weights of a model, and its optimizer's state, to a `.weights.h5` file.

    Args:
        model: a built model.
        filepath: a name that ends in `.weights.h5`.
        overwrite: whether to replace an existing file.
        max_shard_size: must be None: one file is written.

    Raises:
        ValueError: for another ending, or a model without weights yet.
    """
    import h5py

    if not str(filepath).endswith(".weights.h5"):
        raise ValueError(f"The name of a weights file must end in '.weights.h5'; got '{filepath}'.")
    if max_shard_size is not None:
        raise ValueError("Weights are written to one file; leave `max_shard_size` out.")
    if not model.built:
        raise ValueError(f"Model '{model.name}' has no weights yet: call it on data, or build it, first.")
    with replacing(_ready(filepath, overwrite)) as temporary, h5py.File(temporary, "w") as file:
        weights_h5.write(file, model)


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
    """Read the weights of a model from a `.weights.h5`, `.keras` or `.h5` file.

    Args:
        model: a built model.
        filepath: the file.
        skip_mismatch: leave layers whose weights do not fit as they are, with a warning.
        **kwargs: `by_name=True` matches layers by name (`.h5` only).

    Raises:
        ValueError: naming the layer whose weights do not fit.
    """
    import h5py

    by_name = kwargs.pop("by_name", False)
    if kwargs:
        raise ValueError(f"Unknown arguments of load_weights: {', '.join(kwargs)}.")
    path = pathlib.Path(filepath)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file '{path}'.")
    if not model.built:
        raise ValueError(f"Model '{model.name}' has no weights yet: call it on data, or build it, before loading.")
    if path.suffix == ".keras":
        if by_name:
            raise ValueError(_BY_NAME)
        with reading(path):
            keras_format.load_weights(model, path, skip_mismatch)
        return
    with reading(path), h5py.File(path, "r") as file:
        if "layer_names" in file.attrs or weights_h5.has(file, "model_weights"):
            group = weights_h5.plain(file, "model_weights") if weights_h5.has(file, "model_weights") else file
            legacy_h5.read_weights(group, model, by_name, skip_mismatch)
        elif by_name:
            raise ValueError(_BY_NAME)
        else:
            weights_h5.read(file, model, skip_mismatch)
