"""A meta path finder for `keras`: public modules are jaxkeras's own, private ones look their names up in a table."""

from __future__ import annotations

import difflib
import importlib.abc
import importlib.machinery
import importlib.metadata
import sys
import types
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

import jaxkeras
from jaxkeras.alias import table
from jaxkeras.core import lazy_imports

#: The release of Keras whose public API jaxkeras has.
KERAS_VERSION = "3.16.0"

_PRIVATE = "keras.src"
# Keras's public modules under other names: what an editor's automatic imports insert.
_OTHER_ROOTS = ("keras._tf_keras.keras", "keras._tf_keras", "keras.api")
_MARK = "__jaxkeras_as_keras__"


class Root(types.ModuleType):
    """`keras`: the names of jaxkeras, with Keras's version."""

    def __init__(self, name: str):
        super().__init__(name, jaxkeras.__doc__)
        vars(self).update({"__version__": KERAS_VERSION, "__file__": jaxkeras.__file__, "__path__": [], _MARK: True})

    def version(self) -> str:
        """The release of Keras whose API this is."""
        return KERAS_VERSION

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return getattr(jaxkeras, "__all__")  # noqa: B009  (which the stub does not list)
        if f"{self.__name__}.{name}" in (_PRIVATE, *_OTHER_ROOTS):
            return import_module(f"{self.__name__}.{name}")
        try:
            return getattr(jaxkeras, name)
        except AttributeError:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}") from None

    def __dir__(self) -> list[str]:
        return sorted({*dir(jaxkeras), "src"})


class PrivateModule(types.ModuleType):
    """A module under `keras.src`: its names are those of the table, and those of the public namespaces it makes up."""

    def __init__(self, name: str):
        super().__init__(name, "A private module of Keras: `jaxkeras/alias/table.py` lists the names it has.")
        vars(self)["__path__"] = []

    def __getattr__(self, name: str) -> Any:
        path = _private_path(self.__name__)
        if name == "__all__":
            return _names_in(path)
        value = None if name.startswith("__") else _find(path, name)
        if value is None:
            raise AttributeError(_unknown(path, name))
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return _names_in(_private_path(self.__name__))


def _private_path(module: str) -> str:
    return module.removeprefix(_PRIVATE).removeprefix(".")


def _join(*parts: str) -> str:
    return ".".join(filter(None, parts))


def _names_of(namespace: types.ModuleType) -> Iterable[str]:
    return getattr(namespace, "__all__", ())


def _public_module(path: str) -> types.ModuleType | None:
    """The public namespace of jaxkeras at a dotted path, or None. `""` is the package."""
    module: Any = jaxkeras
    for name in filter(None, path.split(".")):
        module = getattr(module, name) if name in _names_of(module) else None
        if not isinstance(module, types.ModuleType):
            return None
    return module


def _namespaces(path: str) -> list[types.ModuleType]:
    """The public namespaces in which the names of a private module are searched, in order."""
    parent, _, own = path.rpartition(".")
    names = table.NAMESPACES.get(path)
    if names is not None:
        return [module for name in names if (module := _public_module(name)) is not None]
    outer = _namespaces(parent)
    inner = (_public_module(_join(module.__name__.partition(".")[2], own)) for module in outer)
    return [module for module in inner if module is not None] + outer


def _is_module(path: str) -> bool:
    """Whether Keras has a private module of this name, as far as the table and the public names show.

    Keras keeps a class in a module of its name: `layers.core.dense` exists since `keras.layers` has `Dense`.
    """
    if path in table.PACKAGES or path in table.NAMESPACES:
        return True
    parent, _, own = path.rpartition(".")
    if not own.islower() or not parent or not _is_module(parent):
        return False
    compact = own.replace("_", "")
    return any(name.replace("_", "").lower() == compact for ns in _namespaces(parent) for name in _names_of(ns))


def _searched(namespace: types.ModuleType, path: str) -> Iterable[str]:
    """The names that a namespace has for a private module: of the package itself, the classes and functions."""
    if namespace is not jaxkeras or not path:
        return _names_of(namespace)
    return [name for name, (home, _) in lazy_imports.homes["jaxkeras"].items() if home != "jaxkeras"]


def _find(path: str, name: str) -> Any:
    """A name of a private module, or None."""
    counterpart = table.COUNTERPARTS.get((path, name))
    if counterpart is not None:
        module, _, own = counterpart.rpartition(".")
        return getattr(import_module(module), own)
    inner = _join(path, name)
    if inner in table.PACKAGES or inner in table.NAMESPACES:
        return import_module(f"{_PRIVATE}.{inner}")
    for namespace in _namespaces(path):
        if name in _searched(namespace, path):
            return getattr(namespace, name)
    return import_module(f"{_PRIVATE}.{inner}") if _is_module(inner) else None


def _names_in(path: str) -> list[str]:
    found = {name for module, name in table.COUNTERPARTS if module == path}
    return sorted(found.union(*(_searched(namespace, path) for namespace in _namespaces(path))))


def _unknown(path: str, name: str) -> str:
    close = difflib.get_close_matches(name, _names_in(path), n=3)
    hint = f"Did you mean {' or '.join(close)}? " if close else ""
    own = sorted(private for module, private in table.COUNTERPARTS if module == path)
    return (
        f"{_join(_PRIVATE, path, name)} is private to Keras, and has no counterpart in jaxkeras, which is imported as "
        f"keras here. {hint}Public names work, and the private ones in jaxkeras/alias/table.py"
        + (f": in {_join(_PRIVATE, path)} {', '.join(own)}." if own else ".")
    )


class _Loader(importlib.abc.Loader):
    """Puts the module that a name stands for into `sys.modules`."""

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        if spec.name == _PRIVATE or spec.name.startswith(_PRIVATE + "."):
            return PrivateModule(spec.name)
        return Root(spec.name) if spec.name in ("keras", *_OTHER_ROOTS) else None

    def exec_module(self, module: types.ModuleType) -> None:
        if not isinstance(module, (Root, PrivateModule)):
            # The import system returns what it finds here, so that jaxkeras's own module gets no copy.
            sys.modules[module.__name__] = _public_at(module.__name__)  # type: ignore[assignment]


def _public_at(fullname: str) -> types.ModuleType | None:
    root = next((root for root in (*_OTHER_ROOTS, "keras") if fullname.startswith(root + ".")), "keras")
    path = fullname.removeprefix(root).removeprefix(".")
    return _public_module(path)


class KerasFinder(importlib.metadata.DistributionFinder):
    """Finds `keras`, everything under it, and the metadata of the distribution."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "keras" and not fullname.startswith("keras."):
            return None
        if fullname.startswith(_PRIVATE + "."):
            inner = _private_path(fullname)
            if not _is_module(inner):
                parent, _, own = inner.rpartition(".")
                raise ImportError(_unknown(parent, own), name=fullname)
        elif fullname not in ("keras", _PRIVATE, *_OTHER_ROOTS) and _public_at(fullname) is None:
            raise ModuleNotFoundError(
                f"jaxkeras, which is imported as keras here, has no public module {fullname!r}.", name=fullname
            )
        return importlib.machinery.ModuleSpec(fullname, _Loader(), is_package=True)

    def find_distributions(self, context: Any = importlib.metadata.DistributionFinder.Context()) -> Iterable[Any]:  # noqa: B008
        return [KerasDistribution()] if context.name == "keras" else []


class KerasDistribution(importlib.metadata.Distribution):
    """What `importlib.metadata.version("keras")` reads."""

    def read_text(self, filename: str) -> str | None:
        return f"Metadata-Version: 2.1\nName: keras\nVersion: {KERAS_VERSION}\n" if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        raise FileNotFoundError(f"{path}: keras is an alias of jaxkeras in this process.")


def install() -> None:
    """Make `keras` an alias of jaxkeras for the rest of the process.

    Raises:
        ImportError: if Keras itself was imported before.
    """
    present = sys.modules.get("keras")
    if present is not None and not hasattr(present, _MARK):
        raise ImportError(
            f"keras was imported before jaxkeras.as_keras, from {getattr(present, '__file__', None)}: objects of both "
            "would mix. Import jaxkeras.as_keras first, or start Python with `python -m jaxkeras.as_keras script.py`."
        )
    if not any(isinstance(finder, KerasFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, KerasFinder())
