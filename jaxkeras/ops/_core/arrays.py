"""Conversion of arrays, their dtypes, and gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.dtypes import standardize_dtype
from jaxkeras.core.sparse import densify, is_sparse
from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import DTypeLike, TensorLike, as_array, as_operand, values_of


@op
def convert_to_tensor(
    x: TensorLike, dtype: DTypeLike = None, sparse: bool | None = None, ragged: bool | None = None
) -> jax.Array:
    """Convert anything array-like to a JAX array.

    Args:
        x: array, variable, number, nested list, or a sparse array of JAX or SciPy.
        dtype: dtype of the result; that of `x` by default.
        sparse: False to make sparse arrays dense. By default, those of JAX stay sparse and those of SciPy become
            dense; with True these become sparse arrays of JAX.
        ragged: for compatibility with Keras; must not be True.

    Returns:
        Array of the shape of `x`, dense unless `x` is sparse.

    Raises:
        ValueError: if `ragged` is True.

    Example:

    >>> convert_to_tensor([1, 2]).dtype
    dtype('int32')
    """
    if ragged:
        raise ValueError("Ragged arrays are not supported; use dense ones, with a mask where needed.")
    dtype = None if dtype is None else standardize_dtype(dtype)
    if not hasattr(x, "todense"):
        return as_array(x, dtype)
    return _from_sparse(x, dtype, sparse)


def _from_sparse(x: Any, dtype: str | None, sparse: bool | None) -> Any:
    if not is_sparse(x):  # of SciPy
        if not sparse:
            return as_array(x.todense(), dtype)
        from jax.experimental.sparse import BCOO

        x = BCOO.from_scipy_sparse(x)
    if sparse is False:
        return as_array(densify(x), dtype)
    return x if dtype is None or dtype == x.dtype else x.astype(dtype)


def convert_to_numpy(x: TensorLike) -> np.ndarray:
    """Convert anything array-like to a NumPy array.

    Args:
        x: array, variable, number, nested list or sparse array of JAX.

    Returns:
        A new, writable NumPy array of the shape and dtype of `x`.

    Example:

    >>> convert_to_numpy(jnp.ones(2)).tolist()
    [1.0, 1.0]
    """
    return np.array(as_operand(densify(x)))


def is_tensor(x: Any) -> bool:
    """Whether `x` is a JAX array, dense or sparse (variables and NumPy arrays are not).

    Args:
        x: anything.

    Returns:
        A boolean.

    Example:

    >>> is_tensor(jnp.ones(2)), is_tensor(np.ones(2))
    (True, False)
    """
    return isinstance(x, jax.Array) or is_sparse(x)


def shape(x: TensorLike) -> tuple[int | None, ...]:
    """Shape of an array.

    Args:
        x: array or KerasTensor.

    Returns:
        Tuple of integers, with None for the unknown sizes of a KerasTensor.

    Example:

    >>> shape([[1, 2, 3]])
    (1, 3)
    """
    own: Any = getattr(x, "shape", None)
    return np.shape(as_operand(x)) if own is None else tuple(own)


def dtype(x: TensorLike) -> str:
    """Dtype of an array.

    Args:
        x: array or KerasTensor.

    Returns:
        The name of the dtype.

    Example:

    >>> dtype(jnp.ones(3))
    'float32'
    """
    own: Any = getattr(x, "dtype", None)
    return standardize_dtype(as_array(x).dtype if own is None else own)


@op
def cast(x: TensorLike, dtype: DTypeLike) -> jax.Array:
    """Convert an array to another dtype.

    Args:
        x: array of any shape.
        dtype: the dtype.

    Returns:
        Array of the shape of `x`.

    Example:

    >>> cast([1.7, 2.2], "int32").tolist()
    [1, 2]
    """
    return as_array(x, standardize_dtype(dtype))


def _limits(dtype: Any) -> tuple[Any, Any]:
    if dtype == jnp.bool_:
        return 0, 1
    limits = jnp.iinfo(dtype) if jnp.issubdtype(dtype, jnp.integer) else jnp.finfo(dtype)
    return limits.min, limits.max


@op
def saturate_cast(x: TensorLike, dtype: DTypeLike) -> jax.Array:
    """Convert an array to another dtype, clipping values to its range.

    Args:
        x: array of any shape.
        dtype: the dtype.

    Returns:
        Array of the shape of `x`.

    Example:

    >>> saturate_cast([-5.0, 300.0], "uint8").tolist()
    [0, 255]
    """
    x, target = as_array(x), jnp.dtype(standardize_dtype(dtype))
    source = np.dtype("int32") if x.dtype == bool else x.dtype
    bounds = []
    for limit, own in zip(_limits(target), _limits(source)):
        # In the source dtype, rounding may move a limit away from zero: step back then.
        bound = np.asarray(min(float(own), float(limit)) if limit > 0 else max(float(own), float(limit))).astype(source)
        if abs(float(bound)) > abs(float(limit)):
            bound = np.nextafter(bound, np.zeros((), source))
        bounds.append(bound)
    result = jnp.clip(x.astype(source), *bounds).astype(target)
    if jnp.issubdtype(source, jnp.floating) and jnp.issubdtype(target, jnp.integer):
        # The source dtype cannot express the limit: numbers beyond the last one before it are beyond the limit.
        for limit, bound, beyond in zip(_limits(target), bounds, (jnp.less, jnp.greater)):
            if float(bound) != limit:
                result = jnp.where(beyond(x, bound), np.asarray(limit, target), result)
    return result


@op
def stop_gradient(variable: TensorLike) -> jax.Array:
    """Treat an array as a constant in differentiation.

    Args:
        variable: array of any shape.

    Returns:
        The same array.

    Example:

    >>> jax.grad(lambda x: x * stop_gradient(x))(3.0).tolist()
    3.0
    """
    return jax.lax.stop_gradient(as_array(variable))


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Define the gradient of a function.

    Args:
        f: function of arrays that returns its value and a function; that one takes the gradient with respect to the
            value, and returns those with respect to the arguments.

    Returns:
        A function of the same arguments that returns the value.

    Example:

    >>> @custom_gradient
    ... def straight_through(x):
    ...     return jnp.round(x), lambda upstream: upstream
    >>> float(jax.grad(straight_through)(0.3))
    1.0
    """
    inner = jax.custom_gradient(f)

    def call(*args: Any, **kwargs: Any) -> Any:
        return inner(*values_of(args), **values_of(kwargs))

    call.__name__, call.__doc__ = getattr(f, "__name__", "custom_gradient"), f.__doc__
    return call


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Gradient of a function, as a function.

    Args:
        f: function of arrays, or nested structures of them, that returns a scalar.
        argnums: position or positions of the arguments to differentiate with respect to.

    Returns:
        A function of the same arguments that returns the gradient, a structure like the argument; a tuple of gradients
        for a sequence `argnums`.

    Example:

    >>> float(grad(lambda x: x * x)(3.0))
    6.0
    >>> [float(g) for g in grad(lambda x, y: x * y, argnums=(0, 1))(2.0, 5.0)]
    [5.0, 2.0]
    """
    gradient = jax.grad(f, argnums if isinstance(argnums, int) else tuple(argnums))

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        return gradient(*values_of(args), **values_of(kwargs))

    return call
