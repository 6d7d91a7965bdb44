"""VGG with 19 weight layers."""

from __future__ import annotations

from jaxkeras.applications.common import member
from jaxkeras.applications.imagenet_utils import decode_predictions as decode_predictions
from jaxkeras.applications.imagenet_utils import preprocessing
from jaxkeras.applications.vgg import VGG, Row
from jaxkeras.core import lazy_imports

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]
__dir__ = lazy_imports.public_dir(__name__)

VGG19 = member(
    VGG,
    Row("vgg19", (2, 2, 4, 4, 4), ("cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6")),
    "VGG19",
)
preprocess_input = preprocessing("caffe")
