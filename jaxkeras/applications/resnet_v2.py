"""ResNet V2: residual networks with activations before the convolutions."""

from __future__ import annotations

from jaxkeras.applications.common import member
from jaxkeras.applications.imagenet_utils import decode_predictions as decode_predictions
from jaxkeras.applications.imagenet_utils import preprocessing
from jaxkeras.applications.resnet import ResNet, Row
from jaxkeras.core import lazy_imports

__all__ = ["ResNet101V2", "ResNet152V2", "ResNet50V2", "decode_predictions", "preprocess_input"]
__dir__ = lazy_imports.public_dir(__name__)

ResNet50V2 = member(
    ResNet,
    Row("resnet50v2", (3, 4, 6, 3), ("3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917"), True),
    "ResNet50V2",
)
ResNet101V2 = member(
    ResNet,
    Row("resnet101v2", (3, 4, 23, 3), ("6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5"), True),
    "ResNet101V2",
)
ResNet152V2 = member(
    ResNet,
    Row("resnet152v2", (3, 8, 36, 3), ("a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33"), True),
    "ResNet152V2",
)
preprocess_input = preprocessing("tf")
