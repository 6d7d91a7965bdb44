"""Image classification models in Keras's architectures, optionally with the weights that Keras publishes."""

from jaxkeras.core import lazy_imports

__getattr__, __dir__, __all__ = lazy_imports.attach(__name__)
