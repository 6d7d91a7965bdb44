"""Losses: pure functions of targets and predictions, and the classes that weigh, mask and average them."""

from jaxkeras.core import lazy_imports

__getattr__, __dir__, __all__ = lazy_imports.attach(__name__)
