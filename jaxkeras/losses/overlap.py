"""Losses for segmentation masks (Dice, Tversky) and for embeddings (circle)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core import config
from jaxkeras.core.masks import set_mask
from jaxkeras.losses.loss import loss_function, prepare


@loss_function()
def dice(y_true: Any, y_pred: Any, axis: int | Sequence[int] | None = None) -> jax.Array:
    """Dice loss of segmentation masks.

    `1 - 2 * sum(y_true * y_pred, axis) / (sum(y_true, axis) + sum(y_pred, axis) + epsilon())`

    Args:
        y_true: target masks with values in [0, 1], any shape, cast to the dtype of `y_pred`.
        y_pred: predicted masks, floating, same shape.
        axis: axis or axes to sum over; None for all.

    Returns:
        Losses in [0, 1], of the shape of `y_pred` without `axis`; a scalar for `axis=None`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Reference: [Milletari et al., 2016, V-Net](https://arxiv.org/abs/1606.04797).

    Example:

    >>> print(dice([[1.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]], axis=-1).round(4))
    [0.3333 0.    ]
    """
    y_true, y_pred = prepare(y_true, y_pred)
    overlap = jnp.sum(y_true * y_pred, axis=axis)
    return 1.0 - 2.0 * overlap / (jnp.sum(y_true, axis=axis) + jnp.sum(y_pred, axis=axis) + config.epsilon())


@loss_function()
def tversky(
    y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: int | Sequence[int] | None = None
) -> jax.Array:
    """Tversky loss of segmentation masks: Dice loss with separate weights for misses and false alarms.

    `1 - overlap / (overlap + alpha * surplus + beta * missed + epsilon())`, where `overlap = sum(y_true * y_pred)`,
    `missed = sum(y_true * (1 - y_pred))` and `surplus = sum((1 - y_true) * y_pred)`. It equals `dice` for
    `alpha = beta = 0.5`.

    Args:
        y_true: target masks with values in [0, 1], any shape, cast to the dtype of `y_pred`.
        y_pred: predicted masks, floating, same shape.
        alpha: weight of `surplus`, the false positives.
        beta: weight of `missed`, the false negatives.
        axis: axis or axes to sum over; None for all.

    Returns:
        Losses in [0, 1], of the shape of `y_pred` without `axis`; a scalar for `axis=None`.

    Raises:
        TypeError: for shapes that do not broadcast.

    Reference: [Salehi et al., 2017, Tversky Loss Function for Image Segmentation](https://arxiv.org/abs/1706.05721).

    Example:

    >>> tversky([[1.0, 1.0]], [[1.0, 0.0]], alpha=0.0, beta=1.0, axis=-1).tolist()
    [0.5]
    """
    y_true, y_pred = prepare(y_true, y_pred)
    overlap = jnp.sum(y_true * y_pred, axis=axis)
    missed = jnp.sum((1.0 - y_pred) * y_true, axis=axis)
    surplus = jnp.sum(y_pred * (1.0 - y_true), axis=axis)
    return 1.0 - overlap / (overlap + surplus * alpha + missed * beta + config.epsilon())


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
    """Circle loss for metric learning: pulls embeddings of a class together and pushes those of other classes away.

    `softplus(logsumexp(pull) + logsumexp(push))`, where `d` is the cosine distance to a reference: for the same class
    `pull = -gamma * max(margin + d, 0) * (margin - d)`, for other classes
    `push = gamma * max(1 + margin - d, 0) * (1 - margin - d)`. A pair has the more weight, the further it is from its
    optimum.

    Args:
        y_true: integer classes, shape `(batch,)` or `(batch, 1)`.
        y_pred: embeddings of unit length, floating, shape `(batch, size)`.
        ref_labels: classes of the references, shape `(references,)`; defaults to `y_true`.
        ref_embeddings: embeddings to compare with, shape `(references, size)`; defaults to `y_pred`.
        remove_diagonal: whether to leave out the pairs of an embedding and the reference at the same position.
        gamma: scale of the similarities.
        margin: relaxation of the optimum.

    Returns:
        Losses, shape `(batch,)`, in the dtype of `y_pred`. Losses of 0 are masked, so an average leaves them out.

    Raises:
        ValueError: for shapes that do not fit together.

    Reference: [Sun et al., 2020, Circle Loss](https://arxiv.org/abs/2002.10857).

    Example:

    >>> embeddings = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]
    >>> print(circle([0, 1, 1], embeddings, gamma=2.0).round(3))
    [0.         0.45200002 0.776     ]
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
