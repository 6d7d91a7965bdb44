"""Metrics: what is accumulated over batches, and the classes that accumulate it."""

from jaxkeras.core import lazy_imports

__getattr__, __dir__, __all__ = lazy_imports.attach(__name__)
