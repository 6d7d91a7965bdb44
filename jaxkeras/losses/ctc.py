"""Connectionist temporal classification: sequences of labels without their alignment in time."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.losses.loss import loss_function

# Stands for log 0; finite, so that an impossible alignment gives a large loss and gradients without NaN.
_LOG_ZERO = -1e5
_BLANK = 0


def _shifted(log_alpha: jax.Array, by: int) -> jax.Array:
    return jnp.pad(log_alpha[:, :-by], ((0, 0), (by, 0)), constant_values=_LOG_ZERO)


@loss_function()
def ctc(y_true: Any, y_pred: Any) -> jax.Array:
    """Minus the log-probability of a label sequence, summed over all its alignments with the predictions.

    Args:
        y_true: labels, shape `(batch, max_labels)`; class 0 is the blank and pads shorter sequences.
        y_pred: logits, shape `(batch, time, classes)`.

    Returns:
        Losses, shape `(batch,)`.

    Raises:
        ValueError: for other ranks.

    Reference: Graves et al., 2006, Connectionist Temporal Classification, section 4.1 (the forward variables).
    """
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    if y_true.ndim != 2:
        raise ValueError(f"CTC needs targets `y_true` of shape (batch, max_labels); got {y_true.shape}.")
    if y_pred.ndim != 3:
        raise ValueError(f"CTC needs logits `y_pred` of shape (batch, time, classes); got {y_pred.shape}.")
    return _forward(y_true.astype(jnp.int32), y_pred.astype(jnp.promote_types(y_pred.dtype, jnp.float32)))


@jax.jit
def _forward(labels: jax.Array, logits: jax.Array) -> jax.Array:
    batch, length = labels.shape
    label_count = jnp.sum(labels != _BLANK, axis=-1)
    log_probs = jax.nn.log_softmax(logits, axis=-1)

    # States: blank, label 1, blank, label 2, ..., blank. A label may be entered from the one before it, skipping the
    # blank between, only if the two differ.
    states = jnp.full((batch, 2 * length + 1), _BLANK, jnp.int32).at[:, 1::2].set(labels)
    may_skip = (states != _BLANK) & (states != jnp.pad(states[:, :-2], ((0, 0), (2, 0))))
    emissions = jnp.take_along_axis(log_probs, states[:, None, :], axis=2)

    def advance(log_alpha: jax.Array, emission: jax.Array) -> tuple[jax.Array, None]:
        skip = jnp.where(may_skip, _shifted(log_alpha, 2), _LOG_ZERO)
        reached = jnp.logaddexp(jnp.logaddexp(log_alpha, _shifted(log_alpha, 1)), skip)
        return reached + emission, None

    # Before the first step all probability lies on a virtual blank in front of the first label.
    start = jnp.where(jnp.arange(2 * length + 1) == 0, 0.0, _LOG_ZERO).astype(log_probs.dtype)
    start = jnp.broadcast_to(start, (batch, 2 * length + 1))
    log_alpha, _ = jax.lax.scan(advance, start, jnp.moveaxis(emissions, 1, 0))

    last_blank = 2 * label_count[:, None]
    end_blank = jnp.take_along_axis(log_alpha, last_blank, axis=1)
    end_label = jnp.take_along_axis(log_alpha, jnp.maximum(last_blank - 1, 0), axis=1)
    end_label = jnp.where(label_count[:, None] > 0, end_label, _LOG_ZERO)
    return -jnp.logaddexp(end_blank, end_label)[:, 0]
