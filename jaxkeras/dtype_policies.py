"""DType policies."""

from __future__ import annotations

from typing import Any

from jaxkeras import registry
from jaxkeras.core.policy import DTypePolicy as DTypePolicy
from jaxkeras.core.policy import FloatDTypePolicy as FloatDTypePolicy
from jaxkeras.core.policy import get_policy as get
from jaxkeras.registry import deserialize as deserialize

__all__ = ["DTypePolicy", "FloatDTypePolicy", "deserialize", "get", "serialize"]


def serialize(dtype_policy: DTypePolicy) -> dict[str, Any]:
    """A policy as a config that JSON can hold.

    Args:
        dtype_policy: the policy.

    Returns:
        What `deserialize` makes the policy of again.

    Example:

    >>> deserialize(serialize(DTypePolicy("mixed_bfloat16"))).name
    'mixed_bfloat16'
    """
    return registry.serialize(dtype_policy)
