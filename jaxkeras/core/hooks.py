"""What the core needs from packages above it; the package's `__init__` fills it in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: An initializer from its name, for `Variable("zeros", shape=...)`.
initializer_from_name: Callable[[str], Any]

#: An op called with sparse arrays: `(name, function, args, kwargs) -> result`.
sparse_call: Callable[[str, Callable[..., Any], tuple, dict[str, Any]], Any]

#: A distribution from the value of an environment variable: `"data"`, or `"data=2,model=4"`.
distribution_from_text: Callable[[str], Any]
