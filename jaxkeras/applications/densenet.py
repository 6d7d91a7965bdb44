"""DenseNet: densely connected convolutional networks."""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxkeras.applications.common import Application, chain, member, only_channels_last
from jaxkeras.applications.files import Pretrained
from jaxkeras.applications.imagenet_utils import decode_predictions as decode_predictions
from jaxkeras.applications.imagenet_utils import preprocessing
from jaxkeras.core import lazy_imports
from jaxkeras.layers import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Layer,
    MaxPooling2D,
    ZeroPadding2D,
)
from jaxkeras.models import Model

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]
__dir__ = lazy_imports.public_dir(__name__)

_GROWTH = 32


class Row(NamedTuple):
    """A DenseNet: name of models and files, number of layers in each block, MD5 of the weight files."""

    name: str
    blocks: tuple[int, ...]
    hashes: tuple[str, str]


def _norm_relu(norm: str, relu: str) -> tuple[Layer, Layer]:
    return BatchNormalization(axis=3, epsilon=1.001e-5, name=norm), Activation("relu", name=relu)


def _dense_layer(x: Any, name: str) -> Any:
    new = chain(
        x,
        *_norm_relu(f"{name}_0_bn", f"{name}_0_relu"),
        Conv2D(4 * _GROWTH, 1, use_bias=False, name=f"{name}_1_conv"),
        *_norm_relu(f"{name}_1_bn", f"{name}_1_relu"),
        Conv2D(_GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv"),
    )
    return Concatenate(axis=3, name=f"{name}_concat")([x, new])


def _transition(x: Any, name: str) -> Any:
    return chain(
        x,
        *_norm_relu(f"{name}_bn", f"{name}_relu"),
        Conv2D(x.shape[3] // 2, 1, use_bias=False, name=f"{name}_conv"),
        AveragePooling2D(2, strides=2, name=f"{name}_pool"),
    )


def DenseNet(
    row: Row,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "densenet",
) -> Model:
    """a network of blocks in which each layer gets the outputs of all previous layers.

    Images are 224 by 224 by default, and at least 32 by 32; see `preprocess_input` in this module.

    Reference: Huang, Liu, van der Maaten and Weinberger, "Densely Connected Convolutional Networks",
    https://arxiv.org/abs/1608.06993.
    """
    only_channels_last("DenseNet")
    file = Pretrained("densenet/", f"{row.name}_weights_tf_dim_ordering_tf_kernels", row.hashes)
    app = Application(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name, file=file
    )
    x = chain(
        app.image,
        ZeroPadding2D(3),
        Conv2D(64, 7, strides=2, use_bias=False, name="conv1_conv"),
        *_norm_relu("conv1_bn", "conv1_relu"),
        ZeroPadding2D(1),
        MaxPooling2D(3, strides=2, name="pool1"),
    )
    for i, layers in enumerate(row.blocks):
        if i > 0:
            x = _transition(x, f"pool{i + 1}")
        for j in range(layers):
            x = _dense_layer(x, f"conv{i + 2}_block{j + 1}")
    return app.model(app.top(chain(x, *_norm_relu("bn", "relu"))))


DenseNet121 = member(
    DenseNet,
    Row("densenet121", (6, 12, 24, 16), ("9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738")),
    "DenseNet121",
)
DenseNet169 = member(
    DenseNet,
    Row("densenet169", (6, 12, 32, 32), ("d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b")),
    "DenseNet169",
)
DenseNet201 = member(
    DenseNet,
    Row("densenet201", (6, 12, 48, 32), ("1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1")),
    "DenseNet201",
)
preprocess_input = preprocessing("torch")
