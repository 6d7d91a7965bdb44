"""Losses between a target distribution and a predicted one.

Predicted probabilities are clipped to `[epsilon(), 1 - epsilon()]`. With `from_logits=True` cross-entropies clip
nothing: the logarithm of the softmax or sigmoid is computed in one numerically stable step.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

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


def _check_fraction(value: float, name: str) -> None:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"`{name}` must be in [0, 1]; got {value}.")


def _categorical_targets(
    y_true: Any, y_pred: Any, label_smoothing: float, axis: int, name: str
) -> tuple[jax.Array, jax.Array]:
    _check_axis(axis)
    _check_fraction(label_smoothing, "label_smoothing")
    y_true, y_pred = prepare(y_true, y_pred)
    classes = y_pred.shape[axis] if y_pred.shape else 1
    if y_pred.shape and classes == 1:
        warnings.warn(
            f"`{name}` expects predictions of shape (batch, classes) with more than one class; got {y_pred.shape}. "
            "For two classes use `binary_crossentropy`.",
            SyntaxWarning,
            stacklevel=4,
        )
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / classes
    return y_true, y_pred


def _binary_targets(y_true: Any, y_pred: Any, label_smoothing: float, name: str) -> tuple[jax.Array, jax.Array]:
    _check_fraction(label_smoothing, "label_smoothing")
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
    """Binary cross-entropy, `mean(-y_true * log(y_pred) - (1 - y_true) * log(1 - y_pred), axis)`.

    Args:
        y_true: targets in [0, 1], shape `(batch, ..., n)`, cast to the dtype of `y_pred`.
        y_pred: probabilities, or logits with `from_logits=True`; floating, same shape.
        from_logits: whether `y_pred` holds logits, whose sigmoid are the probabilities.
        label_smoothing: `s` in [0, 1]; targets become `y_true * (1 - s) + s / 2`.
        axis: axis to average over.

    Returns:
        Losses, of the shape of `y_pred` without `axis`, in its dtype.

    Raises:
        ValueError: for different shapes, or a `label_smoothing` out of range.

    Example:

    >>> binary_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).round(3)
    Array([0.693], dtype=float32)
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
    """Binary focal cross-entropy: cross-entropy times `(1 - p)**gamma`, which discounts easy examples.

    `p = y_true * y_pred + (1 - y_true) * (1 - y_pred)` is the probability of the right class.

    Args:
        y_true: targets in [0, 1], shape `(batch, ..., n)`, cast to the dtype of `y_pred`.
        y_pred: probabilities, or logits with `from_logits=True`; floating, same shape.
        apply_class_balancing: whether to weight class 1 by `alpha` and class 0 by `1 - alpha`.
        alpha: weight of class 1.
        gamma: how strongly easy examples are discounted; 0 for not at all.
        from_logits: whether `y_pred` holds logits, whose sigmoid are the probabilities.
        label_smoothing: `s` in [0, 1]; targets become `y_true * (1 - s) + s / 2`.
        axis: axis to average over.

    Returns:
        Losses, of the shape of `y_pred` without `axis`, in its dtype.

    Raises:
        ValueError: for different shapes, or a `label_smoothing` out of range.

    Reference: [Lin et al., 2017, Focal Loss for Dense Object Detection](https://arxiv.org/abs/1708.02002).

    Example:

    >>> binary_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).round(3)
    Array([0.17300001], dtype=float32)
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
    """Cross-entropy of target and predicted distributions, `-sum(y_true * log(y_pred), axis)`.

    Args:
        y_true: target distributions, such as one-hot, shape `(batch, ..., classes)`, cast to the dtype of `y_pred`.
        y_pred: probabilities, or logits with `from_logits=True`; floating, same shape.
        from_logits: whether `y_pred` holds logits, whose softmax are the probabilities.
        label_smoothing: `s` in [0, 1]; targets become `y_true * (1 - s) + s / classes`.
        axis: axis of the classes.

    Returns:
        Losses, of the shape of `y_pred` without `axis`, in its dtype.

    Raises:
        ValueError: for different shapes, or a `label_smoothing` out of range.

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
    alpha: float | Sequence[float] = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array:
    """Focal cross-entropy, `-sum(alpha * (1 - y_pred)**gamma * y_true * log(y_pred), axis)`.

    Args:
        y_true: target distributions, such as one-hot, shape `(batch, ..., classes)`, cast to the dtype of `y_pred`.
        y_pred: probabilities, or logits with `from_logits=True`; floating, same shape.
        alpha: a weight, or one for each class.
        gamma: how strongly easy examples are discounted; 0 for not at all.
        from_logits: whether `y_pred` holds logits, whose softmax are the probabilities.
        label_smoothing: `s` in [0, 1]; targets become `y_true * (1 - s) + s / classes`.
        axis: axis of the classes.

    Returns:
        Losses, of the shape of `y_pred` without `axis`, in its dtype.

    Raises:
        ValueError: for a `label_smoothing` out of range.
        TypeError: for shapes that do not broadcast.

    Reference: [Lin et al., 2017, Focal Loss for Dense Object Detection](https://arxiv.org/abs/1708.02002).

    Example:

    >>> categorical_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]], alpha=1.0).round(3)
    Array([0.17300001], dtype=float32)
    """
    y_true, y_pred = _categorical_targets(y_true, y_pred, label_smoothing, axis, "categorical_focal_crossentropy")
    if from_logits:
        y_pred = jax.nn.softmax(y_pred, axis=axis)
    y_pred = _normalized(y_pred, axis)
    factor = jnp.power(1.0 - y_pred, gamma) * jnp.asarray(alpha, y_pred.dtype)
    return jnp.sum(factor * -y_true * jnp.log(y_pred), axis=axis)


class _SparseTargets(NamedTuple):
    labels: jax.Array  # one class for each prediction
    y_pred: jax.Array
    valid: jax.Array | None  # which positions are not of the ignored class
    axis: int

    def select(self, values: jax.Array) -> jax.Array:
        """The values at the target classes."""
        # Selecting by comparison fuses into one pass both ways; a gather has a scatter as its gradient.
        classes = jax.lax.broadcasted_iota(jnp.int32, values.shape, self.axis)
        return jnp.sum(jnp.where(classes == jnp.expand_dims(self.labels, self.axis), values, 0.0), axis=self.axis)

    def masked(self, losses: jax.Array) -> jax.Array:
        """Losses that are 0 and masked at ignored positions."""
        if self.valid is not None:
            losses = jnp.where(self.valid, losses, 0.0)
            set_mask(losses, self.valid)
        return losses


def _sparse_targets(y_true: Any, y_pred: Any, ignore_class: int | None, axis: int, name: str) -> _SparseTargets:
    _check_axis(axis)
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    if not y_pred.ndim:
        raise ValueError(f"`{name}` needs predictions of shape (..., classes); got a scalar.")
    if y_true.ndim == y_pred.ndim and y_true.shape[axis] == 1:
        y_true = jnp.squeeze(y_true, axis)
    class_axis = axis % y_pred.ndim
    expected = (*y_pred.shape[:class_axis], *y_pred.shape[class_axis + 1 :])
    if y_true.shape != expected:
        raise ValueError(
            f"`{name}` needs one integer class for each prediction: for y_pred of shape {y_pred.shape}, y_true of "
            f"shape {expected} or {(*expected, 1)}; got {y_true.shape}. "
            f"For one-hot targets use `{name.removeprefix('sparse_')}`."
        )
    labels = y_true.astype(jnp.int32)
    valid = None
    if ignore_class is not None:
        valid = labels != ignore_class
        labels = jnp.where(valid, labels, 0)
        y_pred = jnp.where(jnp.expand_dims(valid, class_axis), y_pred, 1.0)  # not 0: 0 / 0 has no gradient
    return _SparseTargets(labels, y_pred, valid, class_axis)


@loss_function()
def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
    label_smoothing: float = 0.0,
) -> jax.Array:
    """Cross-entropy for integer targets, `-log(y_pred[y_true])`.

    Args:
        y_true: integer classes, shape `(batch, ...)` or `(batch, ..., 1)`.
        y_pred: probabilities, or logits with `from_logits=True`; floating, shape `(batch, ..., classes)`.
        from_logits: whether `y_pred` holds logits, whose softmax are the probabilities.
        ignore_class: a class whose positions give 0 and are left out of an average; None for none.
        axis: axis of the classes.
        label_smoothing: in [0, 1]; as in `categorical_crossentropy` with one-hot targets.

    Returns:
        Losses, of the shape of `y_pred` without `axis`, in its dtype.

    Raises:
        ValueError: for shapes that do not fit together, or a `label_smoothing` out of range.

    Example:

    >>> sparse_categorical_crossentropy([1], [[0.5, 0.5]]).round(3)
    Array([0.693], dtype=float32)
    """
    _check_fraction(label_smoothing, "label_smoothing")
    targets = _sparse_targets(y_true, y_pred, ignore_class, axis, "sparse_categorical_crossentropy")
    y_pred = targets.y_pred
    log_probabilities = jax.nn.log_softmax(y_pred, axis) if from_logits else jnp.log(_normalized(y_pred, axis))
    losses = -targets.select(log_probabilities)
    if label_smoothing:
        uniform = -jnp.mean(log_probabilities, axis=axis)
        losses = (1.0 - label_smoothing) * losses + label_smoothing * uniform
    return targets.masked(losses)


@loss_function()
def sparse_categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float | Sequence[float] = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> jax.Array:
    """Focal cross-entropy for integer targets, `-alpha * (1 - p)**gamma * log(p)` with `p = y_pred[y_true]`.

    Equals `categorical_focal_crossentropy` with one-hot targets.

    Args:
        y_true: integer classes, shape `(batch, ...)` or `(batch, ..., 1)`.
        y_pred: probabilities, or logits with `from_logits=True`; floating, shape `(batch, ..., classes)`.
        alpha: a weight, or one for each class.
        gamma: how strongly easy examples are discounted; 0 for not at all.
        from_logits: whether `y_pred` holds logits, whose softmax are the probabilities.
        ignore_class: a class whose positions give 0 and are left out of an average; None for none.
        axis: axis of the classes.

    Returns:
        Losses, of the shape of `y_pred` without `axis`, in its dtype.

    Raises:
        ValueError: for shapes that do not fit together.

    Reference: [Lin et al., 2017, Focal Loss for Dense Object Detection](https://arxiv.org/abs/1708.02002).

    Example:

    >>> sparse_categorical_focal_crossentropy([1], [[0.5, 0.5]], alpha=1.0).round(3)
    Array([0.17300001], dtype=float32)
    """
    targets = _sparse_targets(y_true, y_pred, ignore_class, axis, "sparse_categorical_focal_crossentropy")
    y_pred = jax.nn.softmax(targets.y_pred, axis=axis) if from_logits else targets.y_pred
    right = targets.select(_normalized(y_pred, axis))
    weights = jnp.asarray(alpha, right.dtype)
    if weights.ndim:
        weights = weights[targets.labels]
    return targets.masked(-weights * jnp.power(1.0 - right, gamma) * jnp.log(right))


@loss_function()
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> jax.Array:
    """Generalized cross-entropy, `(1 - p**q) / q` with `p = y_pred[y_true]`; robust to wrong labels.

    Args:
        y_true: integer classes, shape `(batch, ...)`.
        y_pred: probabilities, floating, shape `(batch, ..., classes)`.
        q: in (0, 1); the loss approaches cross-entropy for 0 and the mean absolute error for 1.

    Returns:
        Losses, shape `(batch, ...)`, in the dtype of `y_pred`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Reference: [Zhang and Sabuncu, 2018, Generalized Cross Entropy Loss](https://arxiv.org/abs/1805.07836).

    Example:

    >>> categorical_generalized_cross_entropy([1], [[0.75, 0.25]], q=0.5).tolist()
    [1.0]
    """
    y_pred = jnp.asarray(y_pred)
    one_hot = jax.nn.one_hot(jnp.asarray(y_true).astype(jnp.int32), y_pred.shape[-1], dtype=y_pred.dtype)
    return (1.0 - jnp.power(jnp.sum(y_pred * one_hot, axis=-1), q)) / q


@loss_function("kld", "KLD")
def kl_divergence(y_true: Any, y_pred: Any) -> jax.Array:
    """Kullback-Leibler divergence, `sum(y_true * log(y_true / y_pred), axis=-1)`.

    Both distributions are clipped to `[epsilon(), 1]` first.

    Args:
        y_true: target distributions, shape `(batch, ..., n)`, cast to the dtype of `y_pred`.
        y_pred: predicted distributions, floating, same shape.

    Returns:
        Losses, shape `(batch, ...)`, in the dtype of `y_pred`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Reference: Kullback and Leibler, 1951, [On Information and Sufficiency](https://doi.org/10.1214/aoms/1177729694).

    Example:

    >>> kl_divergence([[0.5, 0.5]], [[0.75, 0.25]]).round(3)
    Array([0.14400001], dtype=float32)
    """
    y_true, y_pred = (jnp.clip(y, config.epsilon(), 1.0) for y in prepare(y_true, y_pred))
    return jnp.sum(y_true * jnp.log(y_true / y_pred), axis=-1)


@loss_function()
def poisson(y_true: Any, y_pred: Any) -> jax.Array:
    """Negative log-likelihood of Poisson counts, `mean(y_pred - y_true * log(y_pred + epsilon()), axis=-1)`.

    The term `log(y_true!)`, which does not depend on the prediction, is left out.

    Args:
        y_true: counts, shape `(batch, ..., n)`, cast to the dtype of `y_pred`.
        y_pred: predicted rates, floating and positive, same shape.

    Returns:
        Losses, shape `(batch, ...)`, in the dtype of `y_pred`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Example:

    >>> poisson([[2.0, 0.0]], [[1.0, 1.0]]).round(3)
    Array([1.], dtype=float32)
    """
    y_true, y_pred = prepare(y_true, y_pred)
    return jnp.mean(y_pred - y_true * jnp.log(y_pred + config.epsilon()), axis=-1)
