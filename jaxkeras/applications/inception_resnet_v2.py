"""Inception-ResNet V2: Inception blocks with residual connections."""

from __future__ import annotations

from typing import Any

import jax

from jaxkeras import registry
from jaxkeras.applications.common import Application, channel_axis, document
from jaxkeras.applications.files import Pretrained
from jaxkeras.applications.imagenet_utils import decode_predictions as decode_predictions
from jaxkeras.applications.imagenet_utils import preprocessing
from jaxkeras.applications.inception_v3 import average, branch, concatenate, conv_norm_relu, stem
from jaxkeras.core import lazy_imports
from jaxkeras.layers import Activation, Conv2D, Layer, MaxPooling2D
from jaxkeras.models import Model

__all__ = ["InceptionResNetV2", "decode_predictions", "preprocess_input"]
__dir__ = lazy_imports.public_dir(__name__)

_FILE = Pretrained(
    "inception_resnet_v2/",
    "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels",
    ("e693bd0210a403b3192acc6073ad2e96", "d19885ff4a710c122648d3b5c3b684e4"),
)

# For each kind of block: its branches, and the factor that scales their output before it is added.
_BLOCKS = {
    "block35": ([[(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)]], 0.17),
    "block17": ([[(192, 1)], [(128, 1), (160, (1, 7)), (192, (7, 1))]], 0.1),
    "block8": ([[(192, 1)], [(192, 1), (224, (1, 3)), (256, (3, 1))]], 0.2),
}


@registry.register("keras.applications", module="keras.src.applications.inception_resnet_v2")
class CustomScaleLayer(Layer):
    """Add the second input, scaled, to the first."""

    def __init__(self, scale: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, inputs: list[jax.Array]) -> jax.Array:
        x, update = inputs
        return x + update * self.scale


def _block(x: Any, kind: str, index: int, last: bool = False) -> Any:
    branches, scale = _BLOCKS[kind]
    name = f"{kind}_{index}"
    mixed = concatenate([branch(x, convolutions) for convolutions in branches], f"{name}_mixed")
    update = Conv2D(x.shape[channel_axis()], 1, padding="same", name=f"{name}_conv")(mixed)
    x = CustomScaleLayer(1.0 if last else scale)([x, update])
    return x if last else Activation("relu", name=f"{name}_ac")(x)


def _reduction(x: Any, branches: list[Any], name: str) -> Any:
    outputs = [branch(x, convolutions) for convolutions in branches]
    return concatenate([*outputs, MaxPooling2D(3, strides=2)(x)], name)


@document
def InceptionResNetV2(
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "inception_resnet_v2",
) -> Model:
    """Inception-ResNet V2: Inception blocks whose scaled output is added to their input.

    Images are 299 by 299 by default, and at least 75 by 75; see `preprocess_input` in this module.

    Reference: Szegedy, Ioffe, Vanhoucke and Alemi, "Inception-v4, Inception-ResNet and the Impact of Residual
    Connections on Learning", https://arxiv.org/abs/1602.07261.
    """
    app = Application(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name,
        size=299, smallest=75, file=_FILE,
    )  # fmt: skip
    x = stem(app.image)
    outputs = [branch(x, b) for b in ([(96, 1)], [(48, 1), (64, 5)], [(64, 1), (96, 3), (96, 3)])]
    x = concatenate([*outputs, average(x, 64)], "mixed_5b")
    for i in range(1, 11):
        x = _block(x, "block35", i)
    x = _reduction(x, [[(384, 3, 2)], [(256, 1), (256, 3), (384, 3, 2)]], "mixed_6a")
    for i in range(1, 21):
        x = _block(x, "block17", i)
    x = _reduction(x, [[(256, 1), (384, 3, 2)], [(256, 1), (288, 3, 2)], [(256, 1), (288, 3), (320, 3, 2)]], "mixed_7a")
    for i in range(1, 11):
        x = _block(x, "block8", i, last=i == 10)
    x = conv_norm_relu(x, 1536, 1, name="conv_7b")
    return app.model(app.top(x, named=False))


preprocess_input = preprocessing("tf")
