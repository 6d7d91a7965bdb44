"""Losses for unaligned sequences as classes."""

from __future__ import annotations

from typing import Any

from jaxkeras.losses.alignment import ctc
from jaxkeras.losses.classes.base import AVERAGE, BuiltIn
from jaxkeras.registry import register


@register("keras.losses")
class CTC(BuiltIn):
    """Connectionist temporal classification loss.

    The mean of minus the log-probability of each label sequence, summed over its alignments with the predictions.

    Args:
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, integer labels with 0 as blank and padding, `(batch, max_labels)`; `y_pred`, logits,
    `(batch, time, classes)`.

    Output shape: a scalar, or `(batch,)` with `reduction=None`.

    Raises:
        ValueError: for an unknown reduction, or other ranks when called.

    Reference: Graves et al., 2006, [Connectionist Temporal Classification](https://doi.org/10.1145/1143844.1143891).

    Example:

    >>> round(float(CTC()([[1, 0]], jnp.zeros((1, 2, 3)))), 4)
    1.0986
    """

    def __init__(self, reduction: str | None = AVERAGE, name: str | None = "ctc", dtype: Any = None):
        super().__init__(ctc, reduction, name, dtype)
