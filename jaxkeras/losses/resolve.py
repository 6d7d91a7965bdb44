"""Resolve `compile(loss=...)`, given the shapes of targets and predictions."""

from __future__ import annotations

from typing import Any

from jaxkeras.core.names import to_snake_case
from jaxkeras.losses.classes.base import LossFunctionWrapper
from jaxkeras.losses.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from jaxkeras.losses.lookup import get
from jaxkeras.losses.loss import Loss


def by_shape(y_true: Any, y_pred: Any, *, binary: Any, sparse: Any, categorical: Any) -> Any:
    """Choose a variant by the shapes of one output, as Keras does.

    Args:
        y_true, y_pred: anything with a `shape`.
        binary: for predictions whose last axis has size 1.
        sparse: for integer targets: of lower rank than the predictions, or with a last axis of size 1.
        categorical: for all others.
    """
    true_shape, pred_shape = tuple(y_true.shape), tuple(y_pred.shape)
    if pred_shape[-1] == 1:
        return binary
    if len(true_shape) < len(pred_shape) or true_shape[-1] == 1 and pred_shape[-1] > 1:
        return sparse
    return categorical


def object_name(thing: Any) -> str:
    """The `name` of an object if it has one, else the name of the function or class in snake case."""
    name = getattr(thing, "name", None)
    return name if name is not None else to_snake_case(getattr(thing, "__name__", type(thing).__name__))


def resolve_loss(identifier: Any, y_true: Any, y_pred: Any) -> Loss | None:
    """The loss of one output.

    Args:
        identifier: a name, where the shapes decide what `"crossentropy"` and `"ce"` mean; a `Loss`; a
            config; a function `f(y_true, y_pred)`; or None.
        y_true, y_pred: arrays, or specs with a `shape`, of targets and predictions.

    Returns:
        A `Loss` (functions are wrapped and named after the string or the function), or None.

    Raises:
        ValueError: for an unknown name.
    """
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        found = by_shape(
            y_true,
            y_pred,
            binary=binary_crossentropy,
            sparse=sparse_categorical_crossentropy,
            categorical=categorical_crossentropy,
        )
    else:
        found = get(identifier)
    if found is None or isinstance(found, Loss):
        return found
    return LossFunctionWrapper(found, name=identifier if isinstance(identifier, str) else object_name(found))
