"""Ops over class indices and the scores of classes: encodings, cross-entropies, and top-k membership."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core import config
from jaxkeras.core.dtypes import standardize_dtype
from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import DTypeLike, TensorLike, as_array


def _same_shape(target: Any, output: Any) -> tuple[jax.Array, jax.Array]:
    target, output = as_array(target), as_array(output)
    if target.shape != output.shape:
        raise ValueError(f"`target` and `output` must have the same shape, got {target.shape} and {output.shape}.")
    return target, output


def _clip(probabilities: jax.Array) -> jax.Array:
    return jnp.clip(probabilities, config.epsilon(), 1.0 - config.epsilon())


def _log_probabilities(output: jax.Array, from_logits: bool, axis: int) -> jax.Array:
    if output.ndim < 1:
        raise ValueError("`output` must have at least one axis.")
    if from_logits:
        return jax.nn.log_softmax(output, axis=axis)
    return jnp.log(_clip(output / jnp.sum(output, axis, keepdims=True)))


@op
def binary_crossentropy(target: TensorLike, output: TensorLike, from_logits: bool = False) -> jax.Array:
    """`-target log(p) - (1 - target) log(1 - p)` for each element.

    Args:
        target: array of zeros and ones, or probabilities.
        output: array of the same shape: probabilities `p`, or their logits.
        from_logits: whether `output` holds logits.

    Returns:
        Array of the same shape.

    Raises:
        ValueError: for different shapes.

    Example:

    >>> print(np.asarray(binary_crossentropy([0.0, 1.0], [0.5, 0.9])).round(4))
    [0.6931 0.1054]
    """
    target, output = _same_shape(target, output)
    if from_logits:
        return -target * jax.nn.log_sigmoid(output) - (1.0 - target) * jax.nn.log_sigmoid(-output)
    output = _clip(output)
    return -(target * jnp.log(output) + (1.0 - target) * jnp.log(1.0 - output))


@op
def categorical_crossentropy(
    target: TensorLike, output: TensorLike, from_logits: bool = False, axis: int = -1
) -> jax.Array:
    """`-sum(target log(p))` over the classes.

    Args:
        target: array of class probabilities, such as one-hot vectors.
        output: array of the same shape: predicted probabilities `p` (scaled to sum to one), or logits.
        from_logits: whether `output` holds logits.
        axis: axis of the classes.

    Returns:
        Array of the same shape without `axis`.

    Raises:
        ValueError: for different shapes, or scalars.

    Example:

    >>> print(np.asarray(categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])).round(4))
    [0.6931]
    """
    target, output = _same_shape(target, output)
    return -jnp.sum(target * _log_probabilities(output, from_logits, axis), axis=axis)


@op
def sparse_categorical_crossentropy(
    target: TensorLike, output: TensorLike, from_logits: bool = False, axis: int = -1
) -> jax.Array:
    """`-log(p[target])`.

    Args:
        target: integer array of class indices, of the shape of `output` without `axis` (or with a last axis of size 1).
        output: array of predicted probabilities `p` (scaled to sum to one), or logits.
        from_logits: whether `output` holds logits.
        axis: axis of the classes.

    Returns:
        Array of the shape of `output` without `axis`.

    Raises:
        ValueError: for shapes that do not match.

    Example:

    >>> print(np.asarray(sparse_categorical_crossentropy([1], [[0.5, 0.5]])).round(4))
    [0.6931]
    """
    target, output = as_array(target).astype("int32"), as_array(output)
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = jnp.squeeze(target, -1)
    log_p = _log_probabilities(output, from_logits, axis)
    expected = output.shape[:axis] + output.shape[axis:][1:]
    if target.shape != expected:
        raise ValueError(
            f"`target` must have shape {expected}, that of `output` without axis {axis}; got {target.shape}."
        )
    return -jnp.sum(jax.nn.one_hot(target, output.shape[axis], axis=axis, dtype=log_p.dtype) * log_p, axis=axis)


@op
def in_top_k(targets: TensorLike, predictions: TensorLike, k: int) -> jax.Array:
    """Whether the score of a class is among the `k` largest.

    Args:
        targets: integer array of class indices, shape `(batch,)`.
        predictions: array of scores, shape `(batch, classes)`.
        k: number of classes to consider.

    Returns:
        Boolean array of shape `(batch,)`; False where the score is NaN.

    Example:

    >>> in_top_k([0, 2], [[0.1, 0.6, 0.3], [0.1, 0.6, 0.3]], k=2).tolist()
    [False, True]
    """
    targets, predictions = as_array(targets), as_array(predictions)
    score = jnp.take_along_axis(predictions, targets[..., None], axis=-1)
    score = jnp.where(jnp.isnan(score), -jnp.inf, score)
    return jnp.sum(predictions > score, axis=-1) < k


@op
def one_hot(
    x: TensorLike, num_classes: int, axis: int = -1, dtype: DTypeLike = None, sparse: bool = False
) -> jax.Array:
    """Class indices as vectors that are one at the index and zero elsewhere.

    Args:
        x: integer array of any shape; indices outside the range become zeros.
        num_classes: length of a vector.
        axis: position of the new axis in the result.
        dtype: dtype of the result; `floatx()` by default.
        sparse: whether to return a `BCOO` array.

    Returns:
        Array of the shape of `x` with a new axis of size `num_classes`.

    Example:

    >>> one_hot([1, 0], 2).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    if sparse:
        from jaxkeras.ops._sparse import encodings

        return encodings.one_hot(as_array(x), num_classes, axis, standardize_dtype(dtype))
    return jax.nn.one_hot(as_array(x), num_classes, axis=axis, dtype=standardize_dtype(dtype))


@op
def multi_hot(
    inputs: TensorLike,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: DTypeLike = None,
    sparse: bool = False,
    **kwargs: Any,
) -> jax.Array:
    """Sets of class indices as vectors that are one at each index of the set and zero elsewhere.

    Args:
        inputs: integer array of shape `(batch, n)` or `(n,)`.
        num_classes: length of a vector.
        axis: position of the new axis in the result.
        dtype: dtype of the result; `floatx()` by default.
        sparse: whether to return a `BCOO` array.
        **kwargs: `num_tokens`, an older name of `num_classes`.

    Returns:
        Array of shape `(batch, num_classes)` or `(num_classes,)`.

    Raises:
        ValueError: without `num_classes`, or for unknown arguments.

    Example:

    >>> multi_hot([[0, 2], [1, 1]], num_classes=3).tolist()
    [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    num_classes = kwargs.pop("num_tokens", None) if num_classes is None else num_classes
    if num_classes is None or kwargs:
        raise ValueError(f"`multi_hot` needs `num_classes`; unknown arguments: {', '.join(kwargs) or 'none'}.")
    x = as_array(inputs)
    if sparse:
        from jaxkeras.ops._sparse import encodings

        return encodings.multi_hot(x, num_classes, axis, standardize_dtype(dtype))
    return jnp.max(one_hot(x.astype("int32"), num_classes, axis, dtype, sparse), axis=1 if x.ndim > 1 else 0)
