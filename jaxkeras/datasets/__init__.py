"""Datasets. `digits` and `movie_snippets` ship with the package; the others are Keras's and are downloaded once."""

from jaxkeras.core import lazy_imports

__getattr__, __dir__, __all__ = lazy_imports.attach(__name__)
