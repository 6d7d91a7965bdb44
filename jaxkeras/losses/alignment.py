"""Connectionist temporal classification: sequences of labels without their alignment in time."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.losses.loss import loss_function
from jaxkeras.ops._nn.ctc import ctc_loss


@loss_function()
def ctc(y_true: Any, y_pred: Any) -> jax.Array:
    """Connectionist temporal classification loss.

    Minus the logarithm of the probability of a label sequence, summed over all its alignments with the predictions.

    Args:
        y_true: integer labels, shape `(batch, max_labels)`; class 0 is the blank and pads shorter sequences.
        y_pred: logits, floating, shape `(batch, time, classes)`.

    Returns:
        Losses, shape `(batch,)`, in the dtype of `y_pred`.

    Raises:
        ValueError: for other ranks.

    Reference: Graves et al., 2006, [Connectionist Temporal Classification](https://doi.org/10.1145/1143844.1143891),
    section 4.1.

    Example:

    >>> print(ctc([[1, 0]], jnp.zeros((1, 2, 3))).round(4))
    [1.0986]
    """
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    if y_true.ndim != 2:
        raise ValueError(f"CTC needs targets `y_true` of shape (batch, max_labels); got {y_true.shape}.")
    if y_pred.ndim != 3:
        raise ValueError(f"CTC needs logits `y_pred` of shape (batch, time, classes); got {y_pred.shape}.")
    return _compiled(y_true.astype(jnp.int32), y_pred)


@jax.jit  # so that an eager call does not compile the loop over time again
def _compiled(labels: jax.Array, logits: jax.Array) -> jax.Array:
    times = jnp.full(logits.shape[:1], logits.shape[1], jnp.int32)
    return ctc_loss(labels, logits, jnp.sum(labels != 0, axis=-1, dtype=jnp.int32), times, mask_index=0)
