"""A function as a `Loss`, and the base class of the built-in ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import jax

from jaxkeras.losses.loss import Loss, squeeze_or_expand_to_same_rank
from jaxkeras.registry import deserialize, register, serialize, serialize_dict

AVERAGE = "sum_over_batch_size"


def settings_config(settings: Mapping[str, Any], left_out: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a wrapped function as a config, without those that have their value in `left_out`.

    Keras's configs lose some settings, such as `delta` of `Huber`. They are written here when they are not the default,
    so that default configs equal Keras's, and Keras can read the others.
    """
    return {key: value for key, value in settings.items() if key not in left_out or value != left_out[key]}


def _structure(tree: Any) -> Any:
    return jax.tree.map(lambda x: tuple(x.shape), tree)


@register("keras.losses", module="keras.src.losses.losses")
class LossFunctionWrapper(Loss):
    """A function `fn(y_true, y_pred, **kwargs)` as a `Loss`.

    Ranks that differ by a last axis of size 1 are made equal before the call.

    Args:
        fn: returns losses that are not yet reduced, shape `(batch, ...)`.
        reduction: how losses are combined; see `Loss`.
        name: name of the loss in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.
        **kwargs: passed on to `fn`.

    Input shape: what `fn` takes; nested structures must be the same for `y_true` and `y_pred`.

    Output shape: a scalar, or `(batch, ...)` with `reduction=None`.

    Raises:
        ValueError: for an unknown reduction, or different structures when called.

    Example:

    >>> from jaxkeras.losses import mean_squared_error
    >>> loss = LossFunctionWrapper(mean_squared_error, name="mse")
    >>> float(loss([[0.0, 1.0]], [[1.0, 1.0]]))
    0.5
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = AVERAGE,
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
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**(deserialize(config) if "fn" in config else config))

    def __repr__(self) -> str:
        return f"<LossFunctionWrapper({self.fn}, kwargs={self._fn_kwargs})>"


class BuiltIn(LossFunctionWrapper):
    """A built-in loss: the settings of its function are attributes and make up the config."""

    _left_out: Mapping[str, Any] = {}

    def __init__(self, fn: Callable[..., Any], reduction: str | None, name: str | None, dtype: Any, **settings: Any):
        super().__init__(fn, reduction, name, dtype, **settings)
        vars(self).update(settings)

    def get_config(self) -> dict[str, Any]:
        return {**Loss.get_config(self), **settings_config(self._fn_kwargs, self._left_out)}
