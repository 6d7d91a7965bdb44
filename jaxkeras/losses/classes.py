"""The built-in losses as classes: one row each, a function and its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax

from jaxkeras.losses.alignment import ctc
from jaxkeras.losses.crossentropy import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from jaxkeras.losses.loss import Loss, squeeze_or_expand_to_same_rank
from jaxkeras.losses.margin import categorical_hinge, hinge, squared_hinge
from jaxkeras.losses.overlap import circle, dice, tversky
from jaxkeras.losses.regression import (
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from jaxkeras.registry import deserialize, register, serialize, serialize_dict

_AVERAGE = "sum_over_batch_size"


def settings_config(settings: Mapping[str, Any], left_out: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a wrapped function as a config, without those of `left_out` that have the value given there.

    Keras's configs have no room for some settings (`Huber`'s `delta`, for one) and so forget them; we write them when
    they are not the default. Keras reads such a config, and the default one is equal to its own.
    """
    return {key: value for key, value in settings.items() if key not in left_out or value != left_out[key]}


def _structure(tree: Any) -> Any:
    return jax.tree.map(lambda x: tuple(x.shape), tree)


@register("keras.losses", module="keras.src.losses.losses")
class LossFunctionWrapper(Loss):
    """A function `fn(y_true, y_pred, **kwargs)` as a `Loss`.

    Args:
        fn: returns losses that are not yet reduced.
        reduction, name, dtype: see `Loss`.
        **kwargs: passed on to `fn`.

    Example:

    >>> loss = LossFunctionWrapper(mean_squared_error, name="mse")
    >>> float(loss([[0.0, 1.0]], [[1.0, 1.0]]))
    0.5
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = _AVERAGE,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn = fn
        self._fn_kwargs = kwargs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """`fn` of the arguments, after ranks that differ by a last axis of size 1 are made equal."""
        true_leaves, true_tree = jax.tree.flatten(y_true)
        pred_leaves, pred_tree = jax.tree.flatten(y_pred)
        if true_tree != pred_tree:
            raise ValueError(
                f"Loss '{self.name}' needs `y_true` and `y_pred` of the same structure; got shapes "
                f"{_structure(y_true)} and {_structure(y_pred)}."
            )
        pairs = [squeeze_or_expand_to_same_rank(t, p) for t, p in zip(true_leaves, pred_leaves)]
        y_true = jax.tree.unflatten(true_tree, [t for t, _ in pairs])
        y_pred = jax.tree.unflatten(pred_tree, [p for _, p in pairs])
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "fn": serialize(self.fn), **serialize_dict(self._fn_kwargs)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        return cls(**(deserialize(config) if "fn" in config else config))

    def __repr__(self) -> str:
        return f"<LossFunctionWrapper({self.fn}, kwargs={self._fn_kwargs})>"


class _BuiltIn(LossFunctionWrapper):
    """A row: the settings of the function are attributes, and the config."""

    _left_out: Mapping[str, Any] = {}

    def __init__(self, fn: Callable[..., Any], reduction: str | None, name: str | None, dtype: Any, **settings: Any):
        super().__init__(fn, reduction, name, dtype, **settings)
        vars(self).update(settings)

    def get_config(self) -> dict[str, Any]:
        return {**Loss.get_config(self), **settings_config(self._fn_kwargs, self._left_out)}


@register("keras.losses")
class MeanSquaredError(_BuiltIn):
    """The average of `mean_squared_error`. For the arguments see `Loss`.

    Example:

    >>> float(MeanSquaredError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]]))
    0.5
    """

    def __init__(self, reduction: str | None = _AVERAGE, name: str | None = "mean_squared_error", dtype: Any = None):
        super().__init__(mean_squared_error, reduction, name, dtype)


@register("keras.losses")
class MeanAbsoluteError(_BuiltIn):
    """The average of `mean_absolute_error`. For the arguments see `Loss`."""

    def __init__(self, reduction: str | None = _AVERAGE, name: str | None = "mean_absolute_error", dtype: Any = None):
        super().__init__(mean_absolute_error, reduction, name, dtype)


@register("keras.losses")
class MeanAbsolutePercentageError(_BuiltIn):
    """The average of `mean_absolute_percentage_error`. For the arguments see `Loss`."""

    def __init__(
        self, reduction: str | None = _AVERAGE, name: str | None = "mean_absolute_percentage_error", dtype: Any = None
    ):
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


@register("keras.losses")
class MeanSquaredLogarithmicError(_BuiltIn):
    """The average of `mean_squared_logarithmic_error`. For the arguments see `Loss`."""

    def __init__(
        self, reduction: str | None = _AVERAGE, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None
    ):
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


@register("keras.losses")
class CosineSimilarity(_BuiltIn):
    """The average of `cosine_similarity`, which is -1 for vectors of the same direction.

    Args:
        axis: the axis that holds the vectors.
        reduction, name, dtype: see `Loss`.
    """

    _left_out = {"axis": -1}

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = _AVERAGE,
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ):
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)


@register("keras.losses")
class Huber(_BuiltIn):
    """The average of `huber`.

    Args:
        delta: the error from which on the loss is linear.
        reduction, name, dtype: see `Loss`.
    """

    _left_out = {"delta": 1.0}

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = _AVERAGE,
        name: str | None = "huber_loss",
        dtype: Any = None,
    ):
        super().__init__(huber, reduction, name, dtype, delta=delta)


@register("keras.losses")
class LogCosh(_BuiltIn):
    """The average of `log_cosh`. For the arguments see `Loss`."""

    def __init__(self, reduction: str | None = _AVERAGE, name: str | None = "log_cosh", dtype: Any = None):
        super().__init__(log_cosh, reduction, name, dtype)


@register("keras.losses")
class Hinge(_BuiltIn):
    """The average of `hinge`. For the arguments see `Loss`."""

    def __init__(self, reduction: str | None = _AVERAGE, name: str | None = "hinge", dtype: Any = None):
        super().__init__(hinge, reduction, name, dtype)


@register("keras.losses")
class SquaredHinge(_BuiltIn):
    """The average of `squared_hinge`. For the arguments see `Loss`."""

    def __init__(self, reduction: str | None = _AVERAGE, name: str | None = "squared_hinge", dtype: Any = None):
        super().__init__(squared_hinge, reduction, name, dtype)


@register("keras.losses")
class CategoricalHinge(_BuiltIn):
    """The average of `categorical_hinge`. For the arguments see `Loss`."""

    def __init__(self, reduction: str | None = _AVERAGE, name: str | None = "categorical_hinge", dtype: Any = None):
        super().__init__(categorical_hinge, reduction, name, dtype)


@register("keras.losses")
class KLDivergence(_BuiltIn):
    """The average of `kl_divergence`. For the arguments see `Loss`."""

    def __init__(self, reduction: str | None = _AVERAGE, name: str | None = "kl_divergence", dtype: Any = None):
        super().__init__(kl_divergence, reduction, name, dtype)


@register("keras.losses")
class Poisson(_BuiltIn):
    """The average of `poisson`. For the arguments see `Loss`."""

    def __init__(self, reduction: str | None = _AVERAGE, name: str | None = "poisson", dtype: Any = None):
        super().__init__(poisson, reduction, name, dtype)


@register("keras.losses")
class BinaryCrossentropy(_BuiltIn):
    """The average of `binary_crossentropy`.

    Args:
        from_logits, label_smoothing, axis: see `binary_crossentropy`.
        reduction, name, dtype: see `Loss`.

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
        reduction: str | None = _AVERAGE,
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
class BinaryFocalCrossentropy(_BuiltIn):
    """The average of `binary_focal_crossentropy`.

    Args:
        apply_class_balancing, alpha, gamma, from_logits, label_smoothing, axis: see `binary_focal_crossentropy`.
        reduction, name, dtype: see `Loss`.
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _AVERAGE,
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
class CategoricalCrossentropy(_BuiltIn):
    """The average of `categorical_crossentropy`, for one-hot targets.

    Args:
        from_logits, label_smoothing, axis: see `categorical_crossentropy`.
        reduction, name, dtype: see `Loss`.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _AVERAGE,
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
class CategoricalFocalCrossentropy(_BuiltIn):
    """The average of `categorical_focal_crossentropy`.

    Args:
        alpha, gamma, from_logits, label_smoothing, axis: see `categorical_focal_crossentropy`.
        reduction, name, dtype: see `Loss`.
    """

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _AVERAGE,
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
class SparseCategoricalCrossentropy(_BuiltIn):
    """The average of `sparse_categorical_crossentropy`, for targets that are class numbers.

    Args:
        from_logits, ignore_class, axis: see `sparse_categorical_crossentropy`.
        reduction, name, dtype: see `Loss`.

    Example:

    >>> round(float(SparseCategoricalCrossentropy()([1, 0], [[0.1, 0.9], [0.9, 0.1]])), 4)
    0.1054
    """

    _left_out = {"axis": -1}

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = _AVERAGE,
        axis: int = -1,
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
        )


@register("keras.losses")
class CategoricalGeneralizedCrossEntropy(_BuiltIn):
    """The average of `categorical_generalized_cross_entropy`.

    Args:
        q: strictly between 0 and 1.
        reduction, name, dtype: see `Loss`.

    Raises:
        ValueError: for another `q`.
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = _AVERAGE,
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ):
        if not 0 < q < 1:
            raise ValueError(f"`q` must lie strictly between 0 and 1; got {q}.")
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)


@register("keras.losses")
class CTC(_BuiltIn):
    """The average of `ctc`. For the arguments see `Loss`."""

    def __init__(self, reduction: str | None = _AVERAGE, name: str | None = "ctc", dtype: Any = None):
        super().__init__(ctc, reduction, name, dtype)


@register("keras.losses")
class Dice(_BuiltIn):
    """The average of `dice`.

    Args:
        axis: the axes summed over; None for all.
        reduction, name, dtype: see `Loss`.
    """

    def __init__(
        self, reduction: str | None = _AVERAGE, name: str | None = "dice", axis: Any = None, dtype: Any = None
    ):
        super().__init__(dice, reduction, name, dtype, axis=axis)


@register("keras.losses")
class Tversky(_BuiltIn):
    """The average of `tversky`.

    Args:
        alpha, beta, axis: see `tversky`.
        reduction, name, dtype: see `Loss`.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = _AVERAGE,
        name: str | None = "tversky",
        axis: Any = None,
        dtype: Any = None,
    ):
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)


@register("keras.losses")
class Circle(_BuiltIn):
    """The average of `circle` over the examples whose loss is not 0.

    Args:
        gamma, margin, remove_diagonal: see `circle`.
        reduction, name, dtype: see `Loss`.
    """

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = _AVERAGE,
        name: str | None = "circle",
        dtype: Any = None,
    ):
        super().__init__(circle, reduction, name, dtype, gamma=gamma, margin=margin, remove_diagonal=remove_diagonal)
