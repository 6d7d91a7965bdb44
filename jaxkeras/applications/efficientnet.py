"""EfficientNet: one small network, scaled in depth, width and resolution together."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from jaxkeras.applications.common import Application, chain, channel_axis, correct_pad, make_divisible, member
from jaxkeras.applications.files import Pretrained
from jaxkeras.applications.imagenet_utils import IMAGENET_STD, preprocessing
from jaxkeras.applications.imagenet_utils import decode_predictions as decode_predictions
from jaxkeras.core import lazy_imports
from jaxkeras.layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    Dropout,
    GlobalAveragePooling2D,
    Layer,
    Multiply,
    Normalization,
    Rescaling,
    Reshape,
    ZeroPadding2D,
)
from jaxkeras.models import Model

__all__ = [
    "EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3", "EfficientNetB4", "EfficientNetB5",
    "EfficientNetB6", "EfficientNetB7", "decode_predictions", "preprocess_input",
]  # fmt: skip
__dir__ = lazy_imports.public_dir(__name__)

# Configs, so that each layer gets an initializer of its own.
CONV_INIT = {
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_out", "distribution": "truncated_normal"},
}
DENSE_INIT = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1.0 / 3.0, "mode": "fan_out", "distribution": "uniform"},
}

# For each stage: kernel size, blocks, filters, expansion factor of the blocks, strides.
_STAGES = (
    (3, 1, 16, 1, 1),
    (3, 2, 24, 6, 2),
    (5, 2, 40, 6, 2),
    (3, 3, 80, 6, 2),
    (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2),
    (3, 1, 320, 6, 1),
)
_DROP_CONNECT = 0.2


class Row(NamedTuple):
    """An EfficientNet.

    Attributes:
        name: name of the models and weight files.
        width, depth: factors that scale the numbers of filters and of blocks.
        size: height and width of the default image.
        dropout: dropout rate before the classifier.
        hashes: MD5 of the weight files with and without the classifier.
    """

    name: str
    width: float
    depth: float
    size: int
    dropout: float
    hashes: tuple[str, str]


def conv_norm(filters: int, kernel: int, name: str, strides: int = 1, momentum: float = 0.99) -> list[Layer]:
    """A convolution `{name}_conv` and its normalization `{name}_bn`."""
    conv = Conv2D(
        filters, kernel, strides=strides, padding="same", use_bias=False, kernel_initializer=CONV_INIT,
        name=f"{name}_conv",
    )  # fmt: skip
    return [conv, BatchNormalization(axis=channel_axis(), momentum=momentum, name=f"{name}_bn")]


def swish(name: str) -> Layer:
    """The activation `{name}activation`."""
    return Activation("swish", name=f"{name}activation")


def squeeze_and_excite(x: Any, reduced: int, name: str) -> Any:
    """Scale each channel by a weight computed from the global averages of all channels."""
    filters = x.shape[channel_axis()]
    weight = chain(
        x,
        GlobalAveragePooling2D(name=f"{name}se_squeeze"),
        Reshape((filters, 1, 1) if channel_axis() == 1 else (1, 1, filters), name=f"{name}se_reshape"),
        Conv2D(reduced, 1, padding="same", activation="swish", kernel_initializer=CONV_INIT, name=f"{name}se_reduce"),
        Conv2D(filters, 1, padding="same", activation="sigmoid", kernel_initializer=CONV_INIT, name=f"{name}se_expand"),
    )
    return Multiply(name=f"{name}se_excite")([x, weight])


def skip(x: Any, shortcut: Any, rate: float, name: str) -> Any:
    """Add the residual connection; the block is dropped for a random part of the samples."""
    if rate > 0:
        x = Dropout(rate, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
    return Add(name=f"{name}add")([x, shortcut])


def _block(inputs: Any, filters: int, kernel: int, expand: int, strides: int, drop: float, name: str) -> Any:
    """An inverted residual block (MBConv)."""
    before = inputs.shape[channel_axis()]
    x = inputs
    if expand != 1:
        x = chain(x, *conv_norm(before * expand, 1, f"{name}expand"), swish(f"{name}expand_"))
    if strides == 2:
        x = ZeroPadding2D(correct_pad(x, kernel), name=f"{name}dwconv_pad")(x)
    x = chain(
        x,
        DepthwiseConv2D(
            kernel, strides=strides, padding="valid" if strides == 2 else "same", use_bias=False,
            depthwise_initializer=CONV_INIT, name=f"{name}dwconv",
        ),
        BatchNormalization(axis=channel_axis(), name=f"{name}bn"),
        swish(name),
    )  # fmt: skip
    x = squeeze_and_excite(x, max(1, int(before * 0.25)), name)
    x = chain(x, *conv_norm(filters, 1, f"{name}project"))
    return skip(x, inputs, drop, name) if strides == 1 and before == filters else x


def EfficientNet(
    row: Row,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "efficientnet",
) -> Model:
    """a network of inverted residual blocks, scaled in depth, width and resolution together.

    Images have values in [0, 255], which the model rescales itself; they are at least 32 by 32.

    Reference: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
    https://arxiv.org/abs/1905.11946.
    """
    app = Application(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name,
        size=row.size, file=Pretrained("https://storage.googleapis.com/keras-applications/", row.name, row.hashes),
    )  # fmt: skip
    x = chain(app.image, Rescaling(1.0 / 255.0), Normalization(axis=channel_axis()))
    if app.pretrained:  # the weights expect a second division, by the square root of the standard deviation
        x = Rescaling([1.0 / math.sqrt(std) for std in IMAGENET_STD])(x)
    x = chain(
        x,
        ZeroPadding2D(correct_pad(x, 3), name="stem_conv_pad"),
        Conv2D(
            make_divisible(32 * row.width), 3, strides=2, use_bias=False, kernel_initializer=CONV_INIT,
            name="stem_conv",
        ),
        BatchNormalization(axis=channel_axis(), name="stem_bn"),
        swish("stem_"),
    )  # fmt: skip
    repeats = [math.ceil(row.depth * blocks) for _, blocks, *_ in _STAGES]
    done, total = 0, float(sum(repeats))
    for i, (kernel, _, filters, expand, strides) in enumerate(_STAGES):
        for j in range(repeats[i]):
            x = _block(
                x, make_divisible(filters * row.width), kernel, expand, strides if j == 0 else 1,
                _DROP_CONNECT * done / total, name=f"block{i + 1}{chr(97 + j)}_",
            )  # fmt: skip
            done += 1
    x = chain(x, *conv_norm(make_divisible(1280 * row.width), 1, "top"), swish("top_"))
    return app.model(app.top(x, dropout=row.dropout, kernel_initializer=DENSE_INIT))


EfficientNetB0 = member(
    EfficientNet,
    Row("efficientnetb0", 1.0, 1.0, 224, 0.2, (
        "902e53a9f72be733fc0bcb005b3ebbac", "50bc09e76180e00e4465e1a485ddc09d",
    )),
    "EfficientNetB0",
)  # fmt: skip
EfficientNetB1 = member(
    EfficientNet,
    Row("efficientnetb1", 1.0, 1.1, 240, 0.2, (
        "1d254153d4ab51201f1646940f018540", "74c4e6b3e1f6a1eea24c589628592432",
    )),
    "EfficientNetB1",
)  # fmt: skip
EfficientNetB2 = member(
    EfficientNet,
    Row("efficientnetb2", 1.1, 1.2, 260, 0.3, (
        "b15cce36ff4dcbd00b6dd88e7857a6ad", "111f8e2ac8aa800a7a99e3239f7bfb39",
    )),
    "EfficientNetB2",
)  # fmt: skip
EfficientNetB3 = member(
    EfficientNet,
    Row("efficientnetb3", 1.2, 1.4, 300, 0.3, (
        "ffd1fdc53d0ce67064dc6a9c7960ede0", "af6d107764bb5b1abb91932881670226",
    )),
    "EfficientNetB3",
)  # fmt: skip
EfficientNetB4 = member(
    EfficientNet,
    Row("efficientnetb4", 1.4, 1.8, 380, 0.4, (
        "18c95ad55216b8f92d7e70b3a046e2fc", "ebc24e6d6c33eaebbd558eafbeedf1ba",
    )),
    "EfficientNetB4",
)  # fmt: skip
EfficientNetB5 = member(
    EfficientNet,
    Row("efficientnetb5", 1.6, 2.2, 456, 0.4, (
        "ace28f2a6363774853a83a0b21b9421a", "38879255a25d3c92d5e44e04ae6cec6f",
    )),
    "EfficientNetB5",
)  # fmt: skip
EfficientNetB6 = member(
    EfficientNet,
    Row("efficientnetb6", 1.8, 2.6, 528, 0.5, (
        "165f6e37dce68623721b423839de8be5", "9ecce42647a20130c1f39a5d4cb75743",
    )),
    "EfficientNetB6",
)  # fmt: skip
EfficientNetB7 = member(
    EfficientNet,
    Row("efficientnetb7", 2.0, 3.1, 600, 0.5, (
        "8c03f828fec3ef71311cd463b6759d99", "cbcfe4450ddf6f3ad90b1b398090fe4a",
    )),
    "EfficientNetB7",
)  # fmt: skip
preprocess_input = preprocessing(None)
