"""ResNet50, under its former path."""

from jaxkeras.applications.resnet import ResNet50 as ResNet50
from jaxkeras.applications.resnet import decode_predictions as decode_predictions
from jaxkeras.applications.resnet import preprocess_input as preprocess_input
from jaxkeras.core import lazy_imports

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]
__dir__ = lazy_imports.public_dir(__name__)
