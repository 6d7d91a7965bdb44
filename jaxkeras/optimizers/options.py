"""The options every optimizer has, as pure functions over lists of arrays in which None means "leave alone"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from jaxkeras.optimizers.rule import Array

Arrays = Sequence[Array | None]


def cond(condition: Array, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """`lax.cond`, but outside compiled programs only the branch that is taken runs, where a debugger can follow."""
    if isinstance(condition, Tracer):
        return jax.lax.cond(condition, yes, no)
    return yes() if condition else no()


def clip_by_norm(g: Array, limit: float) -> Array:
    """Scale one gradient so that its 2-norm is at most `limit`."""
    square = jnp.sum(jnp.square(g))
    norm = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), square)
    return g * limit / jnp.maximum(norm, limit)


def global_norm(grads: Arrays) -> Array:
    """The 2-norm of all gradients taken together."""
    return jnp.sqrt(jnp.sum(jnp.stack([jnp.sum(jnp.square(g)) for g in grads if g is not None])))


def clip_by_global_norm(grads: Arrays, limit: float) -> list[Array | None]:
    """Scale all gradients by one factor so that their joint 2-norm is at most `limit`.

    A norm that is not finite makes every gradient NaN, so that nobody trains on. Pascanu et al., "On the difficulty of
    training recurrent neural networks", https://arxiv.org/abs/1211.5063.
    """
    norm = global_norm(grads)
    scale = limit * jnp.minimum(1.0 / norm, 1.0 / limit) + (norm - norm)
    return [None if g is None else (g * scale).astype(g.dtype) for g in grads]


def clip(
    grads: Arrays, clipnorm: float | None, global_clipnorm: float | None, clipvalue: float | None
) -> list[Array | None]:
    """Apply whichever of the three kinds of clipping is set; as in Keras, a limit that is not positive is none."""
    if clipnorm and clipnorm > 0:
        return [None if g is None else clip_by_norm(g, clipnorm) for g in grads]
    if global_clipnorm and global_clipnorm > 0:
        return clip_by_global_norm(grads, global_clipnorm)
    if clipvalue and clipvalue > 0:
        return [None if g is None else jnp.clip(g, -clipvalue, clipvalue) for g in grads]
    return list(grads)


def moving_averages(averages: Arrays, params: Sequence[Array], momentum: float, count: Array) -> list[Array | None]:
    """`momentum * average + (1 - momentum) * p`; the first step (`count` 0) copies the parameter."""
    keep = jnp.where(count != 0, momentum, 0.0)

    def average(a: Any, p: Array) -> Any:
        if a is None:
            return None
        m = keep.astype(p.dtype)
        return m * a + (1 - m) * p

    return [average(a, p) for a, p in zip(averages, params)]
