"""DType policies."""

from jaxkeras.core.policy import DTypePolicy as DTypePolicy
from jaxkeras.core.policy import FloatDTypePolicy as FloatDTypePolicy
from jaxkeras.core.policy import get_policy as get
from jaxkeras.registry import deserialize as deserialize
from jaxkeras.registry import serialize as serialize

__all__ = ["DTypePolicy", "FloatDTypePolicy", "deserialize", "get", "serialize"]
