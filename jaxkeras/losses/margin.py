"""Hinge losses: a margin between the right answer and the others."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.losses.loss import loss_function, prepare


def _shortfall(y_true: Any, y_pred: Any) -> jax.Array:
    """By how much each prediction falls short of a margin of 1; targets that are all 0 or 1 become -1 or 1."""
    y_true, y_pred = prepare(y_true, y_pred)
    is_binary = jnp.all((y_true == 0) | (y_true == 1))
    y_true = jnp.where(is_binary, 2.0 * y_true - 1.0, y_true)
    return jnp.maximum(1.0 - y_true * y_pred, 0.0)


@loss_function()
def hinge(y_true: Any, y_pred: Any) -> jax.Array:
    """Hinge loss, `mean(max(1 - y_true * y_pred, 0), axis=-1)`.

    Args:
        y_true: targets, shape `(batch, ..., n)`: -1 and 1; or 0 and 1, which are converted if `y_true` has no other
            values. Cast to the dtype of `y_pred`.
        y_pred: predictions, floating, same shape.

    Returns:
        Losses, shape `(batch, ...)`, in the dtype of `y_pred`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Example:

    >>> hinge([[-1.0, 1.0]], [[0.5, 2.0]]).tolist()
    [0.75]
    """
    return jnp.mean(_shortfall(y_true, y_pred), axis=-1)


@loss_function()
def squared_hinge(y_true: Any, y_pred: Any) -> jax.Array:
    """Squared hinge loss, `mean(max(1 - y_true * y_pred, 0)**2, axis=-1)`.

    Args:
        y_true: targets, shape `(batch, ..., n)`: -1 and 1; or 0 and 1, which are converted if `y_true` has no other
            values. Cast to the dtype of `y_pred`.
        y_pred: predictions, floating, same shape.

    Returns:
        Losses, shape `(batch, ...)`, in the dtype of `y_pred`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Example:

    >>> squared_hinge([[-1.0, 1.0]], [[0.5, 2.0]]).tolist()
    [1.125]
    """
    return jnp.mean(jnp.square(_shortfall(y_true, y_pred)), axis=-1)


@loss_function()
def categorical_hinge(y_true: Any, y_pred: Any) -> jax.Array:
    """Hinge loss over classes, `max(neg - pos + 1, 0)`.

    `pos = sum(y_true * y_pred)` is the score of the target class and `neg = max((1 - y_true) * y_pred)` the best score
    of the other classes.

    Args:
        y_true: one-hot targets, shape `(batch, ..., classes)`, cast to the dtype of `y_pred`.
        y_pred: scores, floating, same shape.

    Returns:
        Losses, shape `(batch, ...)`, in the dtype of `y_pred`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Example:

    >>> categorical_hinge([[0.0, 1.0], [1.0, 0.0]], [[0.25, 0.75], [0.25, 0.75]]).tolist()
    [0.5, 1.5]
    """
    y_true, y_pred = prepare(y_true, y_pred)
    positive = jnp.sum(y_true * y_pred, axis=-1)
    negative = jnp.max((1.0 - y_true) * y_pred, axis=-1)
    return jnp.maximum(negative - positive + 1.0, 0.0)
