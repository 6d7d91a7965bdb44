"""Intersection over union of classes, from a confusion matrix."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core import config
from jaxkeras.core.dtypes import is_float_dtype, is_int_dtype
from jaxkeras.metrics.metric import Metric
from jaxkeras.registry import register


@register("keras.metrics")
class IoU(Metric):
    """Intersection over union of targets and predictions, averaged over some classes.

    With counts of positions: `tp / (tp + fp + fn)` for each class.

    Args:
        num_classes: number of classes.
        target_class_ids: classes to average over.
        name: name of the metric in logs.
        dtype: dtype of the counts; int32 by default.
        ignore_class: positions with this target are left out; None for none.
        sparse_y_true: whether targets are integer classes rather than one-hot.
        sparse_y_pred: whether predictions are integer classes rather than scores.
        axis: axis of the classes where targets or predictions are not sparse.

    Input shape: `y_true` and `y_pred`, integer classes, `(batch, ...)`, with an axis of classes unless sparse;
    `sample_weight`, a scalar or the shape of the positions.

    Result: a scalar in [0, 1]. Classes that do not occur are left out of the average.

    Raises:
        ValueError: for a class out of range.

    Reference: [Jaccard index](https://en.wikipedia.org/wiki/Jaccard_index).

    Example:

    >>> round(float(IoU(num_classes=2, target_class_ids=[0])([0, 0, 1, 1], [0, 1, 0, 1])), 4)
    0.3333
    """

    _direction = "up"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(name=name, dtype=dtype or "int")
        if max(target_class_ids) >= num_classes:
            raise ValueError(f"`target_class_ids` must lie below {num_classes}; got {max(target_class_ids)}.")
        self.num_classes = num_classes
        self.target_class_ids = list(target_class_ids)
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        shape = (num_classes, num_classes)
        self.total_cm = self.add_variable(shape, "zeros", dtype=self.dtype, name="total_confusion_matrix")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch.

        Args:
            y_true: targets, shape `(batch, ...)`, with an axis of classes unless sparse.
            y_pred: predictions, likewise.
            sample_weight: a scalar, or one weight for each position, cast to the type of the counts.
        """
        y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
        if not self.sparse_y_true:
            y_true = jnp.argmax(y_true, axis=self.axis)
        if not self.sparse_y_pred:
            y_pred = jnp.argmax(y_pred, axis=self.axis)
        y_true, y_pred = (y.astype(self.dtype).astype(jnp.int32).reshape(-1) for y in (y_true, y_pred))
        n = self.num_classes
        counted = (y_true >= 0) & (y_true < n) & (y_pred >= 0) & (y_pred < n)
        if self.ignore_class is not None:
            counted &= y_true != self.ignore_class
        weights = jnp.broadcast_to(self._weights(sample_weight), y_true.shape)
        # Positions that do not count go to a cell after the last, which is dropped.
        cell = jnp.where(counted, y_true * n + y_pred, n * n)
        self.total_cm.assign_add(jax.ops.segment_sum(weights, cell, num_segments=n * n).reshape(n, n))

    def _weights(self, sample_weight: Any) -> jax.Array:
        if sample_weight is None:
            return jnp.ones((1,), self.dtype)
        given = getattr(sample_weight, "dtype", None)
        if given is not None and is_float_dtype(given) and is_int_dtype(self.dtype):
            warnings.warn(
                f"A sample weight of a float type loses its fraction: the metric counts in {self.dtype} ints, so that "
                "weights are cut off by casting. Give integer weights, or the metric dtype='float32'.",
                stacklevel=3,
            )
        return jnp.asarray(sample_weight).astype(self.dtype).reshape(-1)

    def result(self) -> jax.Array:
        matrix, classes = self.total_cm.value, np.asarray(self.target_class_ids)
        intersection = jnp.diag(matrix)
        union = jnp.sum(matrix, axis=0) + jnp.sum(matrix, axis=1) - intersection
        intersection, union = (x[classes].astype(jnp.float32) for x in (intersection, union))
        occurs = union > 1e-9
        shares = jnp.where(occurs, intersection / (union + config.epsilon()), 0.0)
        return jnp.sum(shares) / (jnp.sum(occurs.astype(jnp.float32)) + config.epsilon())

    _settings: tuple[str, ...] = (
        "num_classes",
        "target_class_ids",
        "ignore_class",
        "sparse_y_true",
        "sparse_y_pred",
        "axis",
    )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **{key: getattr(self, key) for key in self._settings}}


@register("keras.metrics")
class BinaryIoU(IoU):
    """Intersection over union of two classes, for predicted probabilities.

    With counts of positions: `tp / (tp + fp + fn)` for each class.

    Args:
        target_class_ids: classes (0 and 1) to average over.
        threshold: predictions from here on are 1.
        name: name of the metric in logs.
        dtype: dtype of the counts; int32 by default.

    Input shape: `y_true`, 0 or 1, and `y_pred`, probabilities, `(batch, ...)`; `sample_weight`, the same shape.

    Result: a scalar in [0, 1]. Classes that do not occur are left out of the average.

    Raises:
        ValueError: for a class out of range.

    Reference: [Jaccard index](https://en.wikipedia.org/wiki/Jaccard_index).

    Example:

    >>> round(float(BinaryIoU()([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])), 4)
    0.5833
    """

    _settings = ("target_class_ids", "threshold")

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(2, target_class_ids, name=name, dtype=dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets 0 or 1 and probabilities of the same shape."""
        super().update_state(y_true, jnp.asarray(y_pred, jnp.float32) >= self.threshold, sample_weight)


@register("keras.metrics")
class MeanIoU(IoU):
    """Intersection over union of targets and predictions, averaged over all classes.

    With counts of positions: `tp / (tp + fp + fn)` for each class.

    Args:
        num_classes: number of classes.
        name: name of the metric in logs.
        dtype: dtype of the counts; int32 by default.
        ignore_class: positions with this target are left out; None for none.
        sparse_y_true: whether targets are integer classes rather than one-hot.
        sparse_y_pred: whether predictions are integer classes rather than scores.
        axis: axis of the classes where targets or predictions are not sparse.

    Input shape: `y_true` and `y_pred`, integer classes, `(batch, ...)`, with an axis of classes unless sparse;
    `sample_weight`, a scalar or the shape of the positions.

    Result: a scalar in [0, 1]. Classes that do not occur are left out of the average.

    Reference: [Jaccard index](https://en.wikipedia.org/wiki/Jaccard_index).

    Example:

    >>> round(float(MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1])), 4)
    0.3333
    """

    _settings = ("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)


@register("keras.metrics")
class OneHotIoU(IoU):
    """Intersection over union for one-hot targets, averaged over some classes.

    With counts of positions: `tp / (tp + fp + fn)` for each class.

    Args:
        num_classes: number of classes.
        target_class_ids: classes to average over.
        name: name of the metric in logs.
        dtype: dtype of the counts; int32 by default.
        ignore_class: positions with this target are left out; None for none.
        sparse_y_pred: whether predictions are integer classes rather than scores.
        axis: axis of the classes where targets or predictions are not sparse.

    Input shape: `y_true`, one-hot, and `y_pred`, scores, `(batch, ..., classes)`; `sample_weight`, the shape of the
    positions.

    Result: a scalar in [0, 1]. Classes that do not occur are left out of the average.

    Raises:
        ValueError: for a class out of range.

    Reference: [Jaccard index](https://en.wikipedia.org/wiki/Jaccard_index).

    Example:

    >>> y_true = [[1, 0], [1, 0], [0, 1], [0, 1]]
    >>> y_pred = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.1, 0.9]]
    >>> round(float(OneHotIoU(2, target_class_ids=[0])(y_true, y_pred)), 4)
    0.3333
    """

    _settings = ("num_classes", "target_class_ids", "ignore_class", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


@register("keras.metrics")
class OneHotMeanIoU(MeanIoU):
    """Intersection over union for one-hot targets, averaged over all classes.

    With counts of positions: `tp / (tp + fp + fn)` for each class.

    Args:
        num_classes: number of classes.
        name: name of the metric in logs.
        dtype: dtype of the counts; int32 by default.
        ignore_class: positions with this target are left out; None for none.
        sparse_y_pred: whether predictions are integer classes rather than scores.
        axis: axis of the classes where targets or predictions are not sparse.

    Input shape: `y_true`, one-hot, and `y_pred`, scores, `(batch, ..., classes)`; `sample_weight`, the shape of the
    positions.

    Result: a scalar in [0, 1]. Classes that do not occur are left out of the average.

    Reference: [Jaccard index](https://en.wikipedia.org/wiki/Jaccard_index).

    Example:

    >>> y_true = [[1, 0], [1, 0], [0, 1], [0, 1]]
    >>> y_pred = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.1, 0.9]]
    >>> round(float(OneHotMeanIoU(2)(y_true, y_pred)), 4)
    0.3333
    """

    _settings = ("num_classes", "ignore_class", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
