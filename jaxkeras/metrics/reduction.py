"""Sums and averages over everything seen, and the wrapper that averages a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, Self, TypeVar

import jax
import jax.numpy as jnp

from jaxkeras.core.masks import get_mask
from jaxkeras.core.symbolic import op
from jaxkeras.losses.classes.base import settings_config
from jaxkeras.losses.loss import Loss, apply_mask, squeeze_or_expand_to_same_rank
from jaxkeras.metrics.metric import Metric
from jaxkeras.ops._numpy.arithmetic import divide_no_nan
from jaxkeras.registry import deserialize, register, registered, serialize, serialize_dict

P = ParamSpec("P")
R = TypeVar("R")


def reduce_to_samplewise_values(
    values: Any, sample_weight: Any, reduce_fn: Callable[..., jax.Array], dtype: Any
) -> tuple[jax.Array, jax.Array | None]:
    """Weight values and reduce all axes but the first.

    Args:
        values: shape `(batch, ...)` or a scalar; their mask is merged into the weights.
        sample_weight: weights of a rank up to that of `values`, or None.
        reduce_fn: `jnp.sum` or `jnp.mean`.
        dtype: dtype to compute in.

    Returns:
        Values and weights (or None), each of shape `(batch,)` or `()`.

    Raises:
        ValueError: for weights that do not broadcast.
    """
    mask = get_mask(values)
    values = jnp.asarray(values, dtype)
    if sample_weight is not None:
        sample_weight = apply_mask(jnp.asarray(sample_weight, dtype), mask, dtype, "sum")
        values, sample_weight = squeeze_or_expand_to_same_rank(values, sample_weight)
        rank = sample_weight.ndim
        if values.ndim > rank:
            values = reduce_fn(values, axis=tuple(range(rank, values.ndim)))
        try:
            sample_weight = jnp.broadcast_to(sample_weight, values.shape)
        except ValueError:
            raise ValueError(
                f"`sample_weight` of shape {sample_weight.shape} does not fit values of shape {values.shape}; give one "
                "weight for each sample or for each value."
            ) from None
        values = values * sample_weight
        if rank > 1:
            sample_weight = reduce_fn(sample_weight, axis=tuple(range(1, rank)))
    if values.ndim > 1:
        values = reduce_fn(values, axis=tuple(range(1, values.ndim)))
    return values, sample_weight


@register("keras.metrics")
class Sum(Metric):
    """Weighted sum of all values.

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: values of shape `(batch, ...)` or a scalar; `sample_weight`, a shape of equal or lower rank.

    Result: a scalar.

    Raises:
        ValueError: for a `sample_weight` that does not fit, when called.

    Example:

    >>> m = Sum()
    >>> m.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    >>> float(m.result())
    4.0
    """

    def __init__(self, name: str | None = "sum", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable((), "zeros", dtype=self.dtype, name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values of shape `(batch, ...)`, each times its weight."""
        values, _ = reduce_to_samplewise_values(values, sample_weight, jnp.sum, self.dtype)
        self.total.assign_add(jnp.sum(values))

    def result(self) -> jax.Array:
        return self.total.value


@register("keras.metrics")
class Mean(Metric):
    """Weighted average of all values, `sum(values * sample_weight) / sum(sample_weight)`.

    Args:
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.

    Input shape: values of shape `(batch, ...)` or a scalar; `sample_weight`, a shape of equal or lower rank.

    Result: a scalar, 0 before the first update.

    Raises:
        ValueError: for a `sample_weight` that does not fit, when called.

    Example:

    >>> m = Mean()
    >>> m.update_state([1, 3, 5, 7])
    >>> m.update_state([9], sample_weight=[4])
    >>> float(m.result())
    6.5
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable((), "zeros", dtype=self.dtype, name="total")
        self.count = self.add_variable((), "zeros", dtype=self.dtype, name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values of shape `(batch, ...)`: each sample counts with the average of its values, times its weight."""
        values, sample_weight = reduce_to_samplewise_values(values, sample_weight, jnp.mean, self.dtype)
        self.total.assign_add(jnp.sum(values))
        self.count.assign_add(values.size if sample_weight is None else jnp.sum(sample_weight))

    def result(self) -> jax.Array:
        return divide_no_nan(self.total.value, self.count.value)


# Not "keras.metrics": there the names of functions stand for the classes.
_FUNCTIONS = "keras.metrics.functions"


def metric_function(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function of arrays a public metric: an op, registered for configs under its name."""
    return register(_FUNCTIONS, module="builtins")(op(function))


def metric_functions() -> dict[str, Callable[..., Any]]:
    """The functions that are metrics but not losses, by name."""
    return registered(_FUNCTIONS)


@register("keras.metrics")
class MeanMetricWrapper(Mean):
    """Average of a function `fn(y_true, y_pred, **kwargs)` over all samples.

    Args:
        fn: returns a value for each sample, shape `(batch, ...)`. The mask of `y_pred` is merged into the weights.
        name: name of the metric in logs.
        dtype: dtype or policy to compute in; `floatx()` by default.
        **kwargs: passed on to `fn`.

    Input shape: what `fn` takes; `sample_weight`, a shape of equal or lower rank than the values.

    Result: a scalar, 0 before the first update.

    Example:

    >>> m = MeanMetricWrapper(lambda y_true, y_pred: abs(y_true - y_pred), name="error")
    >>> float(m(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0])))
    1.0
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any):
        super().__init__(name=name, dtype=dtype)
        self._fn = fn
        self._fn_kwargs = kwargs
        if isinstance(fn, Loss) or any(fn is loss for loss in registered("keras.losses").values()):
            self._direction = "down"

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch.

        Args:
            y_true, y_pred: what `fn` takes.
            sample_weight: weights of a rank up to that of `fn`'s values, or None.
        """
        mask = get_mask(y_pred)
        values = self._fn(y_true, y_pred, **self._fn_kwargs)
        super().update_state(values, apply_mask(sample_weight, mask, self.dtype, "sum"))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "fn": serialize(self._fn), **serialize_dict(self._fn_kwargs)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**(deserialize(config, metric_functions()) if "fn" in config else config))


class FunctionMetric(MeanMetricWrapper):
    """Base class of built-in averages: the settings of the function are attributes and make up the config.

    Class attributes:
        _direction: `"up"` if higher is better, `"down"` if lower is.
        _left_out: settings that the config leaves out when they have this value.
    """

    _direction: str | None = None
    _left_out: Mapping[str, Any] = {}

    def __init__(self, fn: Callable[..., Any], name: str | None, dtype: Any, **settings: Any):
        Mean.__init__(self, name=name, dtype=dtype)
        self._fn = fn
        self._fn_kwargs = settings
        vars(self).update(settings)

    def get_config(self) -> dict[str, Any]:
        return {**Metric.get_config(self), **settings_config(self._fn_kwargs, self._left_out)}
