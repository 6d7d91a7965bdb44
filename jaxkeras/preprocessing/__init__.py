"""Data sets from folders and arrays, and helpers for images and sequences."""

from jaxkeras.core import lazy_imports

__getattr__, __dir__, __all__ = lazy_imports.attach(__name__)
