"""The base class of initializers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxkeras import registry

KIND = "keras.initializers"


@registry.register(KIND)
class Initializer:
    """Base class: override `__call__`, and `get_config` if the constructor takes arguments.

    Example:

    >>> class Sevens(Initializer):
    ...     def __call__(self, shape, dtype=None):
    ...         return jnp.full(shape, 7, dtype)
    """

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        """Make the array.

        Args:
            shape: its shape.
            dtype: its dtype; `floatx()` by default.

        Returns:
            Array of `shape`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define `__call__(self, shape, dtype=None)` and return an array of that shape."
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, as plain data."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """An initializer from what `get_config` returned."""
        return cls(**config)

    def clone(self) -> Any:
        """Another one of the same configuration; without a seed it gets a new one."""
        return type(self).from_config(self.get_config())
