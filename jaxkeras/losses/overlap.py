"""Losses for segmentation masks (Dice, Tversky) and for embeddings (circle)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core import config
from jaxkeras.core.masks import set_mask
from jaxkeras.losses.loss import loss_function, prepare


@loss_function()
def dice(y_true: Any, y_pred: Any, axis: Any = None) -> jax.Array:
    """`1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred) + epsilon())`.

    Args:
        y_true: target masks, any shape.
        y_pred: predicted masks, same shape.
        axis: the axes summed over; None for all.

    Returns:
        Losses, of the shape of `y_pred` without `axis`; a scalar for `axis=None`.
    """
    y_true, y_pred = prepare(y_true, y_pred)
    overlap = jnp.sum(y_true * y_pred, axis=axis)
    return 1.0 - 2.0 * overlap / (jnp.sum(y_true, axis=axis) + jnp.sum(y_pred, axis=axis) + config.epsilon())


@loss_function()
def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> jax.Array:
    """`1 - overlap / (overlap + alpha * missed + beta * surplus + epsilon())`; `dice` for `alpha = beta = 0.5`.

    Args:
        y_true: target masks, any shape.
        y_pred: predicted masks, same shape.
        alpha: the weight of what is in `y_true` but not in `y_pred`.
        beta: the weight of what is in `y_pred` but not in `y_true`.
        axis: the axes summed over; None for all.

    Returns:
        Losses, of the shape of `y_pred` without `axis`; a scalar for `axis=None`.

    Reference: [Salehi et al., 2017](https://arxiv.org/abs/1706.05721).
    """
    y_true, y_pred = prepare(y_true, y_pred)
    overlap = jnp.sum(y_true * y_pred, axis=axis)
    missed = jnp.sum((1.0 - y_pred) * y_true, axis=axis)
    surplus = jnp.sum(y_pred * (1.0 - y_true), axis=axis)
    return 1.0 - overlap / (overlap + missed * alpha + surplus * beta + config.epsilon())


@loss_function()
def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> jax.Array:
    """Circle loss: pulls embeddings of the same class together, in proportion to how far they are from it.

    Args:
        y_true: class numbers, shape `(batch,)` or `(batch, 1)`.
        y_pred: embeddings of unit length, shape `(batch, size)`.
        ref_labels: class numbers of the references; defaults to `y_true`.
        ref_embeddings: embeddings to compare with; defaults to `y_pred`.
        remove_diagonal: whether an embedding is not compared with the reference of the same position.
        gamma: the scale of the similarities.
        margin: the relaxation of the optimum.

    Returns:
        Losses, shape `(batch,)`; those that are 0 are masked out of an average.

    Reference: [Sun et al., 2020](https://arxiv.org/abs/2002.10857).
    """
    y_pred = jnp.asarray(y_pred)
    labels = jnp.asarray(y_true).astype(jnp.int32).reshape(-1, 1)
    others = labels if ref_labels is None else jnp.asarray(ref_labels).astype(jnp.int32).reshape(-1, 1)
    references = y_pred if ref_embeddings is None else jnp.asarray(ref_embeddings, y_pred.dtype)

    distances = jnp.maximum(1.0 - jnp.matmul(y_pred, references.T), 0.0)
    same = labels == others.T
    different = ~same
    if remove_diagonal:
        same = same & ~jnp.eye(*same.shape, dtype=bool)

    pull = -gamma * jnp.maximum(margin + distances, 0.0) * (margin - distances)
    push = gamma * jnp.maximum(1.0 + margin - distances, 0.0) * (1.0 - margin - distances)
    # Not -inf: a class that is alone in the batch would get NaN as its gradient.
    nothing = jnp.finfo(distances.dtype).min / 4
    pull = jax.nn.logsumexp(jnp.where(same, pull, nothing), axis=1)
    push = jax.nn.logsumexp(jnp.where(different, push, nothing), axis=1)
    losses = jax.nn.softplus(pull + push)
    set_mask(losses, losses > 0)
    return losses
