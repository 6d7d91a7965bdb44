"""Regression losses as classes."""

from __future__ import annotations

from typing import Any

from jaxkeras.losses.classes.base import AVERAGE, BuiltIn
from jaxkeras.losses.regression import (
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from jaxkeras.registry import register


@register("keras.losses")
class MeanSquaredError(BuiltIn):
    """Mean squared error.

    `mean((y_true - y_pred)**2)`

    Args:
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, `(batch, ..., n)`.

    Output shape: a scalar, or `(batch, ...)` with `reduction=None`.

    Raises:
        ValueError: for an unknown reduction.

    Example:

    >>> float(MeanSquaredError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]]))
    0.5
    """

    def __init__(self, reduction: str | None = AVERAGE, name: str | None = "mean_squared_error", dtype: Any = None):
        super().__init__(mean_squared_error, reduction, name, dtype)


@register("keras.losses")
class MeanAbsoluteError(BuiltIn):
    """Mean absolute error.

    `mean(abs(y_true - y_pred))`

    Args:
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, `(batch, ..., n)`.

    Output shape: a scalar, or `(batch, ...)` with `reduction=None`.

    Raises:
        ValueError: for an unknown reduction.

    Example:

    >>> float(MeanAbsoluteError()([[0.0, 4.0]], [[1.0, 2.0]]))
    1.5
    """

    def __init__(self, reduction: str | None = AVERAGE, name: str | None = "mean_absolute_error", dtype: Any = None):
        super().__init__(mean_absolute_error, reduction, name, dtype)


@register("keras.losses")
class MeanAbsolutePercentageError(BuiltIn):
    """Mean absolute percentage error, in percent.

    `100 * mean(abs((y_true - y_pred) / max(abs(y_true), epsilon())))`

    Args:
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, `(batch, ..., n)`.

    Output shape: a scalar, or `(batch, ...)` with `reduction=None`.

    Raises:
        ValueError: for an unknown reduction.

    Example:

    >>> float(MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 4.0]]))
    25.0
    """

    def __init__(
        self, reduction: str | None = AVERAGE, name: str | None = "mean_absolute_percentage_error", dtype: Any = None
    ):
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


@register("keras.losses")
class MeanSquaredLogarithmicError(BuiltIn):
    """Mean squared logarithmic error.

    `mean((log(1 + y_true) - log(1 + y_pred))**2)`, values below `epsilon()` being replaced by it.

    Args:
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, `(batch, ..., n)`.

    Output shape: a scalar, or `(batch, ...)` with `reduction=None`.

    Raises:
        ValueError: for an unknown reduction.

    Example:

    >>> round(float(MeanSquaredLogarithmicError()([[0.0, 1.0]], [[1.0, 1.0]])), 4)
    0.2402
    """

    def __init__(
        self, reduction: str | None = AVERAGE, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None
    ):
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


@register("keras.losses")
class CosineSimilarity(BuiltIn):
    """Negative cosine similarity: -1 for vectors of the same direction, 1 for opposite ones.

    `mean(-sum(y_true / norm(y_true) * y_pred / norm(y_pred), axis))`

    Args:
        axis: axis of the vectors.
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, `(batch, ..., n)`.

    Output shape: a scalar, or with `reduction=None` the shape of `y_pred` without `axis`.

    Raises:
        ValueError: for an unknown reduction.

    Example:

    >>> float(CosineSimilarity()([[0.0, 1.0], [1.0, 0.0]], [[0.0, 2.0], [0.0, 3.0]]))
    -0.5
    """

    _left_out = {"axis": -1}

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = AVERAGE,
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ):
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)


@register("keras.losses")
class Huber(BuiltIn):
    """Huber loss: quadratic for errors up to `delta`, linear beyond.

    With `e = y_pred - y_true`: `mean(e**2 / 2 if abs(e) <= delta else delta * abs(e) - delta**2 / 2)`.

    Args:
        delta: absolute error at which the loss becomes linear.
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, `(batch, ..., n)`.

    Output shape: a scalar, or `(batch, ...)` with `reduction=None`.

    Raises:
        ValueError: for an unknown reduction, or a `delta` that is not positive.

    Reference: Huber, 1964, [Robust Estimation of a Location Parameter](https://doi.org/10.1214/aoms/1177703732).

    Example:

    >>> float(Huber(delta=1.0)([[0.0, 0.0]], [[1.0, 3.0]]))
    1.5
    """

    _left_out = {"delta": 1.0}

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = AVERAGE,
        name: str | None = "huber_loss",
        dtype: Any = None,
    ):
        if not delta > 0:
            raise ValueError(f"`delta` must be positive; got {delta!r}.")
        super().__init__(huber, reduction, name, dtype, delta=delta)


@register("keras.losses")
class LogCosh(BuiltIn):
    """Logarithm of the hyperbolic cosine of the error.

    `mean(log(cosh(y_pred - y_true)))`: about `e**2 / 2` for small errors `e`, `abs(e) - log(2)` for large ones.

    Args:
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, `(batch, ..., n)`.

    Output shape: a scalar, or `(batch, ...)` with `reduction=None`.

    Raises:
        ValueError: for an unknown reduction.

    Example:

    >>> round(float(LogCosh()([[0.0, 0.0]], [[1.0, 100.0]])), 4)
    49.8703
    """

    def __init__(self, reduction: str | None = AVERAGE, name: str | None = "log_cosh", dtype: Any = None):
        super().__init__(log_cosh, reduction, name, dtype)
