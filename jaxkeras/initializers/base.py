"""The base class of initializers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from jaxkeras import registry

KIND = "keras.initializers"


@registry.register(KIND)
class Initializer:
    """Base class of initializers: override `__call__`, and `get_config` if the constructor takes arguments.

    Example:

    >>> class Sevens(Initializer):
    ...     def __call__(self, shape, dtype=None):
    ...         return jnp.full(shape, 7, dtype)
    """

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        """Return the initial value of a weight.

        Args:
            shape: shape of the weight.
            dtype: dtype of the weight; `floatx()` by default.

        Returns:
            Array of `shape`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define `__call__(self, shape, dtype=None)` and return an array of that shape."
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor as plain data."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Create an initializer from the return value of `get_config`."""
        return cls(**config)

    def clone(self) -> Self:
        """Create another initializer of the same configuration; without a seed it gets a new one."""
        return type(self).from_config(self.get_config())
