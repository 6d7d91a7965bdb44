"""What `dir()` and `import *` see of a module with ops."""

from __future__ import annotations

import sys
from collections.abc import Callable

from jaxkeras.core import lazy_imports


def public(module: str) -> tuple[list[str], Callable[[], list[str]]]:
    """`__all__` and `__dir__` of a module: its ops and functions, without what it imports to define them."""
    package, _, last = module.rpartition(".")
    own = (module, f"{package}._{last}.")
    names = sorted(
        name
        for name, value in vars(sys.modules[module]).items()
        if not name.startswith("_")
        and (hasattr(value, "op_name") or str(getattr(value, "__module__", "")).startswith(own))
    )
    return names, lazy_imports.public_dir(module)
