"""Losses between real-valued targets and predictions."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core import config
from jaxkeras.losses.loss import loss_function, prepare_same_rank
from jaxkeras.ops.nn import normalize


@loss_function("mse", "MSE")
def mean_squared_error(y_true: Any, y_pred: Any) -> jax.Array:
    """`mean((y_true - y_pred)**2, axis=-1)`.

    Args:
        y_true: targets, shape `(batch, ..., n)`.
        y_pred: predictions, same shape.

    Returns:
        Losses, shape `(batch, ...)`.

    Example:

    >>> mean_squared_error([[0.0, 1.0]], [[1.0, 1.0]])
    Array([0.5], dtype=float32)
    """
    y_true, y_pred = prepare_same_rank(y_true, y_pred)
    return jnp.mean(jnp.square(y_true - y_pred), axis=-1)


@loss_function("mae", "MAE")
def mean_absolute_error(y_true: Any, y_pred: Any) -> jax.Array:
    """`mean(abs(y_true - y_pred), axis=-1)`.

    Args:
        y_true: targets, shape `(batch, ..., n)`.
        y_pred: predictions, same shape.

    Returns:
        Losses, shape `(batch, ...)`.
    """
    y_true, y_pred = prepare_same_rank(y_true, y_pred)
    return jnp.mean(jnp.abs(y_true - y_pred), axis=-1)


@loss_function("mape", "MAPE")
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> jax.Array:
    """`100 * mean(abs((y_true - y_pred) / max(abs(y_true), epsilon())), axis=-1)`.

    Args:
        y_true: targets, shape `(batch, ..., n)`.
        y_pred: predictions, same shape.

    Returns:
        Losses in percent, shape `(batch, ...)`.
    """
    y_true, y_pred = prepare_same_rank(y_true, y_pred)
    relative = jnp.abs((y_true - y_pred) / jnp.maximum(jnp.abs(y_true), config.epsilon()))
    return 100.0 * jnp.mean(relative, axis=-1)


@loss_function("msle", "MSLE")
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> jax.Array:
    """`mean((log(1 + y_true) - log(1 + y_pred))**2, axis=-1)`, values below `epsilon()` counting as `epsilon()`.

    Args:
        y_true: targets, shape `(batch, ..., n)`.
        y_pred: predictions, same shape.

    Returns:
        Losses, shape `(batch, ...)`.
    """
    y_true, y_pred = prepare_same_rank(y_true, y_pred)
    log_true, log_pred = (jnp.log(jnp.maximum(y, config.epsilon()) + 1.0) for y in (y_true, y_pred))
    return jnp.mean(jnp.square(log_pred - log_true), axis=-1)


def normalized_dot(y_true: Any, y_pred: Any, axis: int = -1) -> jax.Array:
    """The cosine of the angle between targets and predictions along `axis`; 0 for a zero vector."""
    y_true, y_pred = prepare_same_rank(y_true, y_pred)
    return jnp.sum(normalize(y_true, axis) * normalize(y_pred, axis), axis=axis)


@loss_function()
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> jax.Array:
    """Minus the cosine of the angle between targets and predictions: -1 for the same direction, 1 for the opposite.

    Args:
        y_true: targets, shape `(batch, ..., n)`.
        y_pred: predictions, same shape.
        axis: the axis that holds the vectors.

    Returns:
        Losses, of the shape of `y_pred` without `axis`.
    """
    return -normalized_dot(y_true, y_pred, axis)


@loss_function()
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> jax.Array:
    """Quadratic for errors up to `delta`, linear beyond.

    With `e = y_pred - y_true`: `mean(e**2 / 2 if abs(e) <= delta else delta * abs(e) - delta**2 / 2, axis=-1)`.

    Args:
        y_true: targets, shape `(batch, ..., n)`.
        y_pred: predictions, same shape.
        delta: where the loss turns linear.

    Returns:
        Losses, shape `(batch, ...)`.

    Reference: Huber, 1964, Robust Estimation of a Location Parameter.
    """
    y_true, y_pred = prepare_same_rank(y_true, y_pred)
    error = y_pred - y_true
    size = jnp.abs(error)
    edge = jnp.asarray(delta, error.dtype)
    return jnp.mean(jnp.where(size <= edge, 0.5 * jnp.square(error), edge * size - 0.5 * jnp.square(edge)), axis=-1)


@loss_function()
def log_cosh(y_true: Any, y_pred: Any) -> jax.Array:
    """`mean(log(cosh(y_pred - y_true)), axis=-1)`, computed without overflow.

    Args:
        y_true: targets, shape `(batch, ..., n)`.
        y_pred: predictions, same shape.

    Returns:
        Losses, shape `(batch, ...)`.
    """
    y_true, y_pred = prepare_same_rank(y_true, y_pred)
    error = y_pred - y_true
    return jnp.mean(error + jax.nn.softplus(-2.0 * error) - math.log(2.0), axis=-1)
