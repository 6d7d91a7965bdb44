"""What a namespace contains, and packages whose names are imported on first use.

A lazy package costs only what is used of it. Its names are listed where type checkers look too, in the stub
`__init__.pyi` beside its `__init__.py`:

    __getattr__, __dir__, __all__ = lazy_imports.attach(__name__)

A public module keeps what it imports for its own use out of `dir()` and tab completion:

    __all__ = ["relu", "sigmoid"]
    __dir__ = lazy_imports.public_dir(__name__)

`lazy_loader` reads stubs in the same way, but supports neither names from other packages nor renamed ones, and does not
expose what a stub lists, which is how a config finds the family it names.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

_ROW = re.compile(r"^from (\S+) import \(?\s*(\w+) as (\w+)", re.MULTILINE)
_ALIAS = re.compile(r"^(\w+) = (\w+)$", re.MULTILINE)

#: package -> {name: (the module it comes from, its name there)}
homes: dict[str, dict[str, tuple[str, str]]] = {}


def attach(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package, from the stub beside it.

    Functions that the package defines itself before the call are part of it.
    """
    module = sys.modules[package]
    stub = Path(str(module.__file__)).with_suffix(".pyi").read_text()
    table = homes[package] = {public: (home, own) for home, own, public in _ROW.findall(stub)}
    table.update((alias, table[public]) for alias, public in _ALIAS.findall(stub))

    def __getattr__(name: str) -> Any:
        if name not in table:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home, own = table[name]
        value = import_module(f"{home}.{own}") if home == package else getattr(import_module(home), own)
        setattr(module, name, value)
        return value

    defined = {n for n, value in vars(module).items() if n[0] != "_" and getattr(value, "__module__", None) == package}
    return __getattr__, public_dir(package), sorted(defined | table.keys())


def public_dir(module: str) -> Callable[[], list[str]]:
    """`__dir__` of a module: the names in its `__all__` and the dunders."""
    namespace = vars(sys.modules[module])
    return lambda: sorted({*namespace["__all__"], *(name for name in namespace if name.startswith("__"))})


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
