"""Products of arrays, diagonals and triangles, and `vectorize`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core.symbolic import op
from jaxkeras.ops import _output_specs
from jaxkeras.ops._arrays import TensorLike, as_operand
from jaxkeras.ops._make_op import SAME, make_op


@make_op(jnp.correlate)
def correlate(x1: TensorLike, x2: TensorLike, mode: str = "valid") -> jax.Array:
    """Cross-correlation of two vectors.

    Args:
        x1: vector of length `m`.
        x2: vector of length `n`.
        mode: `"valid"` where the vectors overlap completely, `"full"` where they overlap at all, `"same"` for the
            center of that.

    Returns:
        Vector of length `max(m, n) - min(m, n) + 1`, `m + n - 1` or `max(m, n)`, by mode.

    Example:

    >>> correlate([1.0, 2.0, 3.0], [1.0, 1.0]).tolist()
    [3.0, 5.0]
    """
    ...


@make_op(jnp.cross)
def cross(
    x1: TensorLike, x2: TensorLike, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> jax.Array:
    """Cross product of vectors with two or three components.

    Args:
        x1: array of vectors.
        x2: array of vectors that broadcasts with `x1`.
        axisa: axis of the components of `x1`.
        axisb: axis of the components of `x2`.
        axisc: axis of the components of the result.
        axis: stands for all three.

    Returns:
        Array of vectors; of scalars if both have two components.

    Example:

    >>> cross([1, 0, 0], [0, 1, 0]).tolist()
    [0, 0, 1]
    """
    ...


@make_op(jnp.diag, output_spec=_output_specs.diag)
def diag(x: TensorLike, k: int = 0) -> jax.Array:
    """Diagonal of a matrix, or matrix with a given diagonal.

    Args:
        x: matrix or vector.
        k: offset of the diagonal: 0 for the main one, positive above it, negative below it.

    Returns:
        Vector for a matrix, matrix for a vector, with the dtype of `x`.

    Example:

    >>> diag([1, 2]).tolist()
    [[1, 0], [0, 2]]
    """
    ...


@make_op(jnp.diagflat, "Matrix with the dtype of `x`.")
def diagflat(x: TensorLike, k: int = 0) -> jax.Array:
    """Matrix with the flattened array as its diagonal.

    Example:

    >>> diagflat([[1, 2]]).tolist()
    [[1, 0], [0, 2]]
    """
    ...


def _diagonal(x: Any, offset: int, axis1: int, axis2: int) -> jax.Array:
    if axis1 % max(jnp.ndim(x), 1) == axis2 % max(jnp.ndim(x), 1):
        raise ValueError(f"`axis1` and `axis2` must be different axes, got {axis1} and {axis2}.")
    return jnp.diagonal(x, offset, axis1, axis2)


@make_op(
    _diagonal,
    "Array of the shape of `x` without `axis1` and `axis2`, with the diagonal as last axis.",
    _output_specs.diagonal,
)
def diagonal(x: TensorLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> jax.Array:
    """Diagonals in the plane of two axes.

    Example:

    >>> diagonal([[1, 2], [3, 4]]).tolist()
    [1, 4]
    """
    ...


@make_op(jnp.dot)
def dot(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Sum of products over the last axis of `x1` and the last but one of `x2`.

    Args:
        x1: array of shape `(*a, n)`, or a scalar.
        x2: array of shape `(*b, n, k)` or `(n,)`, or a scalar.

    Returns:
        Array of shape `(*a, *b, k)` or `a`, with their promoted dtype.

    Example:

    >>> dot([1, 2], [3, 4]).tolist()
    11
    """
    ...


def _accumulator(*operands: Any) -> str | None:
    """Products of 8-bit integers are summed in 32 bits."""
    return "int32" if all(getattr(x, "dtype", None) == "int8" for x in operands) else None


@op
def einsum(subscripts: str, *operands: TensorLike, **kwargs: Any) -> jax.Array:
    """Sum of products in Einstein's notation.

    Args:
        subscripts: axes of the operands and of the result, such as `"ij,jk->ik"`.
        *operands: arrays.
        **kwargs: passed to `jax.numpy.einsum`.

    Returns:
        Array with the promoted dtype of the operands; int32 for int8.

    Example:

    >>> einsum("i,i->", [1, 2], [3, 4]).tolist()
    11
    """
    arrays = tuple(as_operand(x) for x in operands)
    return jnp.einsum(subscripts, *arrays, **{"preferred_element_type": _accumulator(*arrays), **kwargs})


@make_op(jnp.inner)
def inner(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Sum of products over the last axes.

    Args:
        x1: array of shape `(*a, n)`, or a scalar.
        x2: array of shape `(*b, n)`, or a scalar.

    Returns:
        Array of shape `(*a, *b)`, with their promoted dtype.

    Example:

    >>> inner([[1, 2], [3, 4]], [1, 1]).tolist()
    [3, 7]
    """
    ...


@make_op(jnp.kron, "Array of shape `x1.shape * x2.shape`, axis by axis, with their promoted dtype.")
def kron(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Kronecker product: copies of `x2`, each times an element of `x1`.

    Args:
        x1: array of any shape.
        x2: array of any shape.

    Example:

    >>> kron([1, 10], [1, 2]).tolist()
    [1, 2, 10, 20]
    """
    ...


@op
def matmul(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Matrix product over the last two axes; leading axes broadcast.

    Args:
        x1: array of shape `(..., m, n)`, or vector of length `n`.
        x2: array of shape `(..., n, k)`, or vector of length `n`.

    Returns:
        Array of shape `(..., m, k)`, without `m` or `k` for a vector, with the promoted dtype; int32 for int8.

    Example:

    >>> matmul([[1, 2], [3, 4]], [[1, 0], [1, 1]]).tolist()
    [[3, 2], [7, 4]]
    """
    a, b = as_operand(x1), as_operand(x2)
    return jnp.matmul(a, b, preferred_element_type=_accumulator(a, b))


@make_op(jnp.outer, "Matrix of shape `(x1.size, x2.size)`, with their promoted dtype.")
def outer(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Outer product of two flattened arrays.

    Args:
        x1: array of any shape.
        x2: array of any shape.

    Example:

    >>> outer([1, 2], [3, 4]).tolist()
    [[3, 4], [6, 8]]
    """
    ...


@op
def slogdet(x: TensorLike) -> tuple[jax.Array, jax.Array]:
    """Sign of a determinant, and logarithm of its absolute value.

    Args:
        x: array of shape `(..., n, n)`.

    Returns:
        `(sign, log)`, each of shape `(...)`.

    Example:

    >>> sign, log = slogdet([[0.0, 1.0], [1.0, 0.0]])
    >>> float(sign), float(log)
    (-1.0, 0.0)
    """
    sign, log = jnp.linalg.slogdet(as_operand(x))
    return sign, log


@make_op(jnp.tensordot)
def tensordot(x1: TensorLike, x2: TensorLike, axes: int | Sequence[int] | Sequence[Sequence[int]] = 2) -> jax.Array:
    """Sum of products over given axes.

    Args:
        x1: array of any shape.
        x2: array of any shape.
        axes: number of last axes of `x1` and first axes of `x2`, or a pair of lists of axes.

    Returns:
        Array of the remaining axes of `x1` and `x2`, with their promoted dtype.

    Example:

    >>> tensordot([[1, 2], [3, 4]], [[1, 0], [0, 1]], axes=2).tolist()
    5
    """
    ...


@make_op(jnp.trace, "Array of the shape of `x` without `axis1` and `axis2`.")
def trace(x: TensorLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> jax.Array:
    """Sum of the diagonal in the plane of two axes.

    Example:

    >>> trace([[1, 2], [3, 4]]).tolist()
    5
    """
    ...


@make_op(jnp.tril, SAME)
def tril(x: TensorLike, k: int = 0) -> jax.Array:
    """Lower triangles of matrices, zeros above.

    Args:
        x: array of shape `(..., m, n)`.
        k: diagonal above which elements are zero: 0 for the main one, positive above it, negative below it.

    Example:

    >>> tril([[1, 2], [3, 4]]).tolist()
    [[1, 0], [3, 4]]
    """
    ...


@make_op(jnp.triu, SAME)
def triu(x: TensorLike, k: int = 0) -> jax.Array:
    """Upper triangles of matrices, zeros below.

    Args:
        x: array of shape `(..., m, n)`.
        k: diagonal below which elements are zero: 0 for the main one, positive above it, negative below it.

    Example:

    >>> triu([[1, 2], [3, 4]]).tolist()
    [[1, 2], [0, 4]]
    """
    ...


@make_op(jnp.vander)
def vander(x: TensorLike, N: int | None = None, increasing: bool = False) -> jax.Array:
    """Vandermonde matrix, of the powers of a vector.

    Args:
        x: vector.
        N: number of powers; the length of `x` by default.
        increasing: whether powers increase from left to right.

    Returns:
        Array of shape `(len(x), N)`, with the dtype of `x`.

    Example:

    >>> vander([2, 3], 3).tolist()
    [[4, 2, 1], [9, 3, 1]]
    """
    ...


@make_op(jnp.vdot, "Scalar with the promoted dtype.")
def vdot(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """Inner product of two flattened arrays, the first one conjugated.

    Args:
        x1: array of any shape.
        x2: array of the same shape.

    Example:

    >>> vdot([1, 2], [3, 4]).tolist()
    11
    """
    ...


def vectorize(pyfunc: Callable[..., Any], *, excluded: Any = None, signature: str | None = None) -> Callable[..., Any]:
    """Turn a function of scalars (or small arrays) into one of arrays.

    Args:
        pyfunc: the function.
        excluded: positions or names of arguments that are passed as they are.
        signature: axes that the function takes and returns, such as `"(n),(n)->()"`.

    Returns:
        A function of arrays, whose remaining axes broadcast.

    Raises:
        ValueError: for something that cannot be called.

    Example:

    >>> dot = vectorize(lambda x, y: (x * y).sum(), signature="(n),(n)->()")
    >>> dot(np.ones((2, 3)), np.ones(3)).tolist()
    [3.0, 3.0]
    """
    if not callable(pyfunc):
        raise ValueError(f"`pyfunc` must be a function, got {pyfunc!r}.")
    return jnp.vectorize(pyfunc, excluded=excluded or set(), signature=signature)
