"""Checks before the first step."""

from __future__ import annotations

import warnings
from typing import Any

import jax
import numpy as np

from jaxkeras.data import ArraySource, Source
from jaxkeras.data.checks import describe
from jaxkeras.data.sources import is_in_memory
from jaxkeras.training.compile_loss import label_of, loss_name
from jaxkeras.training.output_structure import is_nested


def epochs(count: Any, first: Any) -> None:
    """Check that `epochs` and `initial_epoch` are whole numbers."""
    for what, value in (("epochs", count), ("initial_epoch", first)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise TypeError(f"`{what}` must be a whole number; got {value!r}.")
        if value < 0:
            raise ValueError(f"`{what}` must be a non-negative integer; got {value!r}.")


def at_most(count: int, limit: int | None) -> int:
    """The number of epochs, limited by `config.set_max_epochs` with a warning."""
    if limit is None or count <= limit:
        return count
    warnings.warn(f"Only {limit} of {count} epochs run, because of config.set_max_epochs({limit}).", stacklevel=4)
    return limit


def targets(model: Any, batch: Any) -> None:
    """Refuse a loss without targets, and targets without a loss."""
    spec = model._session.spec
    own = _own_loss(model)
    _, y, _ = batch
    if y is None and spec.loss is not None and not own:
        raise ValueError(
            f"compile(loss={_name(spec.loss)}) compares the outputs with targets, but there is no `y`. Give them: "
            "fit(x, y), or batches (x, y) from a stream."
        )
    if y is not None and spec.loss is None and not own and model.built and not model.losses:
        raise ValueError(
            "`y` was given, but compile() was called without a loss, so nothing would be trained: write "
            "compile(optimizer, loss='mse') or another loss."
        )


def validation_data(model: Any, data: Any, x: Any, y: Any) -> None:
    """Check that validation data in memory, unpacked to `x` and `y`, hold the targets that the loss needs."""
    if isinstance(data, float):
        raise ValueError(
            f"`validation_data` must be data, such as (x_val, y_val). To hold back a share of the rows of `x` and `y`, "
            f"write validation_split={data}."
        )
    loss = model._session.spec.loss
    if y is None and is_in_memory(x) and loss is not None and not _own_loss(model):
        given = describe(data) if hasattr(data, "shape") else f"a {type(data).__name__}"
        raise ValueError(
            f"`validation_data` holds inputs alone ({given}), but compile(loss={_name(loss)}) compares "
            "the outputs with targets. Write validation_data=(x_val, y_val)."
        )


def _own_loss(model: Any) -> bool:
    return any(model.overrides(name) for name in ("compute_loss", "train_step", "compute_metrics"))


def _name(loss: Any) -> str:
    return repr(loss) if isinstance(loss, str) else label_of(loss)


def data_fits(model: Any, source: Source, batch: Any) -> None:
    """Check that targets have the shape of the outputs, and that labels are in range."""
    loss = model._session.compile_loss
    _, y, _ = batch
    if loss is None or not loss.built or y is None:
        return
    rows = next((leaf.shape[0] for leaf in jax.tree.leaves(y)), 0)
    y = source.arrays[1] if isinstance(source, ArraySource) else y  # all labels, if they are in memory
    try:
        pairs = loss.pairs(y, model._session.output_spec(batch[0]))
    except (KeyError, ValueError):
        if not model.overrides("compute_loss"):
            raise
        return  # it passes on other outputs
    for term, target, prediction in pairs:
        if target is not None and not is_nested(prediction):
            _check_pair(term, target, prediction, rows, len(loss.terms) > 1)


def _check_pair(term: Any, target: Any, prediction: Any, rows: int, several: bool) -> None:
    name = label_of(term.function)
    where = f" of output '{term.name}'" if several else ""
    shape = tuple(prediction.shape)
    values = target if isinstance(target, (np.ndarray, jax.Array)) else None
    if loss_name(term.function) == "sparse_categorical_crossentropy":
        classes = shape[-1]
        if values is None or classes is None or values.size == 0:
            return
        array = np.asarray(values)
        if array.dtype.kind == "f":
            if not np.all(np.mod(array, 1) == 0):
                bad = array[np.mod(array, 1) != 0].flat[0]
                raise ValueError(
                    f"`y`{where} holds {bad}, but {name} needs whole class numbers 0 to {classes - 1}. For "
                    "probabilities or one-hot rows use loss='categorical_crossentropy'; for a regression 'mse'."
                )
        low, high = array.min(), array.max()
        ignored = getattr(term.function, "ignore_class", None)
        if ignored is None and (low < 0 or high >= classes):
            bad = low if low < 0 else high
            wider = f"Make the last layer Dense({int(high) + 1}, ...), or number" if low >= 0 else "Number"
            raise ValueError(
                f"`y`{where} holds class {bad}, but the model has {classes} outputs, so classes are 0 to "
                f"{classes - 1}. {wider} the classes from 0: np.unique(y, return_inverse=True)[1]."
                + (f" To leave such rows out: SparseCategoricalCrossentropy(ignore_class={bad})." if low < 0 else "")
            )
        return
    problem = _shape_problem(term, where, tuple(target.shape), shape)
    if problem:
        if not _broadcasts(term.function, (rows, *target.shape[1:]), (rows, *shape[1:])):
            raise ValueError(problem)
        warnings.warn(f"{problem} As in Keras they are broadcast, which is rarely meant.", stacklevel=6)


def _shape_problem(term: Any, where: str, target: tuple[Any, ...], prediction: tuple[Any, ...]) -> str | None:
    """What is wrong with the shapes of targets and outputs of an elementwise loss."""
    name, a, b = label_of(term.function), target, prediction
    if not _elementwise(term.function):
        return None
    if len(a) == len(b) and a[1:] != b[1:] and all(m is not None for m in b[1:]):
        return (
            f"`y`{where} has shape {('batch', *a[1:])}, but the model returns {('batch', *b[1:])}. {name} compares "
            f"them element by element, so they must be equal. Make the last layer return {a[1:]}, e.g. "
            f"Dense({a[-1]}), or reshape `y`."
        )
    if len(a) == len(b) - 1 and b[-1] not in (1, None) and loss_name(term.function) != "categorical_crossentropy":
        return (
            f"`y`{where} has shape {('batch', *a[1:])}, but the model returns {('batch', *b[1:])}: {b[-1]} values "
            f"for each one of `y`. {name} compares them element by element. Make the last layer Dense(1), or give "
            f"`y` of shape {('batch', *b[1:])}; for class numbers use loss='sparse_categorical_crossentropy'."
        )
    return None


def _broadcasts(function: Any, target: tuple[Any, ...], prediction: tuple[Any, ...]) -> bool:
    """Whether a loss computes something for targets and outputs of these shapes."""
    if loss_name(function) in ("binary_crossentropy", "categorical_crossentropy"):
        return False
    return all(m == n or 1 in (m, n) for m, n in zip(reversed(target), reversed(prediction)))


def _elementwise(function: Any) -> bool:
    return loss_name(function) in (
        "mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error",
        "mean_squared_logarithmic_error", "log_cosh", "huber", "binary_crossentropy", "categorical_crossentropy",
        "kl_divergence", "poisson", "hinge", "squared_hinge", "cosine_similarity",
    )  # fmt: skip
