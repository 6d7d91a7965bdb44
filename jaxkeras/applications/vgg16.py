"""VGG with 16 weight layers."""

from __future__ import annotations

from jaxkeras.applications.common import member
from jaxkeras.applications.imagenet_utils import decode_predictions as decode_predictions
from jaxkeras.applications.imagenet_utils import preprocessing
from jaxkeras.applications.vgg import VGG, Row
from jaxkeras.core import lazy_imports

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]
__dir__ = lazy_imports.public_dir(__name__)

VGG16 = member(
    VGG,
    Row("vgg16", (2, 2, 3, 3, 3), ("64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc")),
    "VGG16",
)
preprocess_input = preprocessing("caffe")
