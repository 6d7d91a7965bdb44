"""Losses averaged over everything seen: one row each."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.losses.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from jaxkeras.losses.loss import squeeze_or_expand_to_same_rank
from jaxkeras.losses.margin import categorical_hinge, hinge, squared_hinge
from jaxkeras.losses.regression import (
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    normalized_dot,
)
from jaxkeras.metrics.reduction import FunctionMetric, Mean
from jaxkeras.registry import register


class _Down(FunctionMetric):
    _direction = "down"


@register("keras.metrics", "mse", "MSE")
class MeanSquaredError(_Down):
    """The average of `mean_squared_error`. For the arguments see `Metric`.

    Example:

    >>> float(MeanSquaredError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]]))
    0.25
    """

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None):
        super().__init__(mean_squared_error, name, dtype)


@register("keras.metrics", "mae", "MAE")
class MeanAbsoluteError(_Down):
    """The average of `mean_absolute_error`. For the arguments see `Metric`."""

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None):
        super().__init__(mean_absolute_error, name, dtype)


@register("keras.metrics", "mape", "MAPE")
class MeanAbsolutePercentageError(_Down):
    """The average of `mean_absolute_percentage_error`. For the arguments see `Metric`."""

    def __init__(self, name: str | None = "mean_absolute_percentage_error", dtype: Any = None):
        super().__init__(mean_absolute_percentage_error, name, dtype)


@register("keras.metrics", "msle", "MSLE")
class MeanSquaredLogarithmicError(_Down):
    """The average of `mean_squared_logarithmic_error`. For the arguments see `Metric`."""

    def __init__(self, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None):
        super().__init__(mean_squared_logarithmic_error, name, dtype)


@register("keras.metrics")
class RootMeanSquaredError(Mean):
    """The square root of the average squared error over everything seen.

    Args:
        name, dtype: see `Metric`.

    Example:

    >>> float(RootMeanSquaredError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]]))
    0.5
    """

    _direction = "down"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None):
        super().__init__(name, dtype=dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch of targets and predictions of the same shape, `(batch, ...)`."""
        y_true, y_pred = squeeze_or_expand_to_same_rank(
            jnp.asarray(y_true, self.dtype), jnp.asarray(y_pred, self.dtype)
        )
        super().update_state(jnp.square(y_pred - y_true), sample_weight)

    def result(self) -> jax.Array:
        return jnp.sqrt(super().result())


@register("keras.metrics")
class CosineSimilarity(FunctionMetric):
    """The average cosine of the angle between targets and predictions; 1 for the same direction.

    Args:
        name, dtype: see `Metric`.
        axis: the axis that holds the vectors.
    """

    _direction = "up"
    _left_out = {"axis": -1}

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1):
        super().__init__(normalized_dot, name, dtype, axis=axis)


@register("keras.metrics")
class LogCoshError(_Down):
    """The average of `log_cosh`. For the arguments see `Metric`."""

    def __init__(self, name: str | None = "logcosh", dtype: Any = None):
        super().__init__(log_cosh, name, dtype)


@register("keras.metrics")
class Hinge(_Down):
    """The average of `hinge`. For the arguments see `Metric`."""

    def __init__(self, name: str | None = "hinge", dtype: Any = None):
        super().__init__(hinge, name, dtype)


@register("keras.metrics")
class SquaredHinge(_Down):
    """The average of `squared_hinge`. For the arguments see `Metric`."""

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None):
        super().__init__(squared_hinge, name, dtype)


@register("keras.metrics")
class CategoricalHinge(_Down):
    """The average of `categorical_hinge`. For the arguments see `Metric`."""

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None):
        super().__init__(categorical_hinge, name, dtype)


@register("keras.metrics")
class KLDivergence(_Down):
    """The average of `kl_divergence`. For the arguments see `Metric`."""

    def __init__(self, name: str | None = "kl_divergence", dtype: Any = None):
        super().__init__(kl_divergence, name, dtype)


@register("keras.metrics")
class Poisson(_Down):
    """The average of `poisson`. For the arguments see `Metric`."""

    def __init__(self, name: str | None = "poisson", dtype: Any = None):
        super().__init__(poisson, name, dtype)


@register("keras.metrics", "bce", "BCE")
class BinaryCrossentropy(_Down):
    """The average of `binary_crossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits, label_smoothing: see `losses.binary_crossentropy`.
    """

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ):
        super().__init__(binary_crossentropy, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing)


@register("keras.metrics")
class CategoricalCrossentropy(_Down):
    """The average of `categorical_crossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits, label_smoothing, axis: see `losses.categorical_crossentropy`.
    """

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ):
        super().__init__(
            categorical_crossentropy, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis
        )


@register("keras.metrics")
class SparseCategoricalCrossentropy(_Down):
    """The average of `sparse_categorical_crossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits, ignore_class, axis: see `losses.sparse_categorical_crossentropy`.
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ):
        super().__init__(
            sparse_categorical_crossentropy, name, dtype, from_logits=from_logits, ignore_class=ignore_class, axis=axis
        )
