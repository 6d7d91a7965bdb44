"""The options that all optimizers share, as pure functions of lists of arrays in which None means "leave alone"."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from jaxkeras.optimizers.rule import Array, cast

Arrays = Sequence[Array | None]


def cond(condition: Array, true_fun: Callable[[], Any], false_fun: Callable[[], Any]) -> Any:
    """`lax.cond`, but outside traces only one branch runs, so that a debugger can step into it."""
    if isinstance(condition, Tracer):
        return jax.lax.cond(condition, true_fun, false_fun)
    return true_fun() if condition else false_fun()


def is_sparse(g: Any) -> bool:
    """Whether a gradient is an array of `jax.experimental.sparse`."""
    return hasattr(g, "todense")


def dense(g: Any) -> Array:
    """A gradient as a dense array."""
    return g.todense() if is_sparse(g) else jnp.asarray(g)


def check_gradients(infos: Sequence[Any], grads: Arrays) -> None:
    """Raise if all gradients are None; warn if some are."""
    missing = [info.path for info, g in zip(infos, grads) if g is None]
    if missing and len(missing) == len(infos):
        raise ValueError(f"No gradients were given for any of the parameters {missing[:5]}.")
    if missing:
        warnings.warn(
            f"There are no gradients for {missing}, which stay as they are. Does the loss depend on them?", stacklevel=4
        )


def clip_by_norm(g: Array, limit: float) -> Array:
    """Scale one gradient so that its 2-norm is at most `limit`."""
    square = jnp.sum(jnp.square(g))
    norm = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), square)
    return g * limit / jnp.maximum(norm, limit)


def global_norm(grads: Arrays) -> Array:
    """The joint 2-norm of all gradients."""
    return jnp.sqrt(jnp.sum(jnp.stack([jnp.sum(jnp.square(g)) for g in grads if g is not None])))


def clip_by_global_norm(grads: Arrays, limit: float) -> list[Array | None]:
    """Scale all gradients by one factor so that their joint 2-norm is at most `limit`.

    If the norm is not finite, all gradients become NaN, so that the failure is not hidden.

    Reference: Pascanu et al., 2013, On the difficulty of training recurrent neural networks,
    https://arxiv.org/abs/1211.5063.
    """
    norm = global_norm(grads)
    scale = limit * jnp.minimum(1.0 / norm, 1.0 / limit) + (norm - norm)
    return [None if g is None else (g * scale).astype(g.dtype) for g in grads]


def clip(
    grads: Arrays, clipnorm: float | None, global_clipnorm: float | None, clipvalue: float | None
) -> list[Array | None]:
    """Clip by the one limit that is set; as in Keras, a limit that is not positive is ignored."""
    if clipnorm and clipnorm > 0:
        return [None if g is None else clip_by_norm(g, clipnorm) for g in grads]
    if global_clipnorm and global_clipnorm > 0:
        return clip_by_global_norm(grads, global_clipnorm)
    if clipvalue and clipvalue > 0:
        return [None if g is None else jnp.clip(g, -clipvalue, clipvalue) for g in grads]
    return list(grads)


def decay(p: Array, rate: float | None, lr: Array) -> Array:
    """`p - p * rate * lr`, or `p` itself if `rate` is None."""
    return p if rate is None else p - p * rate * cast(lr, p.dtype)


def moving_averages(averages: Arrays, params: Sequence[Array], momentum: float, count: Array) -> list[Array | None]:
    """`momentum * average + (1 - momentum) * p`; the first step (`count` 0) copies the parameter."""
    keep = jnp.where(count != 0, momentum, 0.0)

    def average(a: Any, p: Array) -> Any:
        if a is None:
            return None
        m = keep.astype(p.dtype)
        return m * a + (1 - m) * p

    return [average(a, p) for a, p in zip(averages, params)]
