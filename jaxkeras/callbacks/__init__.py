"""Callbacks and the progress bar."""

from jaxkeras.core import lazy_imports

__getattr__, __dir__, __all__ = lazy_imports.attach(__name__)
