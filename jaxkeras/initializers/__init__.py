"""Initializers: what a weight holds before training.

An initializer is called with a shape and a dtype. A random one has a pure function `draw(key, shape, dtype)` and a
seed, so that the same weights can also be drawn from another key.
"""

from jaxkeras.core import lazy_imports

__getattr__, __dir__, __all__ = lazy_imports.attach(__name__)
