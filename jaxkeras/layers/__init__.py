"""Layers, in a folder per family; `_base` holds what they are built on."""

from jaxkeras.core import lazy_imports

__getattr__, __dir__, __all__ = lazy_imports.attach(__name__)
