"""Moments over a batch and layer normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.lowering import operations, reference

Array = jax.Array


def _axes(axes: int | Sequence[int], ndim: int) -> tuple[int, ...]:
    return tuple(sorted(a % ndim for a in ((axes,) if isinstance(axes, int) else axes)))


def batch_moments(
    x: Array,
    axes: int | Sequence[int],
    keepdims: bool = False,
    mask: Array | None = None,
    epsilon: float = 1e-7,
) -> tuple[Array, Array]:
    """Mean and (biased) variance over `axes`. Half precision is reduced in float32.

    Args:
        x: Any float array.
        axes: Axes to reduce.
        keepdims: Keep the reduced axes with size 1.
        mask: True where a value counts; its axes are the first ones of x (such as (batch, time)).
        epsilon: Added to the number of unmasked values, so that an empty mask gives 0 instead of NaN.

    Returns:
        mean, variance.

    Raises:
        ValueError: if the mask does not fit x.
    """
    axes = _axes(axes, x.ndim)
    weights = None
    if mask is not None:
        weights = mask.astype(bool).reshape(mask.shape + (1,) * (x.ndim - mask.ndim))
        if any(m not in (1, n) for m, n in zip(weights.shape, x.shape)):
            raise ValueError(f"The mask of shape {mask.shape} does not fit an array of shape {x.shape}.")
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    mean, variance = reference.batch_moments(wide, axes, weights, epsilon)
    if not keepdims:
        mean, variance = jnp.squeeze(mean, axes), jnp.squeeze(variance, axes)
    if wide.dtype != x.dtype:
        limit = jnp.finfo(x.dtype)
        mean, variance = (jnp.clip(m, float(limit.min), float(limit.max)).astype(x.dtype) for m in (mean, variance))
    return mean, variance


def batch_norm(
    x: Array, gamma: Any = None, beta: Any = None, axis: int = -1, epsilon: float = 1e-3
) -> tuple[Array, Array, Array]:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta with the moments of the batch (Ioffe and Szegedy, 2015).

    Args:
        x: An array of float32 or float64.
        gamma, beta: Arrays of the size of `axis`.
        axis: The axis with moments of its own for every index.
        epsilon: Added to the variance.

    Returns:
        An array like x, and the mean and (biased) variance, of the size of `axis`.

    Example:

    >>> import jax.numpy as jnp
    >>> y, mean, variance = batch_norm(jnp.array([[1.0], [3.0]]), epsilon=0.0)
    >>> y[:, 0], mean, variance
    (Array([-1.,  1.], dtype=float32), Array([2.], dtype=float32), Array([1.], dtype=float32))
    """
    axes = tuple(a for a in range(x.ndim) if a != axis % x.ndim)
    shape = [1 if a in axes else n for a, n in enumerate(x.shape)]
    gamma, beta = (v if v is None else jnp.asarray(v, x.dtype).reshape(shape) for v in (gamma, beta))
    y, mean, variance = operations.batch_norm(x, gamma, beta, axes, epsilon)
    return y, jnp.squeeze(mean, axes), jnp.squeeze(variance, axes)


def layer_norm(
    x: Array,
    gamma: Array | None = None,
    beta: Array | None = None,
    axis: int | Sequence[int] = -1,
    epsilon: float = 1e-3,
) -> Array:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta over `axis` (Ba et al., 2016), in at least float32.

    Args:
        x: Any float array.
        gamma, beta: Shaped like `axis` of x, or broadcastable to x.
        axis: Axes that are normalised together.
        epsilon: Added to the variance.

    Returns:
        An array like x.
    """
    axes = _axes(axis, x.ndim)
    dtype = jnp.promote_types(x.dtype, jnp.float32)
    shape = [n if a in axes else 1 for a, n in enumerate(x.shape)]

    def fit(v: Array) -> Array:
        return (v if v.ndim == x.ndim else v.reshape(shape)).astype(dtype)

    gamma, beta = (v if v is None else fit(v) for v in (gamma, beta))
    return operations.layer_norm(x.astype(dtype), gamma, beta, axes, epsilon).astype(x.dtype)
