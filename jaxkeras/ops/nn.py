"""Neural network ops: activations, convolution, pooling, normalization, attention, losses."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import TensorLike, as_array, as_complex
from jaxkeras.ops._namespace import public
from jaxkeras.ops._nn.activations import celu as celu
from jaxkeras.ops._nn.activations import elu as elu
from jaxkeras.ops._nn.activations import gelu as gelu
from jaxkeras.ops._nn.activations import glu as glu
from jaxkeras.ops._nn.activations import hard_shrink as hard_shrink
from jaxkeras.ops._nn.activations import hard_sigmoid as hard_sigmoid
from jaxkeras.ops._nn.activations import hard_silu as hard_silu
from jaxkeras.ops._nn.activations import hard_swish as hard_swish
from jaxkeras.ops._nn.activations import hard_tanh as hard_tanh
from jaxkeras.ops._nn.activations import leaky_relu as leaky_relu
from jaxkeras.ops._nn.activations import log_sigmoid as log_sigmoid
from jaxkeras.ops._nn.activations import log_softmax as log_softmax
from jaxkeras.ops._nn.activations import relu as relu
from jaxkeras.ops._nn.activations import relu6 as relu6
from jaxkeras.ops._nn.activations import selu as selu
from jaxkeras.ops._nn.activations import sigmoid as sigmoid
from jaxkeras.ops._nn.activations import silu as silu
from jaxkeras.ops._nn.activations import soft_shrink as soft_shrink
from jaxkeras.ops._nn.activations import softmax as softmax
from jaxkeras.ops._nn.activations import softplus as softplus
from jaxkeras.ops._nn.activations import softsign as softsign
from jaxkeras.ops._nn.activations import sparse_plus as sparse_plus
from jaxkeras.ops._nn.activations import sparse_sigmoid as sparse_sigmoid
from jaxkeras.ops._nn.activations import sparsemax as sparsemax
from jaxkeras.ops._nn.activations import squareplus as squareplus
from jaxkeras.ops._nn.activations import swish as swish
from jaxkeras.ops._nn.activations import tanh_shrink as tanh_shrink
from jaxkeras.ops._nn.activations import threshold as threshold
from jaxkeras.ops._nn.attention import dot_product_attention as dot_product_attention
from jaxkeras.ops._nn.classification import binary_crossentropy as binary_crossentropy
from jaxkeras.ops._nn.classification import categorical_crossentropy as categorical_crossentropy
from jaxkeras.ops._nn.classification import multi_hot as multi_hot
from jaxkeras.ops._nn.classification import one_hot as one_hot
from jaxkeras.ops._nn.classification import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from jaxkeras.ops._nn.convolution import conv as conv
from jaxkeras.ops._nn.convolution import conv_transpose as conv_transpose
from jaxkeras.ops._nn.convolution import depth_to_space as depth_to_space
from jaxkeras.ops._nn.convolution import depthwise_conv as depthwise_conv
from jaxkeras.ops._nn.convolution import fold as fold
from jaxkeras.ops._nn.convolution import separable_conv as separable_conv
from jaxkeras.ops._nn.convolution import space_to_depth as space_to_depth
from jaxkeras.ops._nn.convolution import unfold as unfold
from jaxkeras.ops._nn.ctc import ctc_decode as ctc_decode
from jaxkeras.ops._nn.ctc import ctc_loss as ctc_loss
from jaxkeras.ops._nn.normalization import batch_normalization as batch_normalization
from jaxkeras.ops._nn.normalization import layer_normalization as layer_normalization
from jaxkeras.ops._nn.normalization import moments as moments
from jaxkeras.ops._nn.normalization import normalize as normalize
from jaxkeras.ops._nn.normalization import rms_normalization as rms_normalization
from jaxkeras.ops._nn.pooling import adaptive_average_pool as adaptive_average_pool
from jaxkeras.ops._nn.pooling import adaptive_max_pool as adaptive_max_pool
from jaxkeras.ops._nn.pooling import average_pool as average_pool
from jaxkeras.ops._nn.pooling import max_pool as max_pool


@op
def psnr(x1: TensorLike, x2: TensorLike, max_val: float) -> jax.Array:
    """Peak signal-to-noise ratio in decibels, `10 log10(max_val**2 / mean((x1 - x2)**2))`.

    Args:
        x1: floating-point array of any shape.
        x2: array of the same shape.
        max_val: the largest possible value.

    Returns:
        Scalar.

    Raises:
        ValueError: for different shapes.

    Example:

    >>> print(np.asarray(psnr([0.0, 1.0], [0.1, 0.9], max_val=1.0)).round(3))
    20.0
    """
    x1, x2 = as_array(x1), as_array(x2)
    if x1.shape != x2.shape:
        raise ValueError(f"`x1` and `x2` must have the same shape, got {x1.shape} and {x2.shape}.")
    return 20 * jnp.log10(as_array(max_val, x2.dtype)) - 10 * jnp.log10(jnp.mean(jnp.square(x1 - x2)))


@op
def polar(abs_: TensorLike, angle: TensorLike) -> jax.Array:
    """Complex numbers from their absolute values and angles, `abs_ exp(1j angle)`.

    Args:
        abs_: floating-point array of any shape.
        angle: floating-point array of the same shape, in radians.

    Returns:
        Complex array of the same shape.

    Raises:
        ValueError: for arrays of different shapes, or with another dtype.

    Example:

    >>> polar([2.0], [0.0]).tolist()
    [(2+0j)]
    """
    abs_, angle = as_array(abs_), as_array(angle)
    return as_complex((abs_ * jnp.cos(angle), abs_ * jnp.sin(angle)))


__all__, __dir__ = public(__name__)
