"""Saving and loading; the extension of the file name selects the format."""

from __future__ import annotations

import pathlib
import warnings
from typing import Any

from jaxkeras.core.logging import logger
from jaxkeras.core.messages import ask_to_proceed_with_overwrite
from jaxkeras.saving import checksum, keras_format, legacy_h5, orbax_format, sharded, weights_h5
from jaxkeras.saving.atomic import replacing
from jaxkeras.saving.errors import MissingFileError, reading

_BY_NAME = "by_name=True needs an .h5 file: other formats find weights by the structure of the model."


def _ready(filepath: Any, overwrite: bool) -> pathlib.Path | None:
    """The path of a file to write, in a folder that exists; None if the user does not want it replaced."""
    path = pathlib.Path(filepath)
    if path.is_dir():
        raise ValueError(f"'{path}' is a folder; give the name of a file in it, such as '{path / 'model.keras'}'.")
    if path.exists() and not overwrite and not _may_replace(path):
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _may_replace(path: pathlib.Path) -> bool:
    try:
        return ask_to_proceed_with_overwrite(path)
    except (EOFError, OSError):  # nobody to ask
        raise FileExistsError(f"'{path}' exists already. Pass overwrite=True to replace it.") from None


def save_model(model: Any, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any) -> None:
    """Save architecture, weights, `compile` arguments and optimizer state to a file or a folder.

    The layouts are Keras's own, plus checksums that Keras ignores. Files are replaced atomically: a crash while saving
    leaves the old file or folder intact.

    Args:
        model: the model.
        filepath: a name that ends in `.keras`, or in `.h5` for Keras's older format; or a binary file open for writing,
            such as a `BytesIO`, which gets the content of a `.keras` file. Missing folders are made.
        overwrite: whether to replace an existing file without asking.
        zipped: False to write a folder with the parts of a `.keras` file; its name must not end in `.keras`.
        **kwargs: `include_optimizer=False` omits the optimizer from an `.h5` file.

    Raises:
        ValueError: for another extension.
        FileExistsError: if the file exists, `overwrite` is false, and there is no terminal to ask at.

    Example:

    >>> save_model(model, "model.keras")  # doctest: +SKIP
    """
    include_optimizer = kwargs.pop("include_optimizer", True)
    save_format = kwargs.pop("save_format", None)
    if kwargs:
        raise ValueError(f"Unknown arguments of save_model: {', '.join(kwargs)}.")
    if save_format:
        logger.warning("`save_format` is ignored: the extension of the file name selects the format.")
    name = "model.keras" if hasattr(filepath, "write") else str(filepath)
    older = name.endswith((".h5", ".hdf5"))
    if name.endswith(".weights.h5"):
        raise ValueError(
            f"The ending of '{name}' is for weights alone: use model.save_weights, or save the model as '.keras'."
        )
    if not (older or name.endswith(".keras") or zipped is False):
        raise ValueError(f"The name of a model file must end in '.keras' (or '.h5'); got '{name}'.")
    if not model.built:
        warnings.warn(
            f"Model '{model.name}' is not built, so the file will hold no weights of layers that are created later. "
            "Call it on data, or build it, first.",
            stacklevel=2,
        )
    if hasattr(filepath, "write"):
        keras_format.save(model, filepath)
    elif zipped is False:
        _save_folder(model, pathlib.Path(filepath), overwrite)
    elif (path := _ready(filepath, overwrite)) is not None:
        if older:
            logger.warning("'.h5' is an older format for models; '.keras' holds more and is checked when loaded.")
            legacy_h5.save(model, path, include_optimizer)
        else:
            keras_format.save(model, path)


def _save_folder(model: Any, path: pathlib.Path, overwrite: bool) -> None:
    if path.suffix in (".keras", ".h5", ".hdf5"):
        raise ValueError(f"With zipped=False a folder is written, whose name must not end in '{path.suffix}'.")
    if path.is_file():
        raise FileExistsError(f"'{path}' is a file; with zipped=False a folder is written.")
    if (path / "config.json").exists() and not overwrite and not _may_replace(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    keras_format.save_folder(model, path)


def load_model(filepath: Any, custom_objects: Any = None, compile: bool = True, safe_mode: bool = True) -> Any:
    """Load a model from a file or folder written by `save_model`, `callbacks.OrbaxCheckpoint` or Keras.

    Code in the file is never executed, and its config can only name registered objects and `custom_objects`. Weights
    that are NaN are loaded, with a warning.

    Args:
        filepath: the file or folder, or the content of a `.keras` file in a file open for reading, such as a `BytesIO`.
        custom_objects: `{name: class or function}` for your own objects that the file names.
        compile: whether to compile the model with the saved arguments, and to load the optimizer's state.
        safe_mode: False to let the file refer to lambdas of this process, if it was saved by it. Code in a file is
            never executed.

    Returns:
        The model; training continues where it stopped.

    Raises:
        FileNotFoundError: if the file does not exist (also a ValueError, as in Keras).
        ValueError: if the file is damaged, names an unknown object, or holds values that a weight cannot hold, such as
            complex values for a real weight.
    """
    if hasattr(filepath, "read"):
        with reading(getattr(filepath, "name", filepath)):
            return keras_format.load(filepath, custom_objects, compile, safe_mode)
    path = pathlib.Path(filepath)
    if orbax_format.is_checkpoint(path):
        return orbax_format.load_model(path, custom_objects, compile, safe_mode)
    if not path.is_file() and not (path / "config.json").is_file():
        raise MissingFileError(f"There is no file '{path}', nor a folder of a model.")
    if str(path).endswith((".weights.h5", ".weights.json")):
        raise ValueError(f"'{path}' holds weights alone: build the model and call model.load_weights(...).")
    with reading(path):
        if str(path).endswith((".h5", ".hdf5")):
            return legacy_h5.load(path, custom_objects, compile, safe_mode)
        return keras_format.load(path, custom_objects, compile, safe_mode)


def save_weights(model: Any, filepath: Any, overwrite: bool = True, max_shard_size: Any = None, **kwargs: Any) -> None:
    """Save the weights of a model, and its optimizer's state, to one or several `.weights.h5` files.

    Args:
        model: a built model.
        filepath: a name that ends in `.weights.h5`, or in `.weights.json` for several files.
        overwrite: whether to replace an existing file.
        max_shard_size: maximum size of each file in gigabytes. The `.weights.json` file lists which file holds which
            weights.
        **kwargs: `objects_to_skip`, layers to leave out.

    Raises:
        ValueError: for another extension, or if the model is not built.
        FileExistsError: if the file exists, `overwrite` is false, and there is no terminal to ask at.
    """
    skip = kwargs.pop("objects_to_skip", None) or ()
    if kwargs:
        raise TypeError(f"Unknown arguments of save_weights: {', '.join(kwargs)}.")
    name = str(filepath)
    if max_shard_size is None and not name.endswith(".weights.h5"):
        raise ValueError(
            f"The name of a weights file must end in '.weights.h5', or, with `max_shard_size`, in '.weights.json'; "
            f"got '{filepath}'."
        )
    if max_shard_size is not None and not name.endswith((".weights.h5", ".weights.json")):
        raise ValueError(f"With `max_shard_size` the name must end in '.weights.json'; got '{filepath}'.")
    if not model.built:
        raise ValueError(f"Model '{model.name}' has no weights yet: call it on data, or build it, first.")
    one_file = max_shard_size is None
    path = _ready(filepath if one_file else pathlib.Path(filepath).with_suffix(".json"), overwrite)
    if path is None:
        return
    if not one_file:
        sharded.save(model, path, max_shard_size, skip)
        return
    with replacing(path) as temporary, checksum.created(temporary) as file:
        weights_h5.write(file, model, skip)


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
    """Load the weights of a model from a `.weights.h5`, `.weights.json`, `.keras` or `.h5` file.

    Weights that are NaN are loaded, with a warning.

    Args:
        model: a built model.
        filepath: the file, or the folder of a model.
        skip_mismatch: whether to skip layers whose weights do not fit, with a warning.
        **kwargs: `by_name=True` matches layers by name (`.h5` only); `objects_to_skip`, layers that are not loaded
            (`.weights.h5` and `.weights.json` only).

    Raises:
        FileNotFoundError: if the file does not exist (also a ValueError, as in Keras).
        ValueError: if the file is damaged, or if weights do not fit a layer by number, shape or kind (such as complex
            values for a real weight); the message names the layer.
    """
    by_name, skip = kwargs.pop("by_name", False), kwargs.pop("objects_to_skip", None)
    if kwargs:
        raise ValueError(f"Unknown arguments of load_weights: {', '.join(kwargs)}.")
    path = pathlib.Path(filepath)
    folder = (path / "config.json").is_file()
    checkpoint = orbax_format.is_checkpoint(path)
    if not (path.is_file() or folder or checkpoint):
        raise MissingFileError(f"There is no file '{path}'.")
    if not model.built:
        raise ValueError(f"Model '{model.name}' has no weights yet: call it on data, or build it, before loading.")
    if checkpoint and not (by_name or skip or skip_mismatch):
        orbax_format.load_weights(model, path)
        return
    if checkpoint:
        raise ValueError(f"'{path}' is a folder of checkpoints, which are read whole: leave out the other arguments.")
    if by_name and (folder or path.suffix in (".keras", ".json")):
        raise ValueError(_BY_NAME)
    if skip is not None and not str(path).endswith((".weights.h5", ".weights.json")):
        raise ValueError("`objects_to_skip` needs a '.weights.h5' or '.weights.json' file.")
    if folder or path.suffix == ".keras":
        with reading(path):
            keras_format.load_weights(model, path, skip_mismatch)
        return
    if path.suffix == ".json":
        with reading(path):
            sharded.load(model, path, skip_mismatch, skip or ())
        return
    with reading(path), checksum.opened(path) as file:
        if "layer_names" in file.attrs or weights_h5.has(file, "model_weights"):
            group = weights_h5.plain(file, "model_weights") if weights_h5.has(file, "model_weights") else file
            legacy_h5.read_weights(group, model, by_name, skip_mismatch)
        elif by_name:
            raise ValueError(_BY_NAME)
        else:
            weights_h5.read(file, model, skip_mismatch, skip or ())
