"""Draw bounding boxes and segmentation masks on images, and show images in a gallery."""

from jaxkeras.core import lazy_imports

__getattr__, __dir__, __all__ = lazy_imports.attach(__name__)
