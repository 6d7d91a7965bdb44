"""Trigonometric and hyperbolic functions, element by element."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxkeras.ops._arrays import TensorLike
from jaxkeras.ops._make_op import FLOATING, PROMOTED_FLOATING, in_float32, inexact, make_op


@make_op(inexact(jnp.arccos), FLOATING)
def arccos(x: TensorLike) -> jax.Array:
    """Inverse cosine, in radians.

    Example:

    >>> print(np.asarray(arccos([1.0, 0.0])).round(4))
    [0.     1.5708]
    """
    ...


@make_op(inexact(jnp.arccosh), FLOATING)
def arccosh(x: TensorLike) -> jax.Array:
    """Inverse hyperbolic cosine.

    Example:

    >>> arccosh([1.0]).tolist()
    [0.0]
    """
    ...


@make_op(inexact(jnp.arcsin), FLOATING)
def arcsin(x: TensorLike) -> jax.Array:
    """Inverse sine, in radians.

    Example:

    >>> print(np.asarray(arcsin([0.0, 1.0])).round(4))
    [0.     1.5708]
    """
    ...


@make_op(inexact(jnp.arcsinh), FLOATING)
def arcsinh(x: TensorLike) -> jax.Array:
    """Inverse hyperbolic sine.

    Example:

    >>> print(np.asarray(arcsinh([0.0, 1.0])).round(4))
    [0.     0.8814]
    """
    ...


@make_op(inexact(jnp.arctan), FLOATING)
def arctan(x: TensorLike) -> jax.Array:
    """Inverse tangent, in radians.

    Example:

    >>> print(np.asarray(arctan([0.0, 1.0])).round(4))
    [0.     0.7854]
    """
    ...


@make_op(jnp.arctan2, PROMOTED_FLOATING)
def arctan2(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Angle of the point `(x2, x1)`, in radians.

    Example:

    >>> print(np.asarray(arctan2([1.0, 0.0], [1.0, -1.0])).round(4))
    [0.7854 3.1416]
    """
    ...


@make_op(inexact(jnp.arctanh), FLOATING)
def arctanh(x: TensorLike) -> jax.Array:
    """Inverse hyperbolic tangent.

    Example:

    >>> print(np.asarray(arctanh([0.0, 0.5])).round(4))
    [0.     0.5493]
    """
    ...


@make_op(inexact(jnp.cos), FLOATING)
def cos(x: TensorLike) -> jax.Array:
    """Cosine of angles in radians.

    Example:

    >>> print(np.asarray(cos([0.0, np.pi])).round(4))
    [ 1. -1.]
    """
    ...


@make_op(inexact(jnp.cosh), FLOATING)
def cosh(x: TensorLike) -> jax.Array:
    """Hyperbolic cosine.

    Example:

    >>> print(np.asarray(cosh([0.0, 1.0])).round(4))
    [1.     1.5431]
    """
    ...


@make_op(inexact(jnp.deg2rad), FLOATING)
def deg2rad(x: TensorLike) -> jax.Array:
    """Angles in degrees, in radians.

    Example:

    >>> print(np.asarray(deg2rad([90.0, 180.0])).round(4))
    [1.5708 3.1416]
    """
    ...


@make_op(inexact(jnp.rad2deg), FLOATING)
def rad2deg(x: TensorLike) -> jax.Array:
    """Angles in radians, in degrees.

    Example:

    >>> print(np.asarray(rad2deg([0.0, np.pi])).round(4))
    [  0. 180.]
    """
    ...


@make_op(inexact(jnp.sin), FLOATING)
def sin(x: TensorLike) -> jax.Array:
    """Sine of angles in radians.

    Example:

    >>> print(np.asarray(sin([0.0, np.pi / 2])).round(4))
    [0. 1.]
    """
    ...


@make_op(inexact(in_float32(jnp.sinc)), FLOATING)
def sinc(x: TensorLike) -> jax.Array:
    """`sin(pi x) / (pi x)`, and 1 at zero.

    Example:

    >>> print(np.asarray(sinc([0.0, 0.5])).round(4))
    [1.     0.6366]
    """
    ...


@make_op(inexact(jnp.sinh), FLOATING)
def sinh(x: TensorLike) -> jax.Array:
    """Hyperbolic sine.

    Example:

    >>> print(np.asarray(sinh([0.0, 1.0])).round(4))
    [0.     1.1752]
    """
    ...


@make_op(inexact(jnp.tan), FLOATING)
def tan(x: TensorLike) -> jax.Array:
    """Tangent of angles in radians.

    Example:

    >>> print(np.asarray(tan([0.0, np.pi / 4])).round(4))
    [0. 1.]
    """
    ...
