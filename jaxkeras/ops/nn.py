"""Neural network ops: activations, convolution, pooling, normalisation, losses."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering
from jaxkeras.core import config
from jaxkeras.core.dtypes import standardize_dtype
from jaxkeras.core.symbolic import op
from jaxkeras.ops._activation import celu as celu
from jaxkeras.ops._activation import elu as elu
from jaxkeras.ops._activation import gelu as gelu
from jaxkeras.ops._activation import glu as glu
from jaxkeras.ops._activation import hard_shrink as hard_shrink
from jaxkeras.ops._activation import hard_sigmoid as hard_sigmoid
from jaxkeras.ops._activation import hard_silu as hard_silu
from jaxkeras.ops._activation import hard_swish as hard_swish
from jaxkeras.ops._activation import hard_tanh as hard_tanh
from jaxkeras.ops._activation import leaky_relu as leaky_relu
from jaxkeras.ops._activation import log_sigmoid as log_sigmoid
from jaxkeras.ops._activation import log_softmax as log_softmax
from jaxkeras.ops._activation import relu as relu
from jaxkeras.ops._activation import relu6 as relu6
from jaxkeras.ops._activation import selu as selu
from jaxkeras.ops._activation import sigmoid as sigmoid
from jaxkeras.ops._activation import silu as silu
from jaxkeras.ops._activation import soft_shrink as soft_shrink
from jaxkeras.ops._activation import softmax as softmax
from jaxkeras.ops._activation import softplus as softplus
from jaxkeras.ops._activation import softsign as softsign
from jaxkeras.ops._activation import sparse_plus as sparse_plus
from jaxkeras.ops._activation import sparse_sigmoid as sparse_sigmoid
from jaxkeras.ops._activation import sparsemax as sparsemax
from jaxkeras.ops._activation import squareplus as squareplus
from jaxkeras.ops._activation import swish as swish
from jaxkeras.ops._activation import tanh_shrink as tanh_shrink
from jaxkeras.ops._activation import threshold as threshold
from jaxkeras.ops._classes import binary_crossentropy as binary_crossentropy
from jaxkeras.ops._classes import categorical_crossentropy as categorical_crossentropy
from jaxkeras.ops._classes import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from jaxkeras.ops._ctc import ctc_decode as ctc_decode
from jaxkeras.ops._ctc import ctc_loss as ctc_loss
from jaxkeras.ops._row import as_array
from jaxkeras.ops._window import adaptive_average_pool as adaptive_average_pool
from jaxkeras.ops._window import adaptive_max_pool as adaptive_max_pool
from jaxkeras.ops._window import average_pool as average_pool
from jaxkeras.ops._window import conv as conv
from jaxkeras.ops._window import conv_transpose as conv_transpose
from jaxkeras.ops._window import depth_to_space as depth_to_space
from jaxkeras.ops._window import depthwise_conv as depthwise_conv
from jaxkeras.ops._window import fold as fold
from jaxkeras.ops._window import max_pool as max_pool
from jaxkeras.ops._window import separable_conv as separable_conv
from jaxkeras.ops._window import space_to_depth as space_to_depth
from jaxkeras.ops._window import unfold as unfold
from jaxkeras.ops.math import complex_of

Sizes = int | Sequence[int]


# -- normalisation --------------------------------------------------------------------------------------------------
@op
def moments(x: Any, axes: Sizes, keepdims: bool = False, synchronized: bool = False) -> tuple[jax.Array, jax.Array]:
    """Mean and variance, computed in float32 for smaller types.

    Args:
        x: array.
        axes: along which.
        keepdims: keep them, with size 1.
        synchronized: kept for compatibility; must be False (under a sharding, statistics are global already).

    Returns:
        `(mean, variance)`.

    Raises:
        NotImplementedError: for `synchronized=True`.
    """
    if synchronized:
        raise NotImplementedError("`synchronized=True` is not supported; sharded arrays give global moments already.")
    x = as_array(x)
    x = x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(config.floatx())
    return lowering.batch_moments(x, axes, keepdims)


@op
def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> jax.Array:
    """`(x - mean) / sqrt(variance + epsilon) * scale + offset`.

    Args:
        x: array.
        mean: vector, of the size of `axis`.
        variance: vector, of the size of `axis`.
        axis: the axis that keeps its own statistics.
        offset: vector, or None for zeros.
        scale: vector, or None for ones.
        epsilon: added to the variance.

    Reference:
        [Ioffe and Szegedy, 2015](https://arxiv.org/abs/1502.03167)
    """
    x = as_array(x)
    shape = [1] * x.ndim
    shape[axis] = -1
    mean, variance, offset, scale = (
        None if v is None else as_array(v).reshape(shape) for v in (mean, variance, offset, scale)
    )
    factor = jax.lax.rsqrt(variance + epsilon)
    factor = factor if scale is None else factor * scale
    shift = -mean * factor
    return x * factor + (shift if offset is None else shift + offset)


@op
def layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: Sizes = -1, epsilon: float | None = None, **kwargs: Any
) -> jax.Array:
    """`(x - mean) / sqrt(variance + epsilon) * gamma + beta`, over some axes of each element.

    Args:
        x: array.
        gamma: array of the sizes of `axis`, or None for ones.
        beta: array of the sizes of `axis`, or None for zeros.
        axis: along which mean and variance are taken.
        epsilon: added to the variance; `epsilon()` by default.
        **kwargs: `rms_scaling=True`, deprecated, leaves out mean and beta.

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
        own = {a % x.ndim for a in axes}
        y = y * gamma.reshape([n if a in own else 1 for a, n in enumerate(x.shape)])
    return y.astype(x.dtype)


@op
def rms_normalization(x: Any, scale: Any = None, axis: Sizes = -1, epsilon: float | None = None) -> jax.Array:
    """`x / sqrt(mean(x^2) + epsilon) * scale`, computed in float32 for smaller types.

    Args:
        x: array.
        scale: array that broadcasts to `x`, or None for ones.
        axis: along which the mean is taken.
        epsilon: added to the mean; `epsilon()` by default.

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
def normalize(x: Any, axis: Sizes = -1, order: int = 2, epsilon: float | None = None) -> jax.Array:
    """Vectors divided by their norm.

    Args:
        x: array.
        axis: along which a vector lies.
        order: of the norm, a positive integer.
        epsilon: least norm to divide by; `epsilon()` by default.

    Raises:
        ValueError: for another order.
    """
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"`order` must be a positive integer, got {order!r}.")
    x = jnp.atleast_1d(as_array(x))
    epsilon = config.epsilon() if epsilon is None else epsilon
    if order == 2:
        return x * jnp.minimum(jax.lax.rsqrt(jnp.sum(jnp.square(x), axis=axis, keepdims=True)), 1.0 / epsilon)
    return x / jnp.maximum(jnp.linalg.norm(x, ord=order, axis=axis, keepdims=True), epsilon)


# -- classes and losses ---------------------------------------------------------------------------------------------
@op
def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> jax.Array:
    """Class indices as vectors that are one at the index and zero elsewhere.

    Args:
        x: integers; those outside the range give zeros.
        num_classes: length of a vector.
        axis: where it is put.
        dtype: of the result; `floatx()` by default.
        sparse: kept for compatibility; must be False.

    Example:

    >>> one_hot([1, 0], 2).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    if sparse:
        raise ValueError("Sparse arrays are not supported; use `sparse=False`.")
    return jax.nn.one_hot(as_array(x), num_classes, axis=axis, dtype=standardize_dtype(dtype))


@op
def multi_hot(
    inputs: Any, num_classes: int | None = None, axis: int = -1, dtype: Any = None, sparse: bool = False, **kwargs: Any
) -> jax.Array:
    """Sets of class indices as vectors that are one at each index of the set.

    Args:
        inputs: integers of shape `(batch, n)` or `(n,)`.
        num_classes: length of a vector.
        axis: where it is put.
        dtype: of the result; `floatx()` by default.
        sparse: kept for compatibility; must be False.
        **kwargs: `num_tokens`, an older name of `num_classes`.

    Raises:
        ValueError: without `num_classes`.
    """
    num_classes = kwargs.pop("num_tokens", None) if num_classes is None else num_classes
    if num_classes is None or kwargs:
        raise ValueError(f"`multi_hot` needs `num_classes`; unknown arguments: {', '.join(kwargs) or 'none'}.")
    x = as_array(inputs)
    return jnp.max(one_hot(x.astype("int32"), num_classes, axis, dtype, sparse), axis=1 if x.ndim > 1 else 0)


@op
def psnr(x1: Any, x2: Any, max_val: float) -> jax.Array:
    """Peak signal-to-noise ratio in decibels, `10 log10(max_val^2 / mean((x1 - x2)^2))`.

    Args:
        x1: array.
        x2: array of the same shape.
        max_val: the largest value possible.

    Raises:
        ValueError: for different shapes.
    """
    x1, x2 = as_array(x1), as_array(x2)
    if x1.shape != x2.shape:
        raise ValueError(f"`x1` and `x2` must have the same shape, got {x1.shape} and {x2.shape}.")
    return 20 * jnp.log10(as_array(max_val, x2.dtype)) - 10 * jnp.log10(jnp.mean(jnp.square(x1 - x2)))


# -- others ---------------------------------------------------------------------------------------------------------
@op
def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> jax.Array:
    """`softmax(scale * query key^T + bias) value`, for several heads.

    Args:
        query: shape `(batch, targets, heads, size)`.
        key: shape `(batch, sources, key_heads, size)`; `key_heads` divides `heads`.
        value: shape `(batch, sources, key_heads, size)`.
        bias: added to the logits; broadcasts to `(batch, heads, targets, sources)`.
        mask: True where a target may look; broadcasts likewise.
        scale: factor of the logits; `1 / sqrt(size)` by default.
        is_causal: whether a target may only look at sources that are not later.
        flash_attention: whether to go through the targets block by block, which needs memory for a block's weights
            only: True, False, or None for what `config.enable_flash_attention` or `disable_flash_attention` says and,
            without either, where it is faster.
        attn_logits_soft_cap: kept for compatibility; must be None.

    Returns:
        Array of shape `(batch, targets, heads, size)`.

    Raises:
        ValueError: for other numbers of axes, or a soft cap.

    Reference:
        [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)
    """
    if attn_logits_soft_cap is not None:
        raise ValueError("`attn_logits_soft_cap` is not supported; use None.")
    bias, mask = (None if a is None else as_array(a) for a in (bias, mask))
    query, key, value = as_array(query), as_array(key), as_array(value)
    output: Any = lowering.dot_product_attention(query, key, value, bias, mask, scale, is_causal, flash=flash_attention)
    return output


@op
def polar(abs_: Any, angle: Any) -> jax.Array:
    """Complex numbers from their absolute values and angles.

    Args:
        abs_: floating-point array.
        angle: floating-point array of the same shape, in radians.
    """
    abs_, angle = as_array(abs_), as_array(angle)
    return complex_of((abs_ * jnp.cos(angle), abs_ * jnp.sin(angle)))
