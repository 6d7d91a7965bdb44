"""What an update rule is: how one parameter moves, as pure functions of arrays.

A rule knows nothing of names, trees, variables or options; `Optimizer` applies it to every leaf. It returns the new
parameter rather than a difference to add, because some rules (Ftrl, Schedule-Free) set the value, and because
`p - lr * g` is then exactly what is compiled. `to_optax` makes an `optax.GradientTransformation` of any optimizer.
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
    """How an array that accompanies a parameter starts.

    Attributes:
        fill: the value of every element, or None to start as a copy of the parameter.
        shape: its shape, if not the parameter's.
        dtype: its dtype, if not the parameter's.
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
        # By NumPy, because `jnp.full_like` compiles a program for every new shape.
        array = np.full(p.shape if self.shape is None else self.shape, self.fill, self.dtype or p.dtype)
        follow = self.shape is None and getattr(p, "committed", False)
        return jax.device_put(array, p.sharding if follow else None)


def _rate_only(lr: Array, count: Array, shared: Scalars) -> Scalars:
    return {"lr": lr}


class Rule(NamedTuple):
    """A pair of pure functions for one parameter, and the scalars they share.

    Attributes:
        slots: `(p) -> {name: Slot}`, from anything with a shape.
        step: `(p, g, slots, scalars) -> (new p, new slots)`; all arrays have the dtype of `p`.
        scalars: `(lr, count, shared) -> {name: scalar}`, computed once per step and dtype, in float32 at least; `count`
            is the number of steps taken before this one.
        shared: scalars that are carried from step to step, with their first values; `scalars` returns the new ones
            under the same names.
    """

    slots: Callable[[Any], dict[str, Slot]]
    step: Callable[[Array, Array, Slots, Scalars], tuple[Array, Slots]]
    scalars: Callable[[Array, Array, Scalars], Scalars] = _rate_only
    shared: Mapping[str, float] = {}


def slots_like_parameter(**fills: float | None) -> Callable[[Any], dict[str, Slot]]:
    """Slots of the parameter's shape and dtype, by name and initial value."""
    return lambda p: {name: Slot(fill) for name, fill in fills.items()}


def scalar(value: Any, dtype: Any) -> Array:
    """A fresh scalar array, without compiling anything."""
    return jax.device_put(np.array(value, dtype))


def cast(x: Any, dtype: Any) -> Any:
    """`x` in `dtype`, without an operation when it has that dtype."""
    if getattr(x, "dtype", None) == dtype:
        return x
    return jnp.asarray(x, dtype)


def ordinal(count: Array, dtype: Any) -> Array:
    """Which step this is, counting from 1."""
    return cast(count + 1, dtype)


def one_minus(x: float, dtype: Any) -> float:
    """`1 - x` as computed in that dtype, or in float32 if that is wider."""
    kind = np.float64 if dtype == np.float64 else np.float32
    return float(kind(1) - kind(x))
