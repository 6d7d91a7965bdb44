"""MobileNet V3: blocks found by architecture search, with squeeze-and-excitation."""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxkeras.applications.common import (
    Application,
    chain,
    channel_axis,
    check_same_size,
    correct_pad,
    make_divisible,
    member,
    trained_size,
)
from jaxkeras.applications.files import Pretrained
from jaxkeras.applications.imagenet_utils import decode_predictions as decode_predictions
from jaxkeras.applications.imagenet_utils import preprocessing
from jaxkeras.core import lazy_imports
from jaxkeras.layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Layer,
    Multiply,
    ReLU,
    Rescaling,
    ZeroPadding2D,
)
from jaxkeras.models import Model

__all__ = ["MobileNetV3Large", "MobileNetV3Small", "decode_predictions", "preprocess_input"]
__dir__ = lazy_imports.public_dir(__name__)

# MD5 of the weight files with and without the classifier.
_HASHES = {
    "large_224_0.75_float": ("765b44a33ad4005b3ac83185abf1d0eb", "40af19a13ebea4e2ee0c676887f69a2e"),
    "large_224_1.0_float": ("59e551e166be033d707958cf9e29a6a7", "07fb09a5933dd0c8eaafa16978110389"),
    "large_minimalistic_224_1.0_float": ("675e7b876c45c57e9e63e6d90a36599c", "ec5221f64a2f6d1ef965a614bdae7973"),
    "small_224_0.75_float": ("cb65d4e5be93758266aa0a7f2c6708b7", "ebdb5cc8e0b497cd13a7c275d475c819"),
    "small_224_1.0_float": ("8768d4c2e7dee89b9d02b2d03d65d862", "d3e8ec802a04aa4fc771ee12a9a9b836"),
    "small_minimalistic_224_1.0_float": ("99cd97fb2fcdad2bf028eb838de69e37", "cde8136e733e811080d9fcd8a252f7e4"),
}


class Block(NamedTuple):
    """A block: expansion factor, filters, kernel size, strides, whether it has squeeze-and-excitation and swish."""

    expansion: float
    filters: int
    kernel: int = 5
    strides: int = 1
    excite: bool = True
    swish: bool = True


class Row(NamedTuple):
    """A MobileNet V3: name of models, part of file names, blocks, filters before the classifier."""

    name: str
    size: str
    blocks: tuple[Block, ...]
    last: int


_SMALL = (
    Block(1, 16, kernel=3, strides=2, swish=False),
    Block(72.0 / 16, 24, kernel=3, strides=2, excite=False, swish=False),
    Block(88.0 / 24, 24, kernel=3, excite=False, swish=False),
    Block(4, 40, strides=2),
    Block(6, 40),
    Block(6, 40),
    Block(3, 48),
    Block(3, 48),
    Block(6, 96, strides=2),
    Block(6, 96),
    Block(6, 96),
)
_LARGE = (
    Block(1, 16, kernel=3, excite=False, swish=False),
    Block(4, 24, kernel=3, strides=2, excite=False, swish=False),
    Block(3, 24, kernel=3, excite=False, swish=False),
    Block(3, 40, strides=2, swish=False),
    Block(3, 40, swish=False),
    Block(3, 40, swish=False),
    Block(6, 80, kernel=3, strides=2, excite=False),
    Block(2.5, 80, kernel=3, excite=False),
    Block(2.3, 80, kernel=3, excite=False),
    Block(2.3, 80, kernel=3, excite=False),
    Block(6, 112, kernel=3),
    Block(6, 112, kernel=3),
    Block(6, 160, strides=2),
    Block(6, 160),
    Block(6, 160),
)


def _activation(swish: bool) -> Layer:
    return Activation("hard_swish") if swish else ReLU()


def _norm(name: str) -> Layer:
    return BatchNormalization(axis=channel_axis(-1), epsilon=1e-3, momentum=0.999, name=name)


def _convolution(filters: int, name: str, bias: bool = False) -> Layer:
    return Conv2D(filters, 1, padding="same", use_bias=bias, name=name)


def _squeeze_and_excite(x: Any, prefix: str) -> Any:
    filters = x.shape[channel_axis()]
    weight = chain(
        x,
        GlobalAveragePooling2D(keepdims=True, name=f"{prefix}squeeze_excite_avg_pool"),
        _convolution(make_divisible(filters * 0.25), f"{prefix}squeeze_excite_conv", bias=True),
        ReLU(name=f"{prefix}squeeze_excite_relu"),
        _convolution(filters, f"{prefix}squeeze_excite_conv_1", bias=True),
    )
    weight = ReLU(6.0)(weight + 3.0) * (1.0 / 6.0)  # a hard sigmoid
    return Multiply(name=f"{prefix}squeeze_excite_mul")([x, weight])


def _block(inputs: Any, block: Block, filters: int, index: int) -> Any:
    before = inputs.shape[channel_axis()]
    prefix = f"expanded_conv_{index}_" if index else "expanded_conv_"
    x = inputs
    if index:
        x = chain(
            x,
            _convolution(make_divisible(before * block.expansion), f"{prefix}expand"),
            _norm(f"{prefix}expand_bn"),
            _activation(block.swish),
        )
    if block.strides == 2:
        x = ZeroPadding2D(correct_pad(x, block.kernel), name=f"{prefix}depthwise_pad")(x)
    x = chain(
        x,
        DepthwiseConv2D(
            block.kernel, strides=block.strides, padding="same" if block.strides == 1 else "valid", use_bias=False,
            name=f"{prefix}depthwise",
        ),
        _norm(f"{prefix}depthwise_bn"),
        _activation(block.swish),
    )  # fmt: skip
    if block.excite:
        x = _squeeze_and_excite(x, prefix)
    x = chain(x, _convolution(filters, f"{prefix}project"), _norm(f"{prefix}project_bn"))
    return Add(name=f"{prefix}add")([inputs, x]) if block.strides == 1 and before == filters else x


def _file(size: str, alpha: float, minimalistic: bool, shape: Any) -> Pretrained:
    model = f"{size}{'_minimalistic' if minimalistic else ''}_224_{float(alpha)}_float"
    if model not in _HASHES:
        raise ValueError(
            "With weights='imagenet', `alpha` must be 0.75 or 1.0, or 1.0 if `minimalistic`; got "
            f"alpha={alpha}, minimalistic={minimalistic}."
        )
    trained_size(shape, (224,))
    stem = f"weights_mobilenet_v3_{model}"
    return Pretrained("mobilenet_v3/", stem, _HASHES[model], endings=(".h5", "_no_top_v2.h5"))


def MobileNetV3(
    row: Row,
    input_shape: Any = None,
    alpha: float = 1.0,
    minimalistic: bool = False,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    classes: int = 1000,
    pooling: str | None = None,
    dropout_rate: float = 0.2,
    classifier_activation: Any = "softmax",
    include_preprocessing: bool = True,
    name: str = "MobileNetV3",
) -> Model:
    """a network of blocks found by architecture search, for small devices.

    Images have values in [0, 255], which the model rescales itself; they may have any size from 32 by 32 on.

    Reference: Howard et al., "Searching for MobileNetV3", https://arxiv.org/abs/1905.02244.

    Args:
        alpha: factor that scales the numbers of filters.
        minimalistic: whether to leave out squeeze-and-excitation, hard swish and 5 by 5 convolutions.
        dropout_rate: dropout rate before the classifier.
        include_preprocessing: whether the model rescales the pixels itself.
    """
    check_same_size(input_tensor, input_shape)
    app = Application(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name,
        any_size=True, file=lambda shape: _file(row.size, alpha, minimalistic, shape),
    )  # fmt: skip
    x = app.image
    if include_preprocessing:
        x = Rescaling(scale=1.0 / 127.5, offset=-1.0)(x)
    x = chain(
        x,
        Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="conv"),
        _norm("conv_bn"),
        _activation(not minimalistic),
    )
    for i, block in enumerate(row.blocks):
        if minimalistic:
            block = block._replace(kernel=3, excite=False, swish=False)
        x = _block(x, block, make_divisible(block.filters * alpha), i)
    x = chain(
        x,
        _convolution(make_divisible(x.shape[channel_axis()] * 6), "conv_1"),
        _norm("conv_1_bn"),
        _activation(not minimalistic),
    )
    if not include_top:
        return app.model(app.pool(x))
    x = chain(
        x,
        GlobalAveragePooling2D(keepdims=True),
        _convolution(make_divisible(row.last * max(alpha, 1.0)), "conv_2", bias=True),
        _activation(not minimalistic),
    )
    if dropout_rate > 0:
        x = Dropout(dropout_rate)(x)
    x = chain(
        x,
        _convolution(classes, "logits", bias=True),
        Flatten(),
        Activation(classifier_activation, name="predictions"),
    )
    return app.model(x)


MobileNetV3Small = member(MobileNetV3, Row("MobileNetV3Small", "small", _SMALL, 1024), "MobileNetV3Small")
MobileNetV3Large = member(MobileNetV3, Row("MobileNetV3Large", "large", _LARGE, 1280), "MobileNetV3Large")
preprocess_input = preprocessing(None)
