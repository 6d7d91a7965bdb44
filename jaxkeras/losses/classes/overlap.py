"""Losses for segmentation masks and for embeddings as classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxkeras.losses.classes.base import AVERAGE, BuiltIn
from jaxkeras.losses.overlap import circle, dice, tversky
from jaxkeras.registry import register


@register("keras.losses")
class Dice(BuiltIn):
    """Dice loss of segmentation masks.

    `1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred) + epsilon())`

    Args:
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        axis: axis or axes to sum over; None for all.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, masks with values in [0, 1], any shape.

    Output shape: a scalar, or with `reduction=None` the shape of `y_pred` without `axis`.

    Raises:
        ValueError: for an unknown reduction.

    Reference: [Milletari et al., 2016, V-Net](https://arxiv.org/abs/1606.04797).

    Example:

    >>> round(float(Dice()([[1.0, 1.0]], [[1.0, 0.0]])), 4)
    0.3333
    """

    def __init__(
        self,
        reduction: str | None = AVERAGE,
        name: str | None = "dice",
        axis: int | Sequence[int] | None = None,
        dtype: Any = None,
    ):
        super().__init__(dice, reduction, name, dtype, axis=axis)


@register("keras.losses")
class Tversky(BuiltIn):
    """Tversky loss of segmentation masks: Dice loss with separate weights for misses and false alarms.

    `1 - overlap / (overlap + alpha * surplus + beta * missed + epsilon())`; see `tversky`.

    Args:
        alpha: weight of what is in `y_pred` but not in `y_true`, the false positives.
        beta: weight of what is in `y_true` but not in `y_pred`, the false negatives.
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        axis: axis or axes to sum over; None for all.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, masks with values in [0, 1], any shape.

    Output shape: a scalar, or with `reduction=None` the shape of `y_pred` without `axis`.

    Raises:
        ValueError: for an unknown reduction.

    Reference: [Salehi et al., 2017, Tversky Loss Function for Image Segmentation](https://arxiv.org/abs/1706.05721).

    Example:

    >>> round(float(Tversky(alpha=0.0, beta=1.0)([[1.0, 1.0]], [[1.0, 0.0]])), 4)
    0.5
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = AVERAGE,
        name: str | None = "tversky",
        axis: int | Sequence[int] | None = None,
        dtype: Any = None,
    ):
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)


@register("keras.losses")
class Circle(BuiltIn):
    """Circle loss for metric learning, averaged over the samples whose loss is not 0.

    Pulls embeddings of a class together and pushes those of other classes away; see `circle` for the formula.

    Args:
        gamma: scale of the similarities.
        margin: relaxation of the optimum.
        remove_diagonal: whether to leave out the pair of each embedding with itself.
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, integer classes, `(batch,)` or `(batch, 1)`; `y_pred`, embeddings of unit length,
    `(batch, size)`.

    Output shape: a scalar, or `(batch,)` with `reduction=None`.

    Raises:
        ValueError: for an unknown reduction.

    Reference: [Sun et al., 2020, Circle Loss](https://arxiv.org/abs/2002.10857).

    Example:

    >>> round(float(Circle(gamma=2.0)([0, 1, 1], [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])), 4)
    0.6141
    """

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = AVERAGE,
        name: str | None = "circle",
        dtype: Any = None,
    ):
        super().__init__(circle, reduction, name, dtype, gamma=gamma, margin=margin, remove_diagonal=remove_diagonal)
