"""Ops over the scores of classes: cross-entropies, and whether a class is among the best."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core import config
from jaxkeras.core.symbolic import op
from jaxkeras.ops._row import as_array


def _same_shape(target: Any, output: Any) -> tuple[jax.Array, jax.Array]:
    target, output = as_array(target), as_array(output)
    if target.shape != output.shape:
        raise ValueError(f"`target` and `output` must have the same shape, got {target.shape} and {output.shape}.")
    return target, output


def _clipped(probabilities: jax.Array) -> jax.Array:
    return jnp.clip(probabilities, config.epsilon(), 1.0 - config.epsilon())


def _log_probabilities(output: jax.Array, from_logits: bool, axis: int) -> jax.Array:
    if output.ndim < 1:
        raise ValueError("`output` must have at least one axis.")
    if from_logits:
        return jax.nn.log_softmax(output, axis=axis)
    return jnp.log(_clipped(output / jnp.sum(output, axis, keepdims=True)))


@op
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> jax.Array:
    """`-target log(p) - (1 - target) log(1 - p)` of each element.

    Args:
        target: zeros and ones, or probabilities.
        output: probabilities, or logits.
        from_logits: whether `output` holds logits.

    Returns:
        Array of the same shape.

    Raises:
        ValueError: for different shapes.
    """
    target, output = _same_shape(target, output)
    if from_logits:
        return -target * jax.nn.log_sigmoid(output) - (1.0 - target) * jax.nn.log_sigmoid(-output)
    output = _clipped(output)
    return -(target * jnp.log(output) + (1.0 - target) * jnp.log(1.0 - output))


@op
def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> jax.Array:
    """`-sum(target log(p))` over the classes.

    Args:
        target: probabilities of the classes.
        output: predicted probabilities, or logits.
        from_logits: whether `output` holds logits.
        axis: of the classes.

    Returns:
        Array of the same shape without `axis`.

    Raises:
        ValueError: for different shapes.
    """
    target, output = _same_shape(target, output)
    return -jnp.sum(target * _log_probabilities(output, from_logits, axis), axis=axis)


@op
def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> jax.Array:
    """`-log(p[target])`.

    Args:
        target: class indices, shape `output.shape[:-1]` (or with a last axis of size 1).
        output: predicted probabilities, or logits.
        from_logits: whether `output` holds logits.
        axis: of the classes.

    Returns:
        Array of the shape of `output` without `axis`.

    Raises:
        ValueError: for shapes that do not fit.
    """
    target, output = as_array(target).astype("int32"), as_array(output)
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = jnp.squeeze(target, -1)
    log_p = _log_probabilities(output, from_logits, axis)
    if target.shape != output.shape[:-1]:
        raise ValueError(
            f"`target` must have shape {output.shape[:-1]}, that of `output` but the last axis; got {target.shape}."
        )
    return -jnp.sum(jax.nn.one_hot(target, output.shape[axis], axis=axis, dtype=log_p.dtype) * log_p, axis=axis)


@op
def in_top_k(targets: Any, predictions: Any, k: int) -> jax.Array:
    """Whether the score of a class is among the `k` largest.

    Args:
        targets: class indices, shape `(batch,)`.
        predictions: scores, shape `(batch, classes)`.
        k: how many.

    Returns:
        Booleans of shape `(batch,)`; False where the score is NaN.
    """
    targets, predictions = as_array(targets), as_array(predictions)
    score = jnp.take_along_axis(predictions, targets[..., None], axis=-1)
    score = jnp.where(jnp.isnan(score), -jnp.inf, score)
    return jnp.sum(predictions > score, axis=-1) < k
