"""More than one device: meshes, layouts by path, strategies, processes, and a plan before the hardware."""

from jaxkeras.core import lazy_imports

__getattr__, __dir__, __all__ = lazy_imports.attach(__name__)
