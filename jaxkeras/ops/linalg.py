"""Linear algebra over the last two axes, leading ones being a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from jaxkeras.core.symbolic import op
from jaxkeras.ops._row import as_array, inexact, row

det = row(jnp.linalg.det, "x", "Determinant.")
eig = row(jnp.linalg.eig, "x", "Eigenvalues and eigenvectors (as columns) of a square matrix. On CPU only.")
eigh = row(jnp.linalg.eigh, "x", "Eigenvalues, increasing, and eigenvectors (as columns) of a Hermitian matrix.")
inv = row(jnp.linalg.inv, "x", "Inverse of a square matrix.")
norm = row(inexact(jnp.linalg.norm), "x", "Norm of vectors or matrices.", ord=None, axis=None, keepdims=False)
solve = row(jnp.linalg.solve, "a b", "The `x` with `a x = b`, `b` being a vector or a matrix of columns.")
svd = row(
    jnp.linalg.svd, "x", "Singular value decomposition: `u`, singular values, `v` transposed.",
    full_matrices=True, compute_uv=True,
)  # fmt: skip


@op
def cholesky(x: Any, upper: bool = False) -> jax.Array:
    """The triangular `L` with `x = L L^T`.

    Args:
        x: positive definite matrices, shape `(..., n, n)`.
        upper: return the transpose of `L`.

    Raises:
        ValueError: for a matrix that is not positive definite (outside `jit`, where values are known).
    """
    factor = jnp.linalg.cholesky(as_array(x), upper=upper)
    if not isinstance(factor, Tracer) and bool(jnp.isnan(factor).any()):
        raise ValueError("The Cholesky decomposition failed: the matrix is not positive definite.")
    return factor


@op
def cholesky_inverse(x: Any, upper: bool = False) -> jax.Array:
    """The inverse of a matrix, from its Cholesky factor.

    Args:
        x: triangular factor, shape `(n, n)`.
        upper: whether it is the upper one.
    """
    x = as_array(x)
    inverse = jax.scipy.linalg.solve_triangular(x, jnp.eye(x.shape[-1], dtype=x.dtype), lower=not upper)
    return inverse @ inverse.T if upper else inverse.T @ inverse


@op
def solve_triangular(a: Any, b: Any, lower: bool = False) -> jax.Array:
    """The `x` with `a x = b`, for a triangular matrix.

    Args:
        a: triangular matrices, shape `(..., n, n)`; the other triangle is not looked at.
        b: right-hand sides, shape `(..., n, k)` or `(..., n)`.
        lower: whether `a` is lower triangular.
    """
    a, b = as_array(a), as_array(b)
    if b.ndim == a.ndim - 1:
        return jax.scipy.linalg.solve_triangular(a, b[..., None], lower=lower)[..., 0]
    return jax.scipy.linalg.solve_triangular(a, b, lower=lower)


@op
def lstsq(a: Any, b: Any, rcond: float | None = None) -> jax.Array:
    """The `x` that makes `a x` closest to `b`.

    Args:
        a: matrix of shape `(m, n)`.
        b: vector or matrix with `m` rows.
        rcond: singular values less than this part of the largest count as zero.
    """
    return jnp.linalg.lstsq(as_array(a), as_array(b), rcond=rcond)[0]


@op
def lu_factor(x: Any) -> tuple[jax.Array, jax.Array]:
    """LU decomposition with pivoting.

    Args:
        x: matrices of shape `(..., m, n)`.

    Returns:
        `(lu, pivots)`: both triangles in one array, and the row exchanged with each row.
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
def matrix_rank(x: Any, tol: float | None = None) -> jax.Array:
    """Number of singular values that are not zero.

    Args:
        x: matrices of shape `(..., m, n)`.
        tol: up to where a singular value counts as zero.

    Returns:
        int32 of shape `(...)`.

    Raises:
        ValueError: for less than two axes.
    """
    return jnp.linalg.matrix_rank(_matrices(x, "matrix_rank"), tol).astype("int32")


@op
def pinv(x: Any, rcond: float | None = None) -> jax.Array:
    """Moore-Penrose pseudo-inverse.

    Args:
        x: matrices of shape `(..., m, n)`.
        rcond: singular values less than this part of the largest count as zero.

    Returns:
        Array of shape `(..., n, m)`.

    Raises:
        ValueError: for less than two axes.
    """
    return jnp.linalg.pinv(_matrices(x, "pinv"), rcond)


@op
def qr(x: Any, mode: str = "reduced") -> tuple[jax.Array, jax.Array]:
    """Decomposition into an orthogonal and an upper triangular matrix.

    Args:
        x: matrices of shape `(..., m, n)`.
        mode: `"reduced"`, or `"complete"` for a square orthogonal matrix.

    Returns:
        `(q, r)`.

    Raises:
        ValueError: for another mode.
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(f"`mode` must be 'reduced' or 'complete', got {mode!r}.")
    q, r = jnp.linalg.qr(as_array(x), mode=mode)
    return q, r


def jvp(fun: Callable[..., Any], primals: Any, tangents: Any, has_aux: bool = False) -> Any:
    """Value and directional derivative of a function.

    Args:
        fun: function of arrays.
        primals: where, a tuple with one entry for each argument.
        tangents: in which direction, a tuple like `primals`.
        has_aux: whether `fun` also returns something that is not differentiated.

    Returns:
        `(value, derivative)`, and the auxiliary result if there is one.
    """
    primals, tangents = (jax.tree.map(as_array, tuple(t)) for t in (primals, tangents))
    return jax.jvp(fun, primals, tangents, has_aux=has_aux)
