"""Activation functions as ops. `jaxkeras.activations` offers the same ones, with a few defaults of its own."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core.symbolic import op
from jaxkeras.ops._row import as_array, in_float32, inexact, row


def _hard_tanh(x: Any) -> jax.Array:
    x = as_array(x)
    return jnp.minimum(x, 1) if jnp.issubdtype(x.dtype, jnp.unsignedinteger) else jax.nn.hard_tanh(x)


celu = row(inexact(jax.nn.celu), "x", "`x` above zero, `alpha (exp(x / alpha) - 1)` below.", alpha=1.0)
elu = row(inexact(jax.nn.elu), "x", "`x` above zero, `alpha (exp(x) - 1)` below.", alpha=1.0)
gelu = row(
    inexact(jax.nn.gelu), "x", "`x` times the normal distribution function of `x`, or its tanh approximation.",
    approximate=True,
)  # fmt: skip
glu = row(inexact(jax.nn.glu), "x", "The first half along an axis times the sigmoid of the second half.", axis=-1)
hard_sigmoid = row(inexact(jax.nn.hard_sigmoid), "x", "`x / 6 + 1 / 2`, limited to [0, 1].")
hard_silu = hard_swish = row(inexact(jax.nn.hard_silu), "x", "`x` times its hard sigmoid.", name="hard_silu")
hard_tanh = row(_hard_tanh, "x", "`x`, limited to [-1, 1].", name="hard_tanh")
leaky_relu = row(jax.nn.leaky_relu, "x", "`x` above zero, `negative_slope x` below.", negative_slope=0.2)
log_sigmoid = row(inexact(jax.nn.log_sigmoid), "x", "Logarithm of the sigmoid.")
relu = row(jax.nn.relu, "x", "`x` above zero, zero below.")
relu6 = row(jax.nn.relu6, "x", "`x`, limited to [0, 6].")
selu = row(inexact(jax.nn.selu), "x", "A scaled `elu` that keeps mean 0 and variance 1 through layers.")
sigmoid = row(inexact(jax.nn.sigmoid), "x", "`1 / (1 + exp(-x))`.")
silu = swish = row(inexact(jax.nn.silu), "x", "`x` times its sigmoid.", name="silu")
softplus = row(inexact(jax.nn.softplus), "x", "`log(1 + exp(x))`.")
softsign = row(inexact(jax.nn.soft_sign), "x", "`x / (1 + |x|)`.", name="softsign")
sparse_plus = row(jax.nn.sparse_plus, "x", "0 below -1, `x` above 1, a parabola between.")
sparse_sigmoid = row(inexact(jax.nn.sparse_sigmoid), "x", "`(x + 1) / 2`, limited to [0, 1].")
squareplus = row(inexact(in_float32(jax.nn.squareplus)), "x", "`(x + sqrt(x^2 + b)) / 2`.", b=4)
tanh = row(inexact(jnp.tanh), "x", "Hyperbolic tangent.")
tanh_shrink = row(inexact(lambda x: x - jnp.tanh(x)), "x", "`x - tanh(x)`.", name="tanh_shrink")


@op
def hard_shrink(x: Any, threshold: float = 0.5) -> jax.Array:
    """`x` where its absolute value is above a threshold, else zero.

    Args:
        x: array.
        threshold: the threshold.
    """
    x = as_array(x)
    return jnp.where((x > threshold) | (x < -threshold), x, 0.0)  # the most negative integer has no absolute value


@op
def soft_shrink(x: Any, threshold: float = 0.5) -> jax.Array:
    """`x` moved towards zero by a threshold, and zero where it is closer than that.

    Args:
        x: array.
        threshold: the threshold.
    """
    x = as_array(x)
    return jnp.where(x > threshold, x - threshold, jnp.where(x < -threshold, x + threshold, 0.0))


@op
def threshold(x: Any, threshold: float, default_value: float) -> jax.Array:
    """`x` where it is above a threshold, else a default.

    Args:
        x: array.
        threshold: the threshold.
        default_value: the default.
    """
    x = as_array(x)
    return jnp.where(x > threshold, x, default_value)


def _normalised(function: Callable[..., jax.Array], x: Any, axis: Any) -> jax.Array:
    return inexact(function)(as_array(x), axis=tuple(axis) if isinstance(axis, list) else axis)


@op
def softmax(x: Any, axis: int | tuple[int, ...] = -1) -> jax.Array:
    """`exp(x) / sum(exp(x))`: positive numbers that sum to one.

    Args:
        x: array.
        axis: axis or axes that are normalised together.

    Example:

    >>> softmax([0.0, 0.0]).tolist()
    [0.5, 0.5]
    """
    x = as_array(x)
    if isinstance(axis, int) and -x.ndim <= axis < x.ndim and x.shape[axis] == 1:
        warnings.warn(
            f"Softmax over axis {axis} of size 1 is always 1. Did you mean sigmoid?",
            stacklevel=3,
        )
    return _normalised(jax.nn.softmax, x, axis)


@op
def log_softmax(x: Any, axis: int | tuple[int, ...] = -1) -> jax.Array:
    """Logarithm of the softmax.

    Args:
        x: array.
        axis: axis or axes that are normalised together.
    """
    return _normalised(jax.nn.log_softmax, x, axis)


@op
def sparsemax(x: Any, axis: int = -1) -> jax.Array:
    """A softmax that gives exactly zero to small values, as Keras computes it.

    With `z` sorted in decreasing order and `k` the largest count with `1 + k z_k > z_1 + ... + z_k`, the paper
    subtracts `(z_1 + ... + z_k - 1) / k`. Keras adds up the partial sums instead of taking the last one, so that its
    result is smaller, and does not sum to one, where several elements are kept. This gives the numbers of Keras.

    Args:
        x: array.
        axis: along which.

    Reference:
        [Martins and Astudillo, 2016](https://arxiv.org/abs/1602.02068)
    """
    x = as_array(x)
    z = jnp.flip(jnp.sort(x, axis=axis), axis)
    sums = jnp.cumsum(z, axis=axis)
    count = jnp.expand_dims(jnp.arange(1, x.shape[axis] + 1), [a for a in range(x.ndim) if a != axis % x.ndim])
    kept = 1 + count * z > sums
    total = jnp.sum(jnp.where(kept, sums, 0), axis=axis, keepdims=True)
    return jnp.maximum(x - (total - 1) / jnp.sum(kept, axis=axis, keepdims=True).astype(x.dtype), 0)
