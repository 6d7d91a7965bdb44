"""Update rules: pure functions that compute the next value of one parameter.

A rule does not know names, trees, variables or options; `Optimizer` applies it to every leaf. It returns the new
parameter rather than an update to add, because some rules (Ftrl, Schedule-Free) set the value, and so that exactly
`p - lr * g` is compiled. `to_optax` makes an `optax.GradientTransformation` from any optimizer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import random

Array = jax.Array
Slots = dict[str, Any]
Scalars = Mapping[str, Any]


class Slot(NamedTuple):
    """The initial value of an array that an optimizer keeps for each parameter.

    Attributes:
        fill: the value of every element, or None to start as a copy of the parameter.
        shape: its shape; that of the parameter by default.
        dtype: its dtype; that of the parameter by default.
    """

    fill: float | None = 0.0
    shape: tuple[int, ...] | None = None
    dtype: str | None = None

    def array(self, p: Array) -> Array:
        """The initial array for parameter `p`."""
        if self.fill is None:
            return jnp.array(p, copy=True)
        if not random.is_eager(p):
            return jnp.full_like(p, self.fill, shape=self.shape, dtype=self.dtype)
        # With NumPy, because `jnp.full_like` compiles a program for every new shape.
        array = np.full(p.shape if self.shape is None else self.shape, self.fill, self.dtype or p.dtype)
        follow = self.shape is None and getattr(p, "committed", False)
        return jax.device_put(array, p.sharding if follow else None)


def _rate_only(lr: Array, count: Array, shared: Scalars) -> Scalars:
    return {"lr": lr}


class Rule(NamedTuple):
    """The pure functions that update one parameter.

    Attributes:
        slots: `(p) -> {name: Slot}`; `p` is anything with a shape.
        step: `(p, g, slots, scalars) -> (new p, new slots)`; all arrays have the dtype of `p`.
        scalars: `(lr, count, shared) -> {name: scalar}`, computed once per step and dtype, at least in float32; `count`
            is the number of steps taken before this one.
        shared: the initial values of scalars that are part of the state; `scalars` returns the new values under the
            same names.
        elementwise: whether an element of the results depends on the same element of `p`, `g` and the slots only, which
            all have one shape, so that `step` may be given vectors.
    """

    slots: Callable[[Any], dict[str, Slot]]
    step: Callable[[Array, Array, Slots, Scalars], tuple[Array, Slots]]
    scalars: Callable[[Array, Array, Scalars], Scalars] = _rate_only
    shared: Mapping[str, float] = {}
    elementwise: bool = False


def slots_like_parameter(**fills: float | None) -> Callable[[Any], dict[str, Slot]]:
    """Slots with the parameter's shape and dtype, from their names and initial values."""
    return lambda p: {name: Slot(fill) for name, fill in fills.items()}


def scalar(value: Any, dtype: Any) -> Array:
    """A new scalar array, made without compiling a program."""
    return jax.device_put(np.array(value, dtype))


def cast(x: Any, dtype: Any) -> Any:
    """`x` in `dtype`; no operation if it has that dtype."""
    if getattr(x, "dtype", None) == dtype:
        return x
    return jnp.asarray(x, dtype)


def ordinal(count: Array, dtype: Any) -> Array:
    """The number of this step, counting from 1."""
    return cast(count + 1, dtype)


def one_minus(x: float, dtype: Any) -> float:
    """`1 - x`, computed in `dtype` or in float32, whichever is wider."""
    kind = np.float64 if dtype == np.float64 else np.float32
    return float(kind(1) - kind(x))
