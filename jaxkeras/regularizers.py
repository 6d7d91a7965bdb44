"""Regularizers: penalties on weights, added to the loss."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import registry
from jaxkeras.core import lazy_imports
from jaxkeras.lookup import Get, lookup_functions
from jaxkeras.ops._arrays import as_array
from jaxkeras.ops.nn import normalize

__all__ = [
    "L1", "L1L2", "L2", "OrthogonalRegularizer", "Regularizer", "deserialize", "get", "l1", "l1_l2", "l2",
    "orthogonal_regularizer", "serialize",
]  # fmt: skip
__dir__ = lazy_imports.public_dir(__name__)

_KIND = "keras.regularizers"


@registry.register(_KIND)
class Regularizer:
    """Base class of regularizers: override `__call__` and `get_config`.

    Example:

    >>> class Mean(Regularizer):
    ...     def __call__(self, x):
    ...         return jnp.mean(x) ** 2
    ...     def get_config(self):
    ...         return {}
    """

    def __call__(self, x: Any) -> Any:
        """Return the penalty on a weight.

        Args:
            x: the weight, any shape.

        Returns:
            A scalar.
        """
        return 0.0

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor as plain data."""
        raise NotImplementedError(
            f"{type(self).__name__} needs a `get_config` that returns the arguments of its constructor, to be saved."
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Create a regularizer from the return value of `get_config`."""
        return cls(**config)


def _factor(value: Any, name: str) -> float:
    if not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError(f"`{name}` must be a finite number and not negative; got {value!r}.")
    return float(value)


def _in_single_precision(value: float) -> float:
    """`value` rounded to float32, as Keras stores some factors and writes them to configs."""
    return float(np.float32(value))


def _penalty(x: Any, l1: float, l2: float) -> jax.Array:
    x = as_array(x)
    terms = [factor * jnp.sum(size(x)) for factor, size in ((l1, jnp.abs), (l2, jnp.square)) if factor]
    return functools.reduce(operator.add, terms) if terms else jnp.zeros((), x.dtype)


@registry.register(_KIND, "l1_l2")
class L1L2(Regularizer):
    """L1 and L2 penalty, `l1 * sum(abs(x)) + l2 * sum(x**2)`.

    Args:
        l1: factor of the absolute values.
        l2: factor of the squares.

    Raises:
        ValueError: for a negative or infinite factor.

    Example:

    >>> float(L1L2(l1=1.0, l2=1.0)(jnp.array([-2.0])))
    6.0
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0):
        self.l1 = _factor(0.0 if l1 is None else l1, "l1")
        self.l2 = _factor(0.0 if l2 is None else l2, "l2")

    def __call__(self, x: Any) -> jax.Array:
        return _penalty(x, self.l1, self.l2)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


@registry.register(_KIND)
class L1(Regularizer):
    """L1 penalty, `l1 * sum(abs(x))`, which makes weights sparse.

    Args:
        l1: the factor.

    Raises:
        ValueError: for a negative or infinite factor.

    Example:

    >>> float(L1(0.5)(jnp.array([-2.0, 4.0])))
    3.0
    """

    def __init__(self, l1: float | None = 0.01):
        self.l1 = _in_single_precision(_factor(0.01 if l1 is None else l1, "l1"))

    def __call__(self, x: Any) -> jax.Array:
        return _penalty(x, self.l1, 0.0)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


@registry.register(_KIND)
class L2(Regularizer):
    """L2 penalty, `l2 * sum(x**2)`, which keeps weights small.

    Args:
        l2: the factor.

    Raises:
        ValueError: for a negative or infinite factor.

    Example:

    >>> float(L2(0.5)(jnp.array([-2.0, 4.0])))
    10.0
    """

    def __init__(self, l2: float | None = 0.01):
        self.l2 = _factor(0.01 if l2 is None else l2, "l2")

    def __call__(self, x: Any) -> jax.Array:
        return _penalty(x, 0.0, self.l2)

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


@registry.register(_KIND)
class OrthogonalRegularizer(Regularizer):
    """The mean absolute cosine between the rows (or columns) of a matrix, which makes them orthogonal.

    Args:
        factor: factor of the penalty.
        mode: `"rows"` or `"columns"`.

    Raises:
        ValueError: for a negative or infinite factor, another mode, or a weight that is not a matrix.

    Example:

    >>> float(OrthogonalRegularizer(1.0)(jnp.eye(2)))
    0.0
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows"):
        self.factor = _in_single_precision(_factor(factor, "factor"))
        if mode not in ("rows", "columns"):
            raise ValueError(f"`mode` must be 'rows' or 'columns'; got {mode!r}.")
        self.mode = mode

    def __call__(self, inputs: Any) -> jax.Array:
        x = as_array(inputs)
        if x.ndim != 2:
            raise ValueError(f"OrthogonalRegularizer is for matrices; got a weight of shape {x.shape}.")
        if self.mode == "columns":
            x = x.T
        x = normalize(x, axis=1)  # a row of zeros stays zero, and its gradient finite
        size = x.shape[0]
        cosines = (x @ x.T) * (1 - jnp.eye(size, dtype=x.dtype))
        return self.factor * 0.5 * jnp.sum(jnp.abs(cosines)) / (size * (size - 1) / 2)

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer


get: Get[Callable[[Any], Any] | None]
get, serialize, deserialize = lookup_functions(
    _KIND,
    "regularizer",
    accepts="a name such as 'l2', a Regularizer or its class, a config, or a function of a weight",
    example=""">>> get("l2").l2
0.01
>>> deserialize(serialize(L2(0.5))).l2
0.5""",
)
