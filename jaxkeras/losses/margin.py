"""Hinge losses: a margin between the right answer and the others."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.losses.loss import loss_function, prepare


def _shortfall(y_true: Any, y_pred: Any) -> jax.Array:
    """How far each prediction stays below a margin of 1; targets that are all 0 or 1 become -1 or 1."""
    y_true, y_pred = prepare(y_true, y_pred)
    is_binary = jnp.all((y_true == 0) | (y_true == 1))
    y_true = jnp.where(is_binary, 2.0 * y_true - 1.0, y_true)
    return jnp.maximum(1.0 - y_true * y_pred, 0.0)


@loss_function()
def hinge(y_true: Any, y_pred: Any) -> jax.Array:
    """`mean(max(1 - y_true * y_pred, 0), axis=-1)`.

    Args:
        y_true: targets -1 or 1 (or all of them 0 or 1, which are converted), shape `(batch, ..., n)`.
        y_pred: predictions, same shape.

    Returns:
        Losses, shape `(batch, ...)`.
    """
    return jnp.mean(_shortfall(y_true, y_pred), axis=-1)


@loss_function()
def squared_hinge(y_true: Any, y_pred: Any) -> jax.Array:
    """`mean(max(1 - y_true * y_pred, 0)**2, axis=-1)`.

    Args:
        y_true: targets -1 or 1 (or all of them 0 or 1, which are converted), shape `(batch, ..., n)`.
        y_pred: predictions, same shape.

    Returns:
        Losses, shape `(batch, ...)`.
    """
    return jnp.mean(jnp.square(_shortfall(y_true, y_pred)), axis=-1)


@loss_function()
def categorical_hinge(y_true: Any, y_pred: Any) -> jax.Array:
    """`max(neg - pos + 1, 0)`, with `pos = sum(y_true * y_pred)` and `neg = max((1 - y_true) * y_pred)`.

    Args:
        y_true: one-hot targets, shape `(batch, ..., classes)`.
        y_pred: predictions, same shape.

    Returns:
        Losses, shape `(batch, ...)`.
    """
    y_true, y_pred = prepare(y_true, y_pred)
    positive = jnp.sum(y_true * y_pred, axis=-1)
    negative = jnp.max((1.0 - y_true) * y_pred, axis=-1)
    return jnp.maximum(negative - positive + 1.0, 0.0)
