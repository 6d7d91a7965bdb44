"""Metrics: what is accumulated over batches, and the classes that accumulate it."""

from jaxkeras.core import late

__getattr__, __dir__, __all__ = late.names(__name__)
