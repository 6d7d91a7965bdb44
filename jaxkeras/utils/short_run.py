"""`dev_run`: a few steps of everything, to find crashes before a long run does."""

from __future__ import annotations

import contextlib
import copy
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxkeras import saving
from jaxkeras.core.seeds import preserved_random_state
from jaxkeras.data import ArraySource, adapt, unpack_x_y_sample_weight
from jaxkeras.data.sources import is_in_memory
from jaxkeras.saving import in_memory

#: Attributes in which callbacks keep the file or folder that they write.
_PATHS = ("filepath", "filename", "directory", "backup_dir", "log_dir", "to_file", "_backup_dir")


class DevRun(NamedTuple):
    """What `dev_run` returns.

    Attributes:
        seconds: how long each stage took, compilation included: `fit`, `evaluate`, `predict`, `save`, `load`.
        logs: those of the last epoch.
    """

    seconds: dict[str, float]
    logs: dict[str, float]


def dev_run(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    steps: int = 3,
    batch_size: int | None = None,
    sample_weight: Any = None,
    validation_data: Any = None,
    callbacks: Any = None,
    verbose: Any = 0,
    **fit_arguments: Any,
) -> DevRun:
    """Run a few steps of `fit` with validation and callbacks, `evaluate`, `predict`, saving and loading.

    Two short epochs of `fit` run, so that everything that happens between epochs does; for data in arrays they end with
    the smaller batch that ends a real epoch. The loaded model must predict what the model predicts.

    Afterwards the weights, the optimizer, the metrics and all random states are as they were before (a model without
    weights is built). Callbacks are copies, whose files go to a temporary folder. A generator loses the batches that
    are read from it.

    Args:
        model: a compiled model.
        x, y, sample_weight, batch_size, validation_data, callbacks, verbose: as for `fit`.
        steps: number of steps in each epoch, of training and of validation.
        **fit_arguments: other arguments of `fit`.

    Returns:
        A `DevRun`, with `seconds` by stage and `logs`.

    Raises:
        Exception: what goes wrong in any stage, with a note that names the stage.
        ValueError: if a loaded model predicts something else.

    Example:

    >>> import jaxkeras as jk
    >>> model = jk.Sequential([jk.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> run = dev_run(model, np.ones((40, 2)), np.ones((40, 1)))
    >>> list(run.seconds)
    ['fit', 'evaluate', 'predict', 'save', 'load']
    """
    model._require_compiled("dev_run")
    seconds: dict[str, float] = {}
    with preserved_random_state(), tempfile.TemporaryDirectory() as folder:
        data, how = _few_batches(x, y, sample_weight, batch_size, steps)
        arguments = {"epochs": 2, "verbose": verbose, **fit_arguments, "callbacks": _copies(callbacks, folder)}
        if how:
            arguments["steps_per_epoch"] = steps
        if validation_data is not None:
            arguments |= {"validation_data": validation_data}
            arguments["validation_steps"] = _validation_steps(validation_data, batch_size, steps)
        inputs = {"x": data["x"], "batch_size": data["batch_size"], "verbose": verbose, **how}
        path = Path(folder) / "dev_run.keras"
        with _unchanged(model, data, how):
            with _stage("fit", seconds):
                history = model.fit(**data, **arguments)
            with _stage("evaluate", seconds):
                model.evaluate(**data, **how, verbose=verbose)
            with _stage("predict", seconds):
                outputs = model.predict(**inputs)
            with _stage("save", seconds):
                model.save(path)
            with _stage("load", seconds):
                loaded = saving.load_model(path, custom_objects=in_memory.own_objects(model))
                if not how:  # the batches of a stream need not be the same
                    _check_equal(outputs, loaded.predict(**inputs))
    return DevRun(seconds, {name: values[-1] for name, values in history.history.items() if values})


# -- the stages ------------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def _stage(name: str, seconds: dict[str, float]) -> Iterator[None]:
    """Time a stage; an error gets a note with its name."""
    start = time.perf_counter()
    try:
        yield
    except Exception as error:
        error.add_note(f"`dev_run` found this in the stage {name!r}.")
        raise
    seconds[name] = time.perf_counter() - start


def _few_batches(
    x: Any, y: Any, sample_weight: Any, batch_size: int | None, steps: int
) -> tuple[dict[str, Any], dict[str, int]]:
    """Data for a few steps: the first rows of arrays, with the smaller batch that ends an epoch; or a stream, and the
    argument that limits it."""
    source = adapt(x, y, sample_weight, batch_size=batch_size, seed=0)
    if not isinstance(source, ArraySource):
        return {"x": x, "y": y, "sample_weight": sample_weight, "batch_size": batch_size}, {"steps": 1}
    size, rows = source.batch_size, source.num_rows
    rows = min(rows, (steps - 1) * size + (rows % size or size))
    x, y, sample_weight = jax.tree.map(lambda a: a[:rows], source.arrays)
    return {"x": x, "y": y, "sample_weight": sample_weight, "batch_size": batch_size}, {}


def _validation_steps(data: Any, batch_size: int | None, steps: int) -> int:
    x, y, sample_weight = unpack_x_y_sample_weight(data)
    source = adapt(x, y, sample_weight, batch_size=batch_size if is_in_memory(x) else None, seed=0)
    return min(steps, source.steps) if isinstance(source, ArraySource) else steps


def _copies(callbacks: Any, folder: str) -> list[Any]:
    """Copies of callbacks that write into a folder."""
    copies = [copy.copy(callback) for callback in jax.tree.leaves(callbacks)]
    for callback in copies:
        for name in _PATHS:
            path = vars(callback).get(name)
            if isinstance(path, (str, os.PathLike)):
                moved = Path(folder) / Path(path).name
                setattr(callback, name, str(moved) if isinstance(path, str) else moved)
    return copies


@contextlib.contextmanager
def _unchanged(model: Any, data: dict[str, Any], how: dict[str, int]) -> Iterator[None]:
    """Set every number of the model back at the end of a `with` block."""
    model._ready(adapt(**data, steps=how.get("steps"), seed=0))
    session, history = model._session, model.history
    session.write_back()
    variables = session.state_spec.leaves()
    values = [v.cell() for v in variables]  # a run copies what it donates
    try:
        yield
    finally:
        session.write_back()
        for variable, value in zip(variables, values):
            variable.set_cell(value)
        model.history, model.stop_training = history, False


def _check_equal(outputs: Any, loaded: Any) -> None:
    for ours, theirs in zip(jax.tree.leaves(outputs), jax.tree.leaves(loaded)):
        if not np.allclose(ours, theirs, rtol=1e-4, atol=1e-5, equal_nan=True):
            raise ValueError(
                "The model predicts something else after saving and loading, by up to "
                f"{np.abs(ours - theirs).max():.3g}. State that is no variable, or an argument that `get_config` does "
                "not return, is lost in a file."
            )
