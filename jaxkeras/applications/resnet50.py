"""ResNet50, under its former path."""

from jaxkeras.applications.resnet import ResNet50 as ResNet50
from jaxkeras.applications.resnet import decode_predictions as decode_predictions
from jaxkeras.applications.resnet import preprocess_input as preprocess_input
