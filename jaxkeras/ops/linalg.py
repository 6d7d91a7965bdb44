"""Linear algebra over the last two axes; leading axes are batch axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from jaxkeras.core.symbolic import op
from jaxkeras.ops import _output_specs
from jaxkeras.ops._arrays import Axes, TensorLike, as_array
from jaxkeras.ops._make_op import inexact, make_op
from jaxkeras.ops._namespace import public


@op(output_spec=_output_specs.square)
def cholesky(x: TensorLike, upper: bool = False) -> jax.Array:
    """Cholesky decomposition: the lower triangular `L` with `x = L L^T`.

    Args:
        x: array of shape `(..., n, n)`, positive definite matrices.
        upper: whether to return the transpose of `L`.

    Returns:
        Array of shape `(..., n, n)`.

    Raises:
        ValueError: for a matrix that is not positive definite (outside `jit`, where values are known).

    Example:

    >>> cholesky([[4.0, 2.0], [2.0, 2.0]]).tolist()
    [[2.0, 0.0], [1.0, 1.0]]
    """
    factor = jnp.linalg.cholesky(as_array(x), upper=upper)
    if not isinstance(factor, Tracer) and bool(jnp.isnan(factor).any()):
        raise ValueError("The Cholesky decomposition failed: the matrix is not positive definite.")
    return factor


@op(output_spec=_output_specs.square)
def cholesky_inverse(x: TensorLike, upper: bool = False) -> jax.Array:
    """Inverse of a matrix, from its Cholesky factor.

    Args:
        x: array of shape `(..., n, n)`, the triangular factor.
        upper: whether it is the upper triangular one.

    Returns:
        Array of shape `(..., n, n)`.

    Example:

    >>> cholesky_inverse([[2.0, 0.0], [0.0, 1.0]]).tolist()
    [[0.25, 0.0], [0.0, 1.0]]
    """
    x = as_array(x)
    identity = jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape)
    inverse = jax.scipy.linalg.solve_triangular(x, identity, lower=not upper)
    transposed = jnp.swapaxes(inverse, -1, -2)
    return inverse @ transposed if upper else transposed @ inverse


@make_op(jnp.linalg.det, output_spec=_output_specs.square)
def det(x: TensorLike) -> jax.Array:
    """Determinant.

    Args:
        x: array of shape `(..., n, n)`.

    Returns:
        Array of shape `(...)`, with a floating-point or complex dtype.

    Example:

    >>> det([[2.0, 0.0], [1.0, 3.0]]).tolist()
    6.0
    """
    ...


@make_op(jnp.linalg.eig, output_spec=_output_specs.square)
def eig(x: TensorLike) -> tuple[jax.Array, jax.Array]:
    """Eigenvalues and eigenvectors of square matrices. JAX computes them on the CPU only.

    Args:
        x: array of shape `(..., n, n)`.

    Returns:
        `(values, vectors)`, complex arrays of shape `(..., n)` and `(..., n, n)`, the vectors as columns.

    Example:

    >>> values, vectors = eig([[2.0, 0.0], [0.0, 3.0]])
    >>> values.tolist()
    [(2+0j), (3+0j)]
    """
    ...


@make_op(jnp.linalg.eigh, output_spec=_output_specs.square)
def eigh(x: TensorLike) -> tuple[jax.Array, jax.Array]:
    """Eigenvalues and eigenvectors of Hermitian matrices.

    Args:
        x: array of shape `(..., n, n)`.

    Returns:
        `(values, vectors)`, of shape `(..., n)`, in increasing order, and `(..., n, n)`, the vectors as columns.

    Example:

    >>> values, vectors = eigh([[0.0, 1.0], [1.0, 0.0]])
    >>> print(np.asarray(values).round(4))
    [-1.  1.]
    """
    ...


@make_op(jnp.linalg.inv, output_spec=_output_specs.square)
def inv(x: TensorLike) -> jax.Array:
    """Inverse of square matrices.

    Args:
        x: array of shape `(..., n, n)`.

    Returns:
        Array of shape `(..., n, n)`; infinite or NaN for a singular matrix.

    Example:

    >>> inv([[2.0, 0.0], [0.0, 4.0]]).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    ...


@op
def jvp(fun: Callable[..., Any], primals: Any, tangents: Any, has_aux: bool = False) -> Any:
    """Value and directional derivative of a function (a Jacobian-vector product).

    Args:
        fun: function of arrays.
        primals: the point, a tuple with one entry for each argument.
        tangents: the direction, a tuple like `primals`.
        has_aux: whether `fun` returns a pair of the value and something that is not differentiated.

    Returns:
        `(value, derivative)`, and the auxiliary result if there is one.

    Example:

    >>> value, derivative = jvp(lambda x: x * x, (3.0,), (1.0,))
    >>> float(value), float(derivative)
    (9.0, 6.0)
    """
    primals, tangents = (jax.tree.map(as_array, tuple(t)) for t in (primals, tangents))
    return jax.jvp(fun, primals, tangents, has_aux=has_aux)


@op
def lstsq(a: TensorLike, b: TensorLike, rcond: float | None = None) -> jax.Array:
    """Least squares: the `x` that minimizes the norm of `a x - b`.

    Args:
        a: array of shape `(m, n)`.
        b: array of shape `(m,)` or `(m, k)`.
        rcond: singular values smaller than `rcond` times the largest one count as zero; the precision of the dtype
            times `max(m, n)` by default.

    Returns:
        Array of shape `(n,)` or `(n, k)`.

    Example:

    >>> print(np.asarray(lstsq([[1.0], [1.0]], [2.0, 4.0])).round(4))
    [3.]
    """
    return jnp.linalg.lstsq(as_array(a), as_array(b), rcond=rcond)[0]


@op
def lu_factor(x: TensorLike) -> tuple[jax.Array, jax.Array]:
    """LU decomposition with partial pivoting.

    Args:
        x: array of shape `(..., m, n)`.

    Returns:
        `(lu, pivots)`: both triangular factors in one array of shape `(..., m, n)`, and an int32 array of shape
        `(..., min(m, n))`, the row with which each row was exchanged.

    Example:

    >>> lu, pivots = lu_factor([[0.0, 2.0], [1.0, 3.0]])
    >>> lu.tolist(), pivots.tolist()
    ([[1.0, 3.0], [0.0, 2.0]], [1, 1])
    """
    x = as_array(x)
    factor: Callable[..., Any] = jax.scipy.linalg.lu_factor
    for _ in range(x.ndim - 2):
        factor = jax.vmap(factor)
    return factor(x)


def _matrices(x: Any, name: str) -> jax.Array:
    x = as_array(x)
    if x.ndim < 2:
        raise ValueError(f"`{name}` takes matrices, got shape {x.shape}.")
    return x


@op
def matrix_power(x: TensorLike, n: int) -> jax.Array:
    """Square matrices to an integer power, by repeated squaring.

    Args:
        x: array of shape `(..., m, m)`.
        n: the power: 0 for the identity, negative for powers of the inverse.

    Returns:
        Array of shape `(..., m, m)`.

    Raises:
        TypeError: for `n` that is not an integer.
        ValueError: for an array that does not hold square matrices.

    Example:

    >>> matrix_power([[1.0, 1.0], [0.0, 1.0]], 3).tolist()
    [[1.0, 3.0], [0.0, 1.0]]
    """
    if not isinstance(n, int):
        raise TypeError(f"`n` must be an integer, got {n!r}.")
    x = _matrices(x, "matrix_power")
    if x.shape[-2] != x.shape[-1]:
        raise ValueError(f"`matrix_power` takes square matrices, got shape {x.shape}.")
    return jnp.linalg.matrix_power(x, n)


@op
def matrix_rank(x: TensorLike, tol: float | None = None) -> jax.Array:
    """Rank of matrices: the number of singular values that are not zero.

    Args:
        x: array of shape `(..., m, n)`.
        tol: singular values up to `tol` count as zero; relative to the largest one and the precision of the dtype by
            default.

    Returns:
        int32 array of shape `(...)`.

    Raises:
        ValueError: for fewer than two axes.

    Example:

    >>> int(matrix_rank([[1.0, 2.0], [2.0, 4.0]]))
    1
    """
    return jnp.linalg.matrix_rank(_matrices(x, "matrix_rank"), tol).astype("int32")


@make_op(inexact(jnp.linalg.norm))
def norm(x: TensorLike, ord: int | float | str | None = None, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Norm of vectors or matrices.

    Args:
        x: array of any shape; booleans and integers are cast to `floatx()`.
        ord: order of the norm, as for `numpy.linalg.norm`; by default the Euclidean norm of the elements.
        axis: axis of the vectors, or two axes of the matrices; None for all elements.
        keepdims: whether to keep the reduced axes with size 1.

    Returns:
        Array of the shape of `x` without the reduced axes.

    Example:

    >>> norm([3.0, 4.0]).tolist()
    5.0
    """
    ...


@op
def pinv(x: TensorLike, rcond: float | None = None) -> jax.Array:
    """Moore-Penrose pseudo-inverse.

    Args:
        x: array of shape `(..., m, n)`.
        rcond: singular values smaller than `rcond` times the largest one count as zero; ten times the precision of the
            dtype times `max(m, n)` by default.

    Returns:
        Array of shape `(..., n, m)`.

    Raises:
        ValueError: for fewer than two axes.

    Example:

    >>> print(np.asarray(pinv([[2.0], [0.0]])).round(4))
    [[0.5 0. ]]
    """
    return jnp.linalg.pinv(_matrices(x, "pinv"), rcond)


@op
def qr(x: TensorLike, mode: str = "reduced") -> tuple[jax.Array, jax.Array]:
    """QR decomposition, into an orthogonal and an upper triangular matrix.

    Args:
        x: array of shape `(..., m, n)`.
        mode: `"reduced"`, or `"complete"` for a square orthogonal matrix.

    Returns:
        `(q, r)`, of shape `(..., m, k)` and `(..., k, n)`, with `k = min(m, n)` or, if complete, `k = m`.

    Raises:
        ValueError: for another mode.

    Example:

    >>> q, r = qr([[3.0], [4.0]])
    >>> print(np.abs(q).round(4), np.abs(r).round(4))
    [[0.6]
     [0.8]] [[5.]]
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(f"`mode` must be 'reduced' or 'complete', got {mode!r}.")
    q, r = jnp.linalg.qr(as_array(x), mode=mode)
    return q, r


def _solve(a: Any, b: Any) -> jax.Array:
    if jnp.ndim(b) == jnp.ndim(a) - 1:
        return jnp.linalg.solve(a, jnp.asarray(b)[..., None])[..., 0]
    return jnp.linalg.solve(a, b)


@make_op(_solve, output_spec=_output_specs.solve)
def solve(a: TensorLike, b: TensorLike) -> jax.Array:
    """Solve `a x = b` for `x`.

    Args:
        a: array of shape `(..., n, n)`.
        b: array of shape `(..., n)` or `(..., n, k)`.

    Returns:
        Array of the shape of `b`.

    Example:

    >>> solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0]).tolist()
    [1.0, 0.5]
    """
    ...


@op(output_spec=_output_specs.solve)
def solve_triangular(a: TensorLike, b: TensorLike, lower: bool = False) -> jax.Array:
    """Solve `a x = b` for `x`, for triangular matrices.

    Args:
        a: array of shape `(..., n, n)`; the other triangle is not read.
        b: array of shape `(..., n, k)` or `(..., n)`.
        lower: whether `a` is lower triangular.

    Returns:
        Array of the shape of `b`.

    Example:

    >>> solve_triangular([[2.0, 1.0], [0.0, 1.0]], [3.0, 1.0]).tolist()
    [1.0, 1.0]
    """
    a, b = as_array(a), as_array(b)
    if b.ndim == a.ndim - 1:
        return jax.scipy.linalg.solve_triangular(a, b[..., None], lower=lower)[..., 0]
    return jax.scipy.linalg.solve_triangular(a, b, lower=lower)


@make_op(jnp.linalg.svd)
def svd(x: TensorLike, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Singular value decomposition, `x = u diag(s) vh`.

    Args:
        x: array of shape `(..., m, n)`.
        full_matrices: whether `u` and `vh` are square; else they have only `k = min(m, n)` columns and rows.
        compute_uv: whether to return `u` and `vh`, too.

    Returns:
        `(u, s, vh)`, of shape `(..., m, m)`, `(..., k)` and `(..., n, n)`, or `s` only. Singular values decrease.

    Example:

    >>> svd([[3.0, 0.0], [0.0, 4.0]], compute_uv=False).tolist()
    [4.0, 3.0]
    """
    ...


__all__, __dir__ = public(__name__)
