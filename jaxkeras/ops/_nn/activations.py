"""Activation functions as ops. `jaxkeras.activations` offers the same ones, with a few defaults of its own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering
from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import TensorLike, as_array
from jaxkeras.ops._make_op import FLOATING, SAME, in_float32, inexact, make_op


@make_op(inexact(jax.nn.celu))
def celu(x: TensorLike, alpha: float = 1.0) -> jax.Array:
    """`x` above zero, `alpha (exp(x / alpha) - 1)` below.

    Args:
        x: array of any shape; booleans and integers are cast to `floatx()`.
        alpha: scale of the negative part.

    Returns:
        Array of the shape of `x`, with a floating-point dtype.

    Example:

    >>> print(np.asarray(celu([-1.0, 0.0, 1.0])).round(4))
    [-0.6321  0.      1.    ]

    Reference:
        [Barron, 2017](https://arxiv.org/abs/1704.07483)
    """
    ...


@make_op(inexact(jax.nn.elu))
def elu(x: TensorLike, alpha: float = 1.0) -> jax.Array:
    """`x` above zero, `alpha (exp(x) - 1)` below.

    Args:
        x: array of any shape; booleans and integers are cast to `floatx()`.
        alpha: scale of the negative part.

    Returns:
        Array of the shape of `x`, with a floating-point dtype.

    Example:

    >>> print(np.asarray(elu([-1.0, 0.0, 1.0])).round(4))
    [-0.6321  0.      1.    ]

    Reference:
        [Clevert et al., 2016](https://arxiv.org/abs/1511.07289)
    """
    ...


@make_op(inexact(lowering.gelu))
def gelu(x: TensorLike, approximate: bool = True) -> jax.Array:
    """`x Phi(x)`, with the normal distribution function `Phi`, or its approximation by tanh.

    Args:
        x: array of any shape; booleans and integers are cast to `floatx()`.
        approximate: whether to compute `0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3)))` instead.

    Returns:
        Array of the shape of `x`, with a floating-point dtype.

    Example:

    >>> print(np.asarray(gelu([-1.0, 0.0, 1.0])).round(4))
    [-0.1588  0.      0.8412]

    Reference:
        [Hendrycks and Gimpel, 2016](https://arxiv.org/abs/1606.08415)
    """
    ...


def _glu(x: Any, axis: int) -> jax.Array:
    if not -jnp.ndim(x) <= axis < jnp.ndim(x):
        raise ValueError(f"axis {axis} is out of bounds for an array with {jnp.ndim(x)} axes.")
    return jax.nn.glu(x, axis)


@make_op(inexact(_glu))
def glu(x: TensorLike, axis: int = -1) -> jax.Array:
    """Gated linear unit: the first half along an axis times the sigmoid of the second half.

    Args:
        x: array of any shape; booleans and integers are cast to `floatx()`.
        axis: axis to split, of even size.

    Returns:
        Array with half the size along `axis`.

    Example:

    >>> glu([2.0, 0.0]).tolist()
    [1.0]

    Reference:
        [Dauphin et al., 2017](https://arxiv.org/abs/1612.08083)
    """
    ...


@op
def hard_shrink(x: TensorLike, threshold: float = 0.5) -> jax.Array:
    """`x` where its absolute value is above a threshold, else zero.

    Args:
        x: array of any shape.
        threshold: the threshold.

    Returns:
        Array of the shape of `x`.

    Example:

    >>> hard_shrink([-1.0, 0.3, 2.0]).tolist()
    [-1.0, 0.0, 2.0]
    """
    x = as_array(x)
    return jnp.where((x > threshold) | (x < -threshold), x, 0.0)  # the most negative integer has no absolute value


@make_op(inexact(jax.nn.hard_sigmoid), FLOATING)
def hard_sigmoid(x: TensorLike) -> jax.Array:
    """`x / 6 + 1 / 2`, limited to [0, 1].

    Example:

    >>> hard_sigmoid([-3.0, 0.0, 9.0]).tolist()
    [0.0, 0.5, 1.0]
    """
    ...


@make_op(inexact(jax.nn.hard_silu), FLOATING)
def hard_silu(x: TensorLike) -> jax.Array:
    """`x` times its hard sigmoid.

    Example:

    >>> hard_silu([0.0, 3.0]).tolist()
    [0.0, 3.0]

    Reference:
        [Howard et al., 2019](https://arxiv.org/abs/1905.02244)
    """
    ...


hard_swish = hard_silu


def _hard_tanh(x: Any) -> jax.Array:
    x = as_array(x)
    return jnp.minimum(x, 1) if jnp.issubdtype(x.dtype, jnp.unsignedinteger) else jax.nn.hard_tanh(x)


@make_op(_hard_tanh, SAME)
def hard_tanh(x: TensorLike) -> jax.Array:
    """`x`, limited to [-1, 1].

    Example:

    >>> hard_tanh([-3.0, 0.5, 3.0]).tolist()
    [-1.0, 0.5, 1.0]
    """
    ...


@make_op(jax.nn.leaky_relu)
def leaky_relu(x: TensorLike, negative_slope: float = 0.2) -> jax.Array:
    """`x` above zero, `negative_slope x` below.

    Args:
        x: array of any shape.
        negative_slope: slope below zero.

    Returns:
        Array of the shape of `x`.

    Example:

    >>> leaky_relu([-1.0, 2.0], negative_slope=0.5).tolist()
    [-0.5, 2.0]
    """
    ...


@make_op(inexact(jax.nn.log_sigmoid), FLOATING)
def log_sigmoid(x: TensorLike) -> jax.Array:
    """`-log(1 + exp(-x))`, the logarithm of the sigmoid.

    Example:

    >>> print(np.asarray(log_sigmoid([-1.0, 0.0, 1.0])).round(4))
    [-1.3133 -0.6931 -0.3133]
    """
    ...


@make_op(jax.nn.relu, SAME)
def relu(x: TensorLike) -> jax.Array:
    """`max(x, 0)`.

    Example:

    >>> relu([-1.0, 2.0]).tolist()
    [0.0, 2.0]
    """
    ...


@make_op(jax.nn.relu6, SAME)
def relu6(x: TensorLike) -> jax.Array:
    """`x`, limited to [0, 6].

    Example:

    >>> relu6([-1.0, 2.0, 9.0]).tolist()
    [0.0, 2.0, 6.0]
    """
    ...


@make_op(inexact(jax.nn.selu))
def selu(x: TensorLike) -> jax.Array:
    """A scaled `elu` that keeps mean 0 and variance 1 from layer to layer.

    Args:
        x: array of any shape; booleans and integers are cast to `floatx()`.

    Returns:
        Array of the shape of `x`, with a floating-point dtype.

    Example:

    >>> print(np.asarray(selu([-1.0, 0.0, 1.0])).round(4))
    [-1.1113  0.      1.0507]

    Reference:
        [Klambauer et al., 2017](https://arxiv.org/abs/1706.02515)
    """
    ...


@make_op(inexact(jax.nn.sigmoid), FLOATING)
def sigmoid(x: TensorLike) -> jax.Array:
    """`1 / (1 + exp(-x))`.

    Example:

    >>> print(np.asarray(sigmoid([-1.0, 0.0, 1.0])).round(4))
    [0.2689 0.5    0.7311]
    """
    ...


@make_op(inexact(jax.nn.silu))
def silu(x: TensorLike) -> jax.Array:
    """`x` times its sigmoid.

    Args:
        x: array of any shape; booleans and integers are cast to `floatx()`.

    Returns:
        Array of the shape of `x`, with a floating-point dtype.

    Example:

    >>> print(np.asarray(silu([-1.0, 0.0, 1.0])).round(4))
    [-0.2689  0.      0.7311]

    Reference:
        [Ramachandran et al., 2017](https://arxiv.org/abs/1710.05941)
    """
    ...


swish = silu


@op
def soft_shrink(x: TensorLike, threshold: float = 0.5) -> jax.Array:
    """`x` moved towards zero by a threshold, and zero where it is closer than that.

    Args:
        x: array of any shape.
        threshold: the threshold.

    Returns:
        Array of the shape of `x`.

    Example:

    >>> soft_shrink([-1.0, 0.3, 2.0]).tolist()
    [-0.5, 0.0, 1.5]
    """
    x = as_array(x)
    return jnp.where(x > threshold, x - threshold, jnp.where(x < -threshold, x + threshold, 0.0))


@make_op(inexact(jax.nn.softplus), FLOATING)
def softplus(x: TensorLike) -> jax.Array:
    """`log(1 + exp(x))`.

    Example:

    >>> print(np.asarray(softplus([-1.0, 0.0, 1.0])).round(4))
    [0.3133 0.6931 1.3133]
    """
    ...


@make_op(inexact(jax.nn.soft_sign), FLOATING)
def softsign(x: TensorLike) -> jax.Array:
    """`x / (1 + abs(x))`.

    Example:

    >>> softsign([-1.0, 0.0, 3.0]).tolist()
    [-0.5, 0.0, 0.75]
    """
    ...


@make_op(jax.nn.sparse_plus, FLOATING)
def sparse_plus(x: TensorLike) -> jax.Array:
    """0 below -1, `x` above 1, and `(x + 1)**2 / 4` between.

    Example:

    >>> sparse_plus([-2.0, 0.0, 2.0]).tolist()
    [0.0, 0.25, 2.0]
    """
    ...


@make_op(inexact(jax.nn.sparse_sigmoid), FLOATING)
def sparse_sigmoid(x: TensorLike) -> jax.Array:
    """`(x + 1) / 2`, limited to [0, 1].

    Example:

    >>> sparse_sigmoid([-2.0, 0.0, 0.5]).tolist()
    [0.0, 0.5, 0.75]
    """
    ...


@make_op(inexact(in_float32(jax.nn.squareplus)))
def squareplus(x: TensorLike, b: float = 4) -> jax.Array:
    """`(x + sqrt(x**2 + b)) / 2`.

    Args:
        x: array of any shape; booleans and integers are cast to `floatx()`.
        b: smoothness; 0 for `relu`.

    Returns:
        Array of the shape of `x`, with a floating-point dtype.

    Example:

    >>> squareplus([0.0, 1.5]).tolist()
    [1.0, 2.0]

    Reference:
        [Barron, 2021](https://arxiv.org/abs/2112.11687)
    """
    ...


@make_op(inexact(jnp.tanh), FLOATING)
def tanh(x: TensorLike) -> jax.Array:
    """Hyperbolic tangent.

    Example:

    >>> print(np.asarray(tanh([-1.0, 0.0, 1.0])).round(4))
    [-0.7616  0.      0.7616]
    """
    ...


@make_op(inexact(lambda x: x - jnp.tanh(x)), FLOATING)
def tanh_shrink(x: TensorLike) -> jax.Array:
    """`x - tanh(x)`.

    Example:

    >>> print(np.asarray(tanh_shrink([-1.0, 0.0, 1.0])).round(4))
    [-0.2384  0.      0.2384]
    """
    ...


@op
def threshold(x: TensorLike, threshold: float, default_value: float) -> jax.Array:
    """`x` where it is above a threshold, else a default value.

    Args:
        x: array of any shape.
        threshold: the threshold.
        default_value: the value elsewhere.

    Returns:
        Array of the shape of `x`.

    Example:

    >>> threshold([-1.0, 0.3, 2.0], 0.5, 9.0).tolist()
    [9.0, 9.0, 2.0]
    """
    x = as_array(x)
    return jnp.where(x > threshold, x, default_value)


def _normalized(function: Callable[..., jax.Array], x: Any, axis: Any) -> jax.Array:
    return inexact(function)(as_array(x), axis=tuple(axis) if isinstance(axis, list) else axis)


@op
def softmax(x: TensorLike, axis: int | Sequence[int] = -1) -> jax.Array:
    """`exp(x) / sum(exp(x))`: positive numbers that sum to one.

    Args:
        x: array with at least one axis; booleans and integers are cast to `floatx()`.
        axis: axis or axes over which the result sums to one.

    Returns:
        Array of the shape of `x`, with a floating-point dtype.

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
    return _normalized(jax.nn.softmax, x, axis)


@op
def log_softmax(x: TensorLike, axis: int | Sequence[int] = -1) -> jax.Array:
    """`x - log(sum(exp(x)))`, the logarithm of the softmax.

    Args:
        x: array with at least one axis; booleans and integers are cast to `floatx()`.
        axis: axis or axes over which the softmax sums to one.

    Returns:
        Array of the shape of `x`, with a floating-point dtype.

    Example:

    >>> print(np.asarray(log_softmax([0.0, 0.0])).round(4))
    [-0.6931 -0.6931]
    """
    return _normalized(jax.nn.log_softmax, x, axis)


@op
def sparsemax(x: TensorLike, axis: int = -1) -> jax.Array:
    """A softmax that is exactly zero for small values, as Keras computes it.

    With `z` sorted in decreasing order and `k` the largest count with `1 + k z_k > z_1 + ... + z_k`, the paper
    subtracts `(z_1 + ... + z_k - 1) / k`. Keras adds up the partial sums instead of taking the last one, so that its
    result is smaller, and does not sum to one, where several elements are kept. This op returns Keras's numbers.

    Args:
        x: floating-point array with at least one axis.
        axis: axis along which to compute.

    Returns:
        Array of the shape and dtype of `x`.

    Example:

    >>> sparsemax([2.0, 0.5, 0.0]).tolist()
    [1.0, 0.0, 0.0]

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
