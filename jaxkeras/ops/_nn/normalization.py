"""Normalization by moments and norms."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering
from jaxkeras.core import config
from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import TensorLike, as_array


@op
def moments(
    x: TensorLike, axes: int | Sequence[int], keepdims: bool = False, synchronized: bool = False
) -> tuple[jax.Array, jax.Array]:
    """Mean and variance, computed in float32 for 16-bit floats.

    Args:
        x: array of any shape; booleans and integers are cast to `floatx()`.
        axes: axis or axes to reduce.
        keepdims: whether to keep the reduced axes with size 1.
        synchronized: for compatibility with Keras; must be False (the moments of sharded arrays are global already).

    Returns:
        `(mean, variance)`, arrays of the shape of `x` without the reduced axes.

    Raises:
        NotImplementedError: for `synchronized=True`.

    Example:

    >>> mean, variance = moments([[1.0, 3.0], [2.0, 6.0]], axes=1)
    >>> mean.tolist(), variance.tolist()
    ([2.0, 4.0], [1.0, 4.0])
    """
    if synchronized:
        raise NotImplementedError("`synchronized=True` is not supported; sharded arrays give global moments already.")
    x = as_array(x)
    x = x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(config.floatx())
    return lowering.batch_moments(x, axes, keepdims)


@op
def batch_normalization(
    x: TensorLike,
    mean: TensorLike,
    variance: TensorLike,
    axis: int,
    offset: TensorLike | None = None,
    scale: TensorLike | None = None,
    epsilon: float = 1e-3,
) -> jax.Array:
    """`(x - mean) / sqrt(variance + epsilon) * scale + offset`.

    Args:
        x: array of any shape.
        mean: vector of the size of `axis`.
        variance: vector of the size of `axis`.
        axis: the axis along which statistics differ.
        offset: vector of the size of `axis`, or None for zeros.
        scale: vector of the size of `axis`, or None for ones.
        epsilon: added to the variance.

    Returns:
        Array of the shape of `x`.

    Example:

    >>> batch_normalization([[1.0, 2.0]], mean=[1.0, 0.0], variance=[1.0, 4.0], axis=-1, epsilon=0.0).tolist()
    [[0.0, 1.0]]

    Reference:
        [Ioffe and Szegedy, 2015](https://arxiv.org/abs/1502.03167)
    """
    x = as_array(x)
    shape = [1] * x.ndim
    shape[axis] = -1
    factor = jax.lax.rsqrt(as_array(variance).reshape(shape) + epsilon)
    if scale is not None:
        factor = factor * as_array(scale).reshape(shape)
    shift = -as_array(mean).reshape(shape) * factor
    if offset is not None:
        shift = shift + as_array(offset).reshape(shape)
    return x * factor + shift


@op
def layer_normalization(
    x: TensorLike,
    gamma: TensorLike | None = None,
    beta: TensorLike | None = None,
    axis: int | Sequence[int] = -1,
    epsilon: float | None = None,
    **kwargs: Any,
) -> jax.Array:
    """`(x - mean) / sqrt(variance + epsilon) * gamma + beta`, with moments over some axes of each element.

    Args:
        x: array of any shape.
        gamma: array of the sizes of `axis`, or None for ones.
        beta: array of the sizes of `axis`, or None for zeros.
        axis: axis or axes over which mean and variance are taken.
        epsilon: added to the variance; `epsilon()` by default.
        **kwargs: `rms_scaling=True`, deprecated, subtracts no mean and adds no beta.

    Returns:
        Array of the shape and dtype of `x`.

    Raises:
        TypeError: for unknown arguments.

    Example:

    >>> print(np.asarray(layer_normalization([[1.0, 3.0]])).round(3))
    [[-1.  1.]]

    Reference:
        [Ba et al., 2016](https://arxiv.org/abs/1607.06450)
    """
    rms_scaling = kwargs.pop("rms_scaling", False)
    if kwargs:
        raise TypeError(f"Unknown arguments of `layer_normalization`: {', '.join(kwargs)}.")
    x = as_array(x)
    epsilon = config.epsilon() if epsilon is None else epsilon
    gamma, beta = (None if v is None else as_array(v) for v in (gamma, beta))
    if not rms_scaling:
        return lowering.layer_norm(x, gamma, beta, axis, epsilon)
    warnings.warn("`rms_scaling=True` divides by the deviation from the mean; use `rms_normalization`.", stacklevel=2)
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = wide * jax.lax.rsqrt(jnp.var(wide, axes, keepdims=True) + epsilon)
    if gamma is not None:
        normalized = {a % x.ndim for a in axes}
        y = y * gamma.reshape([n if a in normalized else 1 for a, n in enumerate(x.shape)])
    return y.astype(x.dtype)


@op
def rms_normalization(
    x: TensorLike,
    scale: TensorLike | None = None,
    axis: int | Sequence[int] = -1,
    epsilon: float | None = None,
) -> jax.Array:
    """`x / sqrt(mean(x**2) + epsilon) * scale`, computed in float32 for 16-bit floats.

    Args:
        x: array of any shape.
        scale: array that broadcasts to `x`, or None for ones.
        axis: axis or axes over which the mean is taken.
        epsilon: added to the mean; `epsilon()` by default.

    Returns:
        Array of the shape and dtype of `x`.

    Example:

    >>> print(np.asarray(rms_normalization([3.0, 3.0])).round(3))
    [1. 1.]

    Reference:
        [Zhang and Sennrich, 2019](https://arxiv.org/abs/1910.07467)
    """
    x = as_array(x)
    wide = jnp.atleast_1d(x.astype(jnp.promote_types(x.dtype, jnp.float32)))
    axis = axis if isinstance(axis, int) else tuple(axis)
    mean = jnp.mean(jnp.square(wide), axis=axis, keepdims=True)
    y = wide * jax.lax.rsqrt(mean + (config.epsilon() if epsilon is None else epsilon))
    return (y if scale is None else y * as_array(scale, y.dtype)).astype(x.dtype)


@op
def normalize(x: TensorLike, axis: int | Sequence[int] = -1, order: int = 2, epsilon: float | None = None) -> jax.Array:
    """Vectors divided by their norm, `x / max(norm(x), epsilon)`.

    Args:
        x: array of any shape.
        axis: axis or axes of the vectors.
        order: order of the norm, a positive integer.
        epsilon: the least number to divide by; `epsilon()` by default.

    Returns:
        Array of the shape of `x`.

    Raises:
        ValueError: for another order.

    Example:

    >>> print(np.asarray(normalize([3.0, 4.0])).round(4))
    [0.6 0.8]
    """
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"`order` must be a positive integer, got {order!r}.")
    x = jnp.atleast_1d(as_array(x))
    epsilon = config.epsilon() if epsilon is None else epsilon
    if order == 2:
        # Clipped before the root, whose derivative at 0 is infinite.
        return x * jax.lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(x), axis=axis, keepdims=True), epsilon**2))
    return x / jnp.maximum(jnp.linalg.norm(x, ord=order, axis=axis, keepdims=True), epsilon)
