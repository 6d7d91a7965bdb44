"""Names of a package that are imported on first use, so that importing a package costs only what is used.

The names are listed where type checkers look too, in the stub `__init__.pyi` beside the package's `__init__.py`:

    __getattr__, __dir__, __all__ = lazy_imports.attach(__name__)

`lazy_loader` reads stubs in the same way, but takes no names from other packages, no renamed ones, and does not tell
what a stub holds, which is how a config finds the family it names.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

_ROW = re.compile(r"^from (\S+) import \(?\s*(\w+) as (\w+)", re.MULTILINE)

#: package -> {name: (the module it comes from, its name there)}
homes: dict[str, dict[str, tuple[str, str]]] = {}


def attach(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package, from the stub beside it."""
    module = sys.modules[package]
    rows = _ROW.findall(Path(str(module.__file__)).with_suffix(".pyi").read_text())
    table = homes[package] = {public: (home, own) for home, own, public in rows}

    def __getattr__(name: str) -> Any:
        if name not in table:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home, own = table[name]
        value = import_module(f"{home}.{own}") if home == package else getattr(import_module(home), own)
        setattr(module, name, value)
        return value

    def __dir__() -> list[str]:
        # Submodules and helpers that happen to be loaded are not part of the namespace.
        defined = {
            name for name, value in vars(module).items()
            if name.startswith("__") or getattr(value, "__module__", None) == package
        }  # fmt: skip
        return sorted(defined | table.keys())

    return __getattr__, __dir__, sorted(table)


def load(package: str, name: str | None = None) -> None:
    """Import what a string may mean in a package: the names equal to it but for case and underscores, else all.

    Nothing outside the stubs of this library is ever imported, whatever the string says.
    """
    _find(package)
    table = homes.get(package, {})
    key = None if name is None else _normalize(name)
    for public in [n for n in table if _normalize(n) == key] or table:
        getattr(sys.modules[package], public)


def _find(package: str) -> None:
    """Import a package if it is a name in the stub of its parent."""
    outer, _, own = package.rpartition(".")
    if outer and package not in sys.modules:
        _find(outer)
        if own in homes.get(outer, ()):
            getattr(sys.modules[outer], own)


def _normalize(name: str) -> str:
    return name.replace("_", "").lower()
