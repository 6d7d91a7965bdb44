"""`WholeEpoch`: any function of all targets and predictions of an epoch, computed once."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxkeras.core.context import local
from jaxkeras.metrics.metric import Metric
from jaxkeras.registry import deserialize, register, serialize

_BUFFER_BYTES = 2**24
_BUFFER_ROWS = 2**16


class Rows(NamedTuple):
    """Rows of targets, predictions and weights that a metric has seen."""

    y_true: Any
    y_pred: Any
    weight: Any


@register("keras.metrics", module="jaxkeras.metrics")
class WholeEpoch(Metric):
    """A function of all targets and predictions of an epoch, such as any metric of scikit-learn.

    Metrics that are no mean over batches (areas under curves, rank correlations, ...) are computed exactly: in `fit`,
    `evaluate` and validation the steps, compiled and fused, write what they see into a buffer on the device; it is
    copied to the host when it is full; and the function is called once, at the end. Within an epoch there is no value.
    In `fit` the predictions are those of the steps, made while the weights changed; those of validation are made with
    the weights at the end of the epoch.

    Args:
        fn: a function of NumPy arrays `(y_true, y_pred)`, with the rows of the epoch in the order of the batches,
            which returns a number. A last axis of size 1 is dropped. Among `weighted_metrics` it must take
            `sample_weight`, one number for each row.
        name: name of the metric in logs; that of the function by default.
        dtype: accepted as by all metrics; rows keep the types that they have.

    Input shape: `y_true` and `y_pred` of shape `(batch, ...)`; `sample_weight` of shape `(batch,)`.

    Result: a scalar; nan before the first update.

    Raises:
        ValueError: for a batch that does not fit into the buffer, which holds at least two of the first batches.

    Example:

    >>> from scipy.stats import spearmanr
    >>> m = WholeEpoch(lambda y_true, y_pred: spearmanr(y_true, y_pred).statistic, name="spearman")
    >>> m.update_state([1.0, 2.0], [10.0, 20.0])
    >>> m.update_state([3.0], [30.0])
    >>> round(m.result(), 6)
    1.0
    """

    _built = False
    models = 1  # that are trained at once, each with a buffer of its own

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None):
        super().__init__(name=name or getattr(fn, "__name__", type(fn).__name__), dtype=dtype)
        if not callable(fn):
            raise ValueError(f"`fn` of WholeEpoch must be a function (y_true, y_pred) -> number; got {fn!r}.")
        self.fn = fn
        self.capacity = 0
        self._weighted = False
        self._seen: list[Rows] = []  # outside of compiled steps

    def _create_buffers(self, rows: Rows) -> None:
        size = sum(math.prod(a.shape[1:]) * a.dtype.itemsize for a in rows)
        self.capacity = max(2 * len(rows.y_true), min(_BUFFER_ROWS, _BUFFER_BYTES // max(1, size * self.models)))
        self.buffers = Rows(*(
            self.add_variable((self.capacity, *a.shape[1:]), "zeros", a.dtype, "none", name)
            for name, a in zip(Rows._fields, rows)
        ))  # fmt: skip
        self.count = self.add_variable((), "zeros", "int32", "none", "count")
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in the rows of a batch.

        Args:
            y_true, y_pred: arrays of shape `(batch, ...)`.
            sample_weight: a weight for each row, or None.
        """
        y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
        self._weighted |= sample_weight is not None
        weight = jnp.ones(len(y_true)) if sample_weight is None else jnp.reshape(jnp.asarray(sample_weight), (-1,))
        rows = Rows(y_true, y_pred, weight)
        if not self._built:
            self._create_buffers(rows)
        if local.frame is None and not isinstance(y_pred, Tracer):
            self._seen.append(Rows(*map(np.asarray, rows)))
            return
        if len(y_true) > self.capacity:
            raise ValueError(
                f"Metric '{self.name}' collects up to {self.capacity} rows at a time; got a batch of {len(y_true)}. "
                "Let the first batches be as large as later ones, those of validation included."
            )
        start = self.count.value
        for buffer, values in zip(self.buffers, rows):
            index = (start, *(0,) * (values.ndim - 1))
            buffer.assign(jax.lax.dynamic_update_slice(buffer.value, values.astype(buffer.dtype), index))
        self.count.assign(start + len(y_true))

    def result(self) -> Any:
        """The value of the function on all rows; nan inside compiled steps, which do not know it."""
        if local.frame is not None or not self._seen:
            return jnp.asarray(jnp.nan, jnp.float32) if local.frame is not None else float("nan")
        return self.compute(self._seen)

    def compute(self, parts: Sequence[Rows]) -> float:
        """The value of the function on rows, given in parts."""
        y_true, y_pred, weight = (_joined(column) for column in zip(*parts))
        more = {"sample_weight": weight} if self._weighted else {}
        if more and "sample_weight" not in inspect.signature(self.fn).parameters:
            raise ValueError(
                f"The function of metric '{self.name}' takes no `sample_weight`; list the metric in `metrics` instead "
                "of `weighted_metrics`."
            )
        return float(np.asarray(self.fn(y_true, y_pred, **more)))

    def reset_state(self) -> None:
        """Forget all rows."""
        if self._built:
            self.count.assign(0)
        if local.frame is None:
            self._seen = []

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "fn": serialize(self.fn)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**{**config, "fn": deserialize(config["fn"])})  # its name may be that of the function


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    rows = np.concatenate(parts)
    if rows.ndim == 2 and rows.shape[1] == 1:
        rows = rows[:, 0]
    half = rows.dtype.name in ("float16", "bfloat16")
    return rows.astype("float32") if half else rows
