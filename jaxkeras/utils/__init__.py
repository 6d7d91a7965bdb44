"""Utilities for data, files, pictures of models, and configs."""

from jaxkeras.core import lazy_imports

__getattr__, __dir__, __all__ = lazy_imports.attach(__name__)
