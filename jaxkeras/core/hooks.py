"""What the core needs from packages above it; the package's `__init__` fills it in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: An initializer from its name, for `Variable("zeros", shape=...)`.
initializer_from_name: Callable[[str], Any]
