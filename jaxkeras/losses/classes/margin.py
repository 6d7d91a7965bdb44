"""Hinge losses as classes."""

from __future__ import annotations

from typing import Any

from jaxkeras.losses.classes.base import AVERAGE, BuiltIn
from jaxkeras.losses.margin import categorical_hinge, hinge, squared_hinge
from jaxkeras.registry import register


@register("keras.losses")
class Hinge(BuiltIn):
    """Hinge loss.

    `mean(max(1 - y_true * y_pred, 0))`

    Args:
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, -1 and 1 (or 0 and 1, which are converted), and `y_pred`, `(batch, ..., n)`.

    Output shape: a scalar, or `(batch, ...)` with `reduction=None`.

    Raises:
        ValueError: for an unknown reduction.

    Example:

    >>> float(Hinge()([[-1.0, 1.0]], [[0.5, 2.0]]))
    0.75
    """

    def __init__(self, reduction: str | None = AVERAGE, name: str | None = "hinge", dtype: Any = None):
        super().__init__(hinge, reduction, name, dtype)


@register("keras.losses")
class SquaredHinge(BuiltIn):
    """Squared hinge loss.

    `mean(max(1 - y_true * y_pred, 0)**2)`

    Args:
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, -1 and 1 (or 0 and 1, which are converted), and `y_pred`, `(batch, ..., n)`.

    Output shape: a scalar, or `(batch, ...)` with `reduction=None`.

    Raises:
        ValueError: for an unknown reduction.

    Example:

    >>> float(SquaredHinge()([[-1.0, 1.0]], [[0.5, 2.0]]))
    1.125
    """

    def __init__(self, reduction: str | None = AVERAGE, name: str | None = "squared_hinge", dtype: Any = None):
        super().__init__(squared_hinge, reduction, name, dtype)


@register("keras.losses")
class CategoricalHinge(BuiltIn):
    """Hinge loss over classes.

    `mean(max(neg - pos + 1, 0))` with `pos = sum(y_true * y_pred)` and `neg = max((1 - y_true) * y_pred)`.

    Args:
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, one-hot, and `y_pred`, `(batch, ..., classes)`.

    Output shape: a scalar, or `(batch, ...)` with `reduction=None`.

    Raises:
        ValueError: for an unknown reduction.

    Example:

    >>> float(CategoricalHinge()([[0.0, 1.0], [1.0, 0.0]], [[0.25, 0.75], [0.25, 0.75]]))
    1.0
    """

    def __init__(self, reduction: str | None = AVERAGE, name: str | None = "categorical_hinge", dtype: Any = None):
        super().__init__(categorical_hinge, reduction, name, dtype)
