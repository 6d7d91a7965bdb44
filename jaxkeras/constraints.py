"""Constraints: projections applied to a weight after each update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp

from jaxkeras import registry
from jaxkeras.core import config, lazy_imports
from jaxkeras.lookup import Get, lookup_functions
from jaxkeras.ops._arrays import as_array

__all__ = [
    "Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "deserialize", "get", "max_norm", "min_max_norm",
    "non_neg", "serialize", "unit_norm",
]  # fmt: skip
__dir__ = lazy_imports.public_dir(__name__)

_KIND = "keras.constraints"


@registry.register(_KIND)
class Constraint:
    """Base class of constraints: override `__call__`, and `get_config` if the constructor takes arguments.

    Example:

    >>> class AtMostOne(Constraint):
    ...     def __call__(self, w):
    ...         return jnp.minimum(w, 1.0)
    """

    def __call__(self, w: Any) -> Any:
        """Return the constrained weight.

        Args:
            w: the weight after an update.

        Returns:
            Array of the shape and dtype of `w`.
        """
        return w

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor as plain data."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Create a constraint from the return value of `get_config`."""
        return cls(**config)


def _norms(w: jax.Array, axis: int | Sequence[int]) -> jax.Array:
    axis = tuple(axis) if isinstance(axis, list) else axis
    return jnp.sqrt(jnp.sum(jnp.square(w), axis=axis, keepdims=True))


@registry.register(_KIND)
class MinMaxNorm(Constraint):
    """Scale vectors whose norm is outside an interval, so that it moves towards the interval.

    Args:
        min_value: smallest norm.
        max_value: largest norm.
        rate: in [0, 1]; how far towards the interval an update moves the norm, 1 being all the way.
        axis: axis or axes of a vector: 0 for the incoming weights of a dense layer, `[0, 1, 2]` for the filters of a
            two-dimensional convolution.

    Example:

    >>> MinMaxNorm(1.0, 2.0)(jnp.array([[3.0], [4.0]])).round(3).tolist()
    [[1.2000000476837158], [1.600000023841858]]
    """

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: int | Sequence[int] = 0
    ):
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def __call__(self, w: Any) -> jax.Array:
        w = as_array(w)
        norms = _norms(w, self.axis)
        wanted = self.rate * jnp.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return w * (wanted / (config.epsilon() + norms))

    def get_config(self) -> dict[str, Any]:
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


@registry.register(_KIND)
class MaxNorm(Constraint):
    """Scale down vectors whose norm is too large.

    Args:
        max_value: largest norm.
        axis: axis or axes of a vector: 0 for the incoming weights of a dense layer, `[0, 1, 2]` for the filters of a
            two-dimensional convolution.

    Reference:
        [Srivastava et al., 2014](https://jmlr.org/papers/v15/srivastava14a.html)

    Example:

    >>> MaxNorm(1.0)(jnp.array([[0.6], [0.0]])).round(3).tolist()
    [[0.6000000238418579], [0.0]]
    """

    def __init__(self, max_value: float = 2, axis: int | Sequence[int] = 0):
        self.max_value, self.axis = max_value, axis

    def __call__(self, w: Any) -> jax.Array:
        return MinMaxNorm(0.0, self.max_value, 1.0, self.axis)(w)

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


@registry.register(_KIND)
class NonNeg(Constraint):
    """Set negative weights to zero.

    Example:

    >>> NonNeg()(jnp.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def __call__(self, w: Any) -> jax.Array:
        return jnp.maximum(as_array(w), 0)


@registry.register(_KIND)
class UnitNorm(Constraint):
    """Scale vectors to norm one.

    Args:
        axis: axis or axes of a vector: 0 for the incoming weights of a dense layer, `[0, 1, 2]` for the filters of a
            two-dimensional convolution.

    Example:

    >>> UnitNorm()(jnp.array([[3.0], [4.0]])).round(3).tolist()
    [[0.6000000238418579], [0.800000011920929]]
    """

    def __init__(self, axis: int | Sequence[int] = 0):
        self.axis = axis

    def __call__(self, w: Any) -> jax.Array:
        w = as_array(w)
        return w / (config.epsilon() + _norms(w, self.axis))

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm


get: Get[Callable[[Any], Any] | None]
get, serialize, deserialize = lookup_functions(
    _KIND,
    "constraint",
    accepts="a name such as 'max_norm', a Constraint or its class, a config, or a function of a weight",
    example=""">>> get("max_norm").max_value
2
>>> deserialize(serialize(MaxNorm(3))).max_value
3""",
)
