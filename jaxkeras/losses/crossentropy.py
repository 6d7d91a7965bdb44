"""Losses between a target distribution and a predicted one.

Predicted probabilities are clipped to `[epsilon(), 1 - epsilon()]`; with `from_logits=True` nothing is clipped, and the
logarithm is taken of the softmax or sigmoid in one numerically stable step.
"""

from __future__ import annotations

import warnings
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core import config
from jaxkeras.core.masks import set_mask
from jaxkeras.losses.loss import loss_function, prepare
from jaxkeras.ops._nn import classification


def _normalized(y_pred: jax.Array, axis: int) -> jax.Array:
    y_pred = y_pred / jnp.sum(y_pred, axis=axis, keepdims=True)
    return jnp.clip(y_pred, config.epsilon(), 1.0 - config.epsilon())


def _check_axis(axis: Any) -> None:
    if isinstance(axis, bool):
        raise ValueError(f"`axis` must be an integer; got the boolean {axis}.")


def _check_same_shape(y_true: jax.Array, y_pred: jax.Array, name: str, hint: str) -> None:
    if y_true.shape != y_pred.shape:
        raise ValueError(
            f"`{name}` needs targets and predictions of the same shape; got y_true of shape {y_true.shape} and y_pred "
            f"of shape {y_pred.shape}. {hint}"
        )


def _categorical_targets(
    y_true: Any, y_pred: Any, label_smoothing: float, axis: int, name: str
) -> tuple[jax.Array, jax.Array]:
    _check_axis(axis)
    y_true, y_pred = prepare(y_true, y_pred)
    if y_pred.shape and y_pred.shape[-1] == 1:
        warnings.warn(
            f"`{name}` expects predictions of shape (batch, classes) with more than one class; got {y_pred.shape}. "
            "For two classes use `binary_crossentropy`.",
            SyntaxWarning,
            stacklevel=4,
        )
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / y_true.shape[-1]
    return y_true, y_pred


def _binary_targets(y_true: Any, y_pred: Any, label_smoothing: float, name: str) -> tuple[jax.Array, jax.Array]:
    y_true, y_pred = prepare(y_true, y_pred)
    hint = "For integer classes use `sparse_categorical_crossentropy`."
    _check_same_shape(y_true, y_pred, name, hint)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    return y_true, y_pred


@loss_function("bce", "BCE")
def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> jax.Array:
    """`mean(-y_true * log(y_pred) - (1 - y_true) * log(1 - y_pred), axis)`.

    Args:
        y_true: targets in [0, 1], shape `(batch, ..., n)`.
        y_pred: probabilities, or logits with `from_logits=True`; same shape.
        from_logits: whether `y_pred` is before the sigmoid.
        label_smoothing: in [0, 1]; moves the targets this part of the way to 0.5.
        axis: the axis averaged over.

    Returns:
        Losses, of the shape of `y_pred` without `axis`.

    Raises:
        ValueError: when the shapes differ.
    """
    y_true, y_pred = _binary_targets(y_true, y_pred, label_smoothing, "binary_crossentropy")
    return jnp.mean(classification.binary_crossentropy(y_true, y_pred, from_logits), axis=axis)


@loss_function()
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array:
    """Binary cross-entropy times `(1 - p)**gamma`, where `p` is the probability given to the right class.

    Args:
        y_true: targets in [0, 1], shape `(batch, ..., n)`.
        y_pred: probabilities, or logits with `from_logits=True`; same shape.
        apply_class_balancing: whether class 1 is weighted by `alpha` and class 0 by `1 - alpha`.
        alpha: the weight of class 1.
        gamma: how strongly easy examples are discounted.
        from_logits: whether `y_pred` is before the sigmoid.
        label_smoothing: in [0, 1]; moves the targets this part of the way to 0.5.
        axis: the axis averaged over.

    Returns:
        Losses, of the shape of `y_pred` without `axis`.

    Reference: [Lin et al., 2017, Focal Loss for Dense Object Detection](https://arxiv.org/abs/1708.02002).
    """
    y_true, y_pred = _binary_targets(y_true, y_pred, label_smoothing, "binary_focal_crossentropy")
    if from_logits:
        y_pred = jax.nn.sigmoid(y_pred)
    right = y_true * y_pred + (1.0 - y_true) * (1.0 - y_pred)
    values = jnp.power(1.0 - right, gamma) * classification.binary_crossentropy(y_true, y_pred)
    if apply_class_balancing:
        values = (y_true * alpha + (1.0 - y_true) * (1.0 - alpha)) * values
    return jnp.mean(values, axis=axis)


@loss_function()
def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> jax.Array:
    """`-sum(y_true * log(y_pred), axis)`.

    Args:
        y_true: target distributions (one-hot, for example), shape `(batch, ..., classes)`.
        y_pred: probabilities, or logits with `from_logits=True`; same shape.
        from_logits: whether `y_pred` is before the softmax.
        label_smoothing: in [0, 1]; moves the targets this part of the way to the uniform distribution.
        axis: the axis of the classes.

    Returns:
        Losses, of the shape of `y_pred` without `axis`.

    Raises:
        ValueError: when the shapes differ.

    Example:

    >>> categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).round(3)
    Array([0.693], dtype=float32)
    """
    y_true, y_pred = _categorical_targets(y_true, y_pred, label_smoothing, axis, "categorical_crossentropy")
    hint = "For integer classes use `sparse_categorical_crossentropy`."
    _check_same_shape(y_true, y_pred, "categorical_crossentropy", hint)
    return classification.categorical_crossentropy(y_true, y_pred, from_logits, axis)


@loss_function()
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array:
    """`-sum(alpha * (1 - y_pred)**gamma * y_true * log(y_pred), axis)`.

    Args:
        y_true: target distributions (one-hot, for example), shape `(batch, ..., classes)`.
        y_pred: probabilities, or logits with `from_logits=True`; same shape.
        alpha: a weight, or one for each class.
        gamma: how strongly easy examples are discounted.
        from_logits: whether `y_pred` is before the softmax.
        label_smoothing: in [0, 1]; moves the targets this part of the way to the uniform distribution.
        axis: the axis of the classes.

    Returns:
        Losses, of the shape of `y_pred` without `axis`.

    Reference: [Lin et al., 2017, Focal Loss for Dense Object Detection](https://arxiv.org/abs/1708.02002).
    """
    y_true, y_pred = _categorical_targets(y_true, y_pred, label_smoothing, axis, "categorical_focal_crossentropy")
    if from_logits:
        y_pred = jax.nn.softmax(y_pred, axis=axis)
    y_pred = _normalized(y_pred, axis)
    factor = jnp.power(1.0 - y_pred, gamma) * jnp.asarray(alpha, y_pred.dtype)
    return jnp.sum(factor * -y_true * jnp.log(y_pred), axis=axis)


@loss_function()
def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> jax.Array:
    """`-log(y_pred[y_true])`, for targets that are class numbers.

    Args:
        y_true: class numbers, shape `(batch, ...)` or `(batch, ..., 1)`.
        y_pred: probabilities, or logits with `from_logits=True`; shape `(batch, ..., classes)`.
        from_logits: whether `y_pred` is before the softmax.
        ignore_class: a class whose positions give 0 and do not count in an average.
        axis: the axis of the classes.

    Returns:
        Losses, of the shape of `y_pred` without `axis`.

    Raises:
        ValueError: when the shapes do not fit.

    Example:

    >>> sparse_categorical_crossentropy([1], [[0.5, 0.5]]).round(3)
    Array([0.693], dtype=float32)
    """
    _check_axis(axis)
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    if not y_pred.ndim:
        raise ValueError("`sparse_categorical_crossentropy` needs predictions of shape (..., classes); got a scalar.")
    if y_true.ndim == y_pred.ndim and y_true.shape[axis] == 1:
        y_true = jnp.squeeze(y_true, axis)
    class_axis = axis % y_pred.ndim
    expected = (*y_pred.shape[:class_axis], *y_pred.shape[class_axis + 1 :])
    if y_true.shape != expected:
        raise ValueError(
            f"`sparse_categorical_crossentropy` needs one class number for each prediction: for y_pred of shape "
            f"{y_pred.shape}, y_true of shape {expected} or {(*expected, 1)}; got {y_true.shape}. "
            "For one-hot targets use `categorical_crossentropy`."
        )
    labels = y_true.astype(jnp.int32)
    valid = None
    if ignore_class is not None:
        valid = labels != ignore_class
        labels = jnp.where(valid, labels, 0)
        y_pred = jnp.where(jnp.expand_dims(valid, class_axis), y_pred, 1.0)  # not 0: 0 / 0 has no gradient
    log_probabilities = jax.nn.log_softmax(y_pred, axis) if from_logits else jnp.log(_normalized(y_pred, axis))
    # Selecting by comparison fuses into one pass both ways; a gather has a scatter as its gradient.
    classes = jax.lax.broadcasted_iota(jnp.int32, y_pred.shape, class_axis)
    chosen = jnp.where(classes == jnp.expand_dims(labels, class_axis), log_probabilities, 0.0)
    losses = -jnp.sum(chosen, axis=axis)
    if valid is not None:
        losses = jnp.where(valid, losses, 0.0)
        set_mask(losses, valid)
    return losses


@loss_function()
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> jax.Array:
    """`(1 - p**q) / q`, where `p` is the probability given to the target class; robust to wrong labels.

    Args:
        y_true: class numbers, shape `(batch, ...)`.
        y_pred: probabilities, shape `(batch, ..., classes)`.
        q: between 0 (cross-entropy) and 1 (mean absolute error).

    Returns:
        Losses, shape `(batch, ...)`.

    Reference: [Zhang & Sabuncu, 2018](https://arxiv.org/abs/1805.07836).
    """
    y_pred = jnp.asarray(y_pred)
    one_hot = jax.nn.one_hot(jnp.asarray(y_true).astype(jnp.int32), y_pred.shape[-1], dtype=y_pred.dtype)
    return (1.0 - jnp.power(jnp.sum(y_pred * one_hot, axis=-1), q)) / q


@loss_function("kld", "KLD")
def kl_divergence(y_true: Any, y_pred: Any) -> jax.Array:
    """`sum(y_true * log(y_true / y_pred), axis=-1)`, both clipped to `[epsilon(), 1]`.

    Args:
        y_true: target distributions, shape `(batch, ..., n)`.
        y_pred: predicted distributions, same shape.

    Returns:
        Losses, shape `(batch, ...)`.
    """
    y_true, y_pred = (jnp.clip(y, config.epsilon(), 1.0) for y in prepare(y_true, y_pred))
    return jnp.sum(y_true * jnp.log(y_true / y_pred), axis=-1)


@loss_function()
def poisson(y_true: Any, y_pred: Any) -> jax.Array:
    """`mean(y_pred - y_true * log(y_pred + epsilon()), axis=-1)`: the negative log-likelihood of Poisson counts.

    Args:
        y_true: counts, shape `(batch, ..., n)`.
        y_pred: predicted rates, same shape.

    Returns:
        Losses, shape `(batch, ...)`.
    """
    y_true, y_pred = prepare(y_true, y_pred)
    return jnp.mean(y_pred - y_true * jnp.log(y_pred + config.epsilon()), axis=-1)
