"""Cross-entropies and other losses between distributions as classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxkeras.losses.classes.base import AVERAGE, BuiltIn
from jaxkeras.losses.crossentropy import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
    sparse_categorical_focal_crossentropy,
)
from jaxkeras.registry import register


@register("keras.losses")
class KLDivergence(BuiltIn):
    """Kullback-Leibler divergence.

    `mean(sum(y_true * log(y_true / y_pred)))`, both clipped to `[epsilon(), 1]`.

    Args:
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, distributions, `(batch, ..., n)`.

    Output shape: a scalar, or `(batch, ...)` with `reduction=None`.

    Raises:
        ValueError: for an unknown reduction.

    Reference: Kullback and Leibler, 1951, [On Information and Sufficiency](https://doi.org/10.1214/aoms/1177729694).

    Example:

    >>> round(float(KLDivergence()([[0.5, 0.5]], [[0.75, 0.25]])), 4)
    0.1438
    """

    def __init__(self, reduction: str | None = AVERAGE, name: str | None = "kl_divergence", dtype: Any = None):
        super().__init__(kl_divergence, reduction, name, dtype)


@register("keras.losses")
class Poisson(BuiltIn):
    """Negative log-likelihood of Poisson counts, without the term `log(y_true!)`.

    `mean(y_pred - y_true * log(y_pred + epsilon()))`

    Args:
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, counts, and `y_pred`, positive rates, `(batch, ..., n)`.

    Output shape: a scalar, or `(batch, ...)` with `reduction=None`.

    Raises:
        ValueError: for an unknown reduction.

    Example:

    >>> round(float(Poisson()([[2.0, 0.0]], [[1.0, 1.0]])), 4)
    1.0
    """

    def __init__(self, reduction: str | None = AVERAGE, name: str | None = "poisson", dtype: Any = None):
        super().__init__(poisson, reduction, name, dtype)


@register("keras.losses")
class BinaryCrossentropy(BuiltIn):
    """Binary cross-entropy.

    `mean(-y_true * log(y_pred) - (1 - y_true) * log(1 - y_pred))`

    Args:
        from_logits: whether `y_pred` holds logits rather than probabilities.
        label_smoothing: `s` in [0, 1]; targets become `y_true * (1 - s) + s / 2`.
        axis: axis averaged over first.
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` in [0, 1] and `y_pred`, `(batch, ..., n)`.

    Output shape: a scalar, or with `reduction=None` the shape of `y_pred` without `axis`.

    Raises:
        ValueError: for an unknown reduction, or a `label_smoothing` out of range or shapes that differ, when called.

    Example:

    >>> loss = BinaryCrossentropy(from_logits=True)
    >>> round(float(loss([[0.0], [1.0]], [[0.0], [0.0]])), 4)
    0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = AVERAGE,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            binary_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@register("keras.losses")
class BinaryFocalCrossentropy(BuiltIn):
    """Binary focal cross-entropy, which discounts easy examples.

    Binary cross-entropy times `(1 - p)**gamma`, where `p` is the probability of the right class.

    Args:
        apply_class_balancing: whether to weight class 1 by `alpha` and class 0 by `1 - alpha`.
        alpha: weight of class 1.
        gamma: how strongly easy examples are discounted; 0 for not at all.
        from_logits: whether `y_pred` holds logits rather than probabilities.
        label_smoothing: `s` in [0, 1]; targets become `y_true * (1 - s) + s / 2`.
        axis: axis averaged over first.
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` in [0, 1] and `y_pred`, `(batch, ..., n)`.

    Output shape: a scalar, or with `reduction=None` the shape of `y_pred` without `axis`.

    Raises:
        ValueError: for an unknown reduction, or a `label_smoothing` out of range or shapes that differ, when called.

    Reference: [Lin et al., 2017, Focal Loss for Dense Object Detection](https://arxiv.org/abs/1708.02002).

    Example:

    >>> round(float(BinaryFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
    0.1733
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = AVERAGE,
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            binary_focal_crossentropy,
            reduction,
            name,
            dtype,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@register("keras.losses")
class CategoricalCrossentropy(BuiltIn):
    """Cross-entropy for target distributions, such as one-hot.

    `mean(-sum(y_true * log(y_pred), axis))`

    Args:
        from_logits: whether `y_pred` holds logits rather than probabilities.
        label_smoothing: `s` in [0, 1]; targets become `y_true * (1 - s) + s / classes`.
        axis: axis of the classes.
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, `(batch, ..., classes)`.

    Output shape: a scalar, or with `reduction=None` the shape of `y_pred` without `axis`.

    Raises:
        ValueError: for an unknown reduction, or a `label_smoothing` out of range or shapes that differ, when called.

    Example:

    >>> round(float(CategoricalCrossentropy()([[0, 1, 0]], [[0.05, 0.9, 0.05]])), 4)
    0.1054
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = AVERAGE,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@register("keras.losses")
class CategoricalFocalCrossentropy(BuiltIn):
    """Focal cross-entropy for target distributions, such as one-hot.

    `mean(-sum(alpha * (1 - y_pred)**gamma * y_true * log(y_pred), axis))`

    Args:
        alpha: a weight, or one for each class.
        gamma: how strongly easy examples are discounted; 0 for not at all.
        from_logits: whether `y_pred` holds logits rather than probabilities.
        label_smoothing: `s` in [0, 1]; targets become `y_true * (1 - s) + s / classes`.
        axis: axis of the classes.
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true` and `y_pred`, `(batch, ..., classes)`.

    Output shape: a scalar, or with `reduction=None` the shape of `y_pred` without `axis`.

    Raises:
        ValueError: for an unknown reduction, or a `label_smoothing` out of range, when called.

    Reference: [Lin et al., 2017, Focal Loss for Dense Object Detection](https://arxiv.org/abs/1708.02002).

    Example:

    >>> round(float(CategoricalFocalCrossentropy(alpha=1.0)([[0.0, 1.0]], [[0.5, 0.5]])), 4)
    0.1733
    """

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = AVERAGE,
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            categorical_focal_crossentropy,
            reduction,
            name,
            dtype,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@register("keras.losses")
class SparseCategoricalCrossentropy(BuiltIn):
    """Cross-entropy for integer targets.

    `mean(-log(y_pred[y_true]))`

    Args:
        from_logits: whether `y_pred` holds logits rather than probabilities.
        ignore_class: a class whose positions are left out of the average; None for none.
        axis: axis of the classes.
        label_smoothing: in [0, 1]; as in `CategoricalCrossentropy` with one-hot targets.
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, integer classes, `(batch, ...)` or `(batch, ..., 1)`; `y_pred`, `(batch, ..., classes)`.

    Output shape: a scalar, or with `reduction=None` the shape of `y_pred` without `axis`.

    Raises:
        ValueError: for an unknown reduction, or a `label_smoothing` out of range or shapes that do not
            fit together, when called.

    Example:

    >>> round(float(SparseCategoricalCrossentropy()([1, 0], [[0.1, 0.9], [0.9, 0.1]])), 4)
    0.1054
    """

    _left_out = {"axis": -1, "label_smoothing": 0.0}

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = AVERAGE,
        axis: int = -1,
        label_smoothing: float = 0.0,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            sparse_categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
            label_smoothing=label_smoothing,
        )


@register("keras.losses")
class SparseCategoricalFocalCrossentropy(BuiltIn):
    """Focal cross-entropy for integer targets.

    `mean(-alpha * (1 - p)**gamma * log(p))` with `p = y_pred[y_true]`.

    Args:
        alpha: a weight, or one for each class.
        gamma: how strongly easy examples are discounted; 0 for not at all.
        from_logits: whether `y_pred` holds logits rather than probabilities.
        ignore_class: a class whose positions are left out of the average; None for none.
        axis: axis of the classes.
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, integer classes, `(batch, ...)` or `(batch, ..., 1)`; `y_pred`, `(batch, ..., classes)`.

    Output shape: a scalar, or with `reduction=None` the shape of `y_pred` without `axis`.

    Raises:
        ValueError: for an unknown reduction, or shapes that do not fit together when called.

    Reference: [Lin et al., 2017, Focal Loss for Dense Object Detection](https://arxiv.org/abs/1708.02002).

    Example:

    >>> round(float(SparseCategoricalFocalCrossentropy(alpha=1.0)([1], [[0.5, 0.5]])), 4)
    0.1733
    """

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
        reduction: str | None = AVERAGE,
        name: str | None = "sparse_categorical_focal_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            sparse_categorical_focal_crossentropy,
            reduction,
            name,
            dtype,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )


@register("keras.losses")
class CategoricalGeneralizedCrossEntropy(BuiltIn):
    """Generalized cross-entropy for integer targets; robust to wrong labels.

    `mean((1 - p**q) / q)` with `p = y_pred[y_true]`.

    Args:
        q: in (0, 1); the loss approaches cross-entropy for 0 and the mean absolute error for 1.
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: `y_true`, integer classes, `(batch, ...)`; `y_pred`, probabilities, `(batch, ..., classes)`.

    Output shape: a scalar, or `(batch, ...)` with `reduction=None`.

    Raises:
        ValueError: for an unknown reduction or a `q` out of range.

    Reference: [Zhang and Sabuncu, 2018, Generalized Cross Entropy Loss](https://arxiv.org/abs/1805.07836).

    Example:

    >>> float(CategoricalGeneralizedCrossEntropy(q=0.5)([1], [[0.75, 0.25]]))
    1.0
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = AVERAGE,
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ):
        if not 0 < q < 1:
            raise ValueError(f"`q` must lie strictly between 0 and 1; got {q}.")
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)
