"""Activation functions of arrays, variables and KerasTensors, and their lookup by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import registry
from jaxkeras.core import lazy_imports
from jaxkeras.core.symbolic import op
from jaxkeras.lookup import Get, lookup_functions
from jaxkeras.ops._arrays import as_array
from jaxkeras.ops._nn import activations as _activations
from jaxkeras.ops._nn.activations import celu as celu
from jaxkeras.ops._nn.activations import elu as elu
from jaxkeras.ops._nn.activations import glu as glu
from jaxkeras.ops._nn.activations import hard_shrink as hard_shrink
from jaxkeras.ops._nn.activations import hard_sigmoid as hard_sigmoid
from jaxkeras.ops._nn.activations import hard_silu as hard_silu
from jaxkeras.ops._nn.activations import hard_swish as hard_swish
from jaxkeras.ops._nn.activations import hard_tanh as hard_tanh
from jaxkeras.ops._nn.activations import leaky_relu as leaky_relu
from jaxkeras.ops._nn.activations import log_sigmoid as log_sigmoid
from jaxkeras.ops._nn.activations import log_softmax as log_softmax
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
from jaxkeras.ops._nn.activations import tanh as tanh
from jaxkeras.ops._nn.activations import tanh_shrink as tanh_shrink
from jaxkeras.ops._nn.activations import threshold as threshold

__all__ = [
    "celu", "deserialize", "elu", "exponential", "gelu", "get", "glu", "hard_shrink", "hard_sigmoid", "hard_silu",
    "hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu",
    "serialize", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid",
    "sparsemax", "squareplus", "swish", "tanh", "tanh_shrink", "threshold",
]  # fmt: skip
__dir__ = lazy_imports.public_dir(__name__)

_KIND = "keras.activations"


@op
def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> jax.Array:
    """Rectified linear unit with an optional slope, maximum and threshold.

    `x` above `threshold` and at most `max_value`; `negative_slope * (x - threshold)` below the threshold.

    Args:
        x: array of any shape.
        negative_slope: slope below the threshold.
        max_value: upper limit; None for none.
        threshold: where the two parts meet.

    Returns:
        Array of the shape and dtype of `x`.

    Example:

    >>> relu(jnp.array([-2.0, 3.0, 9.0]), max_value=6.0).tolist()
    [0.0, 3.0, 6.0]
    """
    x = as_array(x)
    if not threshold and max_value is None:
        return jax.nn.leaky_relu(x, negative_slope) if negative_slope else jax.nn.relu(x)
    y = jnp.where(x > jnp.asarray(threshold, x.dtype), x, 0) if threshold else jax.nn.relu(x)
    if max_value is not None:
        y = jnp.clip(y, 0, max_value).astype(y.dtype)
    return y - negative_slope * jax.nn.relu(threshold - x) if negative_slope else y


@op
def gelu(x: Any, approximate: bool = False) -> jax.Array:
    """Gaussian error linear unit, `x * cdf(x)` with the cumulative normal distribution `cdf`.

    Args:
        x: floating array of any shape.
        approximate: whether to use the tanh approximation.

    Returns:
        Array of the shape and dtype of `x`.

    Reference: [Hendrycks and Gimpel, 2016](https://arxiv.org/abs/1606.08415).

    Example:

    >>> print(gelu(jnp.array([-1.0, 0.0, 1.0])).round(3))
    [-0.15900001  0.          0.841     ]
    """
    return _activations.gelu(x, approximate=approximate)


@op
def exponential(x: Any) -> jax.Array:
    """Exponential function, `exp(x)`.

    Args:
        x: floating array of any shape.

    Returns:
        Array of the shape and dtype of `x`.

    Example:

    >>> exponential(jnp.zeros(2)).tolist()
    [1.0, 1.0]
    """
    return jnp.exp(as_array(x))


@op
def linear(x: Any) -> Any:
    """Identity function: no activation.

    Args:
        x: anything.

    Returns:
        `x` itself.

    Example:

    >>> linear(3.0)
    3.0
    """
    return x


@op
def mish(x: Any) -> jax.Array:
    """Mish, `x * tanh(softplus(x))`.

    Args:
        x: floating array of any shape.

    Returns:
        Array of the shape and dtype of `x`.

    Reference: [Misra, 2019](https://arxiv.org/abs/1908.08681).

    Example:

    >>> print(mish(jnp.array([-1.0, 0.0, 1.0])).round(3))
    [-0.303       0.          0.86500007]
    """
    x = as_array(x)
    return x * jnp.tanh(jax.nn.softplus(x))


_ALIASES = {"silu": ("swish",), "hard_silu": ("hard_swish",)}
for _function in (
    celu, elu, exponential, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_tanh, leaky_relu, linear,
    log_sigmoid, log_softmax, mish, relu, relu6, selu, sigmoid, silu, soft_shrink, softmax, softplus, softsign,
    sparse_plus, sparse_sigmoid, sparsemax, squareplus, tanh, tanh_shrink, threshold,
):  # fmt: skip
    registry.register(_KIND, *_ALIASES.get(_function.__name__, ()))(_function)
del _function


get: Get[Callable[..., Any]]
get, _serialize, deserialize = lookup_functions(
    _KIND,
    "activation",
    convert=lambda identifier: linear if identifier is None else identifier,
    accepts="a name such as 'relu', a function of an array, a layer, or a config",
    example=""">>> get("swish") is silu
True
>>> serialize(silu), deserialize("silu") is silu
('silu', True)""",
)


def serialize(activation: Callable[..., Any]) -> Any:
    """Return the config of an activation.

    Args:
        activation: a function or a layer.

    Returns:
        The name of a built-in function, else a dict in Keras's format.

    Raises:
        ValueError: for a lambda.

    Example:

    >>> serialize(relu)
    'relu'
    """
    config = _serialize(activation)
    name = config.get("config")
    is_built_in = isinstance(name, str) and registry.registered(_KIND).get(name) is activation
    return name if is_built_in else config
