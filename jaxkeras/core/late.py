"""Names of a package that are loaded when first used, so that importing costs what is used and not what there is.

They are listed where type checkers look as well, in the stub `__init__.pyi` beside the package's `__init__.py`:

    __getattr__, __dir__, __all__ = late.names(__name__)
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


def names(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
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

    return __getattr__, lambda: sorted({*vars(module), *table}), sorted(table)


def load(package: str, name: str | None = None) -> None:
    """Load what a string may mean in a package: the names that it equals but for case and underscores, else all.

    Nothing that is not in a stub of this library is ever imported, whatever the strings say.
    """
    _find(package)
    table = homes.get(package, {})
    plain = None if name is None else _plain(name)
    for public in [n for n in table if _plain(n) == plain] or table:
        getattr(sys.modules[package], public)


def _find(package: str) -> None:
    """Import a package if it is a name in the stub of the one around it."""
    outer, _, own = package.rpartition(".")
    if outer and package not in sys.modules:
        _find(outer)
        if own in homes.get(outer, ()):
            getattr(sys.modules[outer], own)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
