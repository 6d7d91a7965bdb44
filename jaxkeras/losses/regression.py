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
    """Mean squared error, `mean((y_true - y_pred)**2, axis=-1)`.

    Args:
        y_true: targets, shape `(batch, ..., n)`, cast to the dtype of `y_pred`.
        y_pred: predictions, floating, same shape.

    Returns:
        Losses, shape `(batch, ...)`, in the dtype of `y_pred`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Example:

    >>> mean_squared_error([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]]).tolist()
    [0.5, 0.5]
    """
    y_true, y_pred = prepare_same_rank(y_true, y_pred)
    return jnp.mean(jnp.square(y_true - y_pred), axis=-1)


@loss_function("mae", "MAE")
def mean_absolute_error(y_true: Any, y_pred: Any) -> jax.Array:
    """Mean absolute error, `mean(abs(y_true - y_pred), axis=-1)`.

    Args:
        y_true: targets, shape `(batch, ..., n)`, cast to the dtype of `y_pred`.
        y_pred: predictions, floating, same shape.

    Returns:
        Losses, shape `(batch, ...)`, in the dtype of `y_pred`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Example:

    >>> mean_absolute_error([[0.0, 4.0]], [[1.0, 2.0]]).tolist()
    [1.5]
    """
    y_true, y_pred = prepare_same_rank(y_true, y_pred)
    return jnp.mean(jnp.abs(y_true - y_pred), axis=-1)


@loss_function("mape", "MAPE")
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> jax.Array:
    """Mean absolute percentage error.

    `100 * mean(abs((y_true - y_pred) / max(abs(y_true), epsilon())), axis=-1)`

    Args:
        y_true: targets, shape `(batch, ..., n)`, cast to the dtype of `y_pred`.
        y_pred: predictions, floating, same shape.

    Returns:
        Losses in percent, shape `(batch, ...)`, in the dtype of `y_pred`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Example:

    >>> mean_absolute_percentage_error([[2.0, 4.0]], [[1.0, 4.0]]).tolist()
    [25.0]
    """
    y_true, y_pred = prepare_same_rank(y_true, y_pred)
    relative = jnp.abs((y_true - y_pred) / jnp.maximum(jnp.abs(y_true), config.epsilon()))
    return 100.0 * jnp.mean(relative, axis=-1)


@loss_function("msle", "MSLE")
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> jax.Array:
    """Mean squared logarithmic error, `mean((log(1 + y_true) - log(1 + y_pred))**2, axis=-1)`.

    Values below `epsilon()`, negative ones included, are replaced by `epsilon()` first.

    Args:
        y_true: targets, shape `(batch, ..., n)`, cast to the dtype of `y_pred`.
        y_pred: predictions, floating, same shape.

    Returns:
        Losses, shape `(batch, ...)`, in the dtype of `y_pred`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Example:

    >>> print(mean_squared_logarithmic_error([[0.0, 1.0]], [[1.0, 1.0]]).round(4))
    [0.2402]
    """
    y_true, y_pred = prepare_same_rank(y_true, y_pred)
    log_true, log_pred = (jnp.log(jnp.maximum(y, config.epsilon()) + 1.0) for y in (y_true, y_pred))
    return jnp.mean(jnp.square(log_pred - log_true), axis=-1)


def normalized_dot(y_true: Any, y_pred: Any, axis: int = -1) -> jax.Array:
    """Cosine of the angle between targets and predictions along `axis`; 0 for a zero vector.

    Args:
        y_true: targets, shape `(batch, ..., n)`, cast to the dtype of `y_pred`.
        y_pred: predictions, floating, same shape.
        axis: axis of the vectors.

    Returns:
        Cosines in [-1, 1], of the shape of `y_pred` without `axis`.
    """
    y_true, y_pred = prepare_same_rank(y_true, y_pred)
    return jnp.sum(normalize(y_true, axis) * normalize(y_pred, axis), axis=axis)


@loss_function()
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> jax.Array:
    """Negative cosine similarity: -1 for vectors of the same direction, 0 for orthogonal ones, 1 for opposite ones.

    `-sum(y_true / norm(y_true) * y_pred / norm(y_pred), axis)`; a zero vector gives 0.

    Args:
        y_true: targets, shape `(batch, ..., n)`, cast to the dtype of `y_pred`.
        y_pred: predictions, floating, same shape.
        axis: axis of the vectors.

    Returns:
        Losses in [-1, 1], of the shape of `y_pred` without `axis`, in the dtype of `y_pred`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Example:

    >>> cosine_similarity([[0.0, 1.0], [1.0, 0.0]], [[0.0, 2.0], [0.0, 3.0]]).tolist()
    [-1.0, -0.0]
    """
    return -normalized_dot(y_true, y_pred, axis)


@loss_function()
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> jax.Array:
    """Huber loss: quadratic for errors up to `delta`, linear beyond.

    With `e = y_pred - y_true`: `mean(e**2 / 2 if abs(e) <= delta else delta * abs(e) - delta**2 / 2, axis=-1)`.

    Args:
        y_true: targets, shape `(batch, ..., n)`, cast to the dtype of `y_pred`.
        y_pred: predictions, floating, same shape.
        delta: absolute error at which the loss becomes linear.

    Returns:
        Losses, shape `(batch, ...)`, in the dtype of `y_pred`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Reference: Huber, 1964, [Robust Estimation of a Location Parameter](https://doi.org/10.1214/aoms/1177703732).

    Example:

    >>> huber([[0.0, 0.0]], [[1.0, 3.0]]).tolist()
    [1.5]
    """
    y_true, y_pred = prepare_same_rank(y_true, y_pred)
    error = y_pred - y_true
    size = jnp.abs(error)
    edge = jnp.asarray(delta, error.dtype)
    return jnp.mean(jnp.where(size <= edge, 0.5 * jnp.square(error), edge * size - 0.5 * jnp.square(edge)), axis=-1)


@loss_function()
def log_cosh(y_true: Any, y_pred: Any) -> jax.Array:
    """Logarithm of the hyperbolic cosine of the error, `mean(log(cosh(y_pred - y_true)), axis=-1)`.

    About `e**2 / 2` for small errors `e` and `abs(e) - log(2)` for large ones. Computed without overflow.

    Args:
        y_true: targets, shape `(batch, ..., n)`, cast to the dtype of `y_pred`.
        y_pred: predictions, floating, same shape.

    Returns:
        Losses, shape `(batch, ...)`, in the dtype of `y_pred`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Example:

    >>> print(log_cosh([[0.0, 0.0]], [[1.0, 100.0]]).round(4))
    [49.8703]
    """
    y_true, y_pred = prepare_same_rank(y_true, y_pred)
    error = y_pred - y_true
    return jnp.mean(error + jax.nn.softplus(-2.0 * error) - math.log(2.0), axis=-1)
