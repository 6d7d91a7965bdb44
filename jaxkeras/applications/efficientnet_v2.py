"""EfficientNet V2: EfficientNet with fused convolutions in its early blocks, which trains faster."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from jaxkeras.applications.common import Application, chain, channel_axis, member
from jaxkeras.applications.efficientnet import CONV_INIT, DENSE_INIT, conv_norm, skip, squeeze_and_excite, swish
from jaxkeras.applications.files import Pretrained
from jaxkeras.applications.imagenet_utils import IMAGENET_MEAN, IMAGENET_STD, preprocessing
from jaxkeras.applications.imagenet_utils import decode_predictions as decode_predictions
from jaxkeras.core import lazy_imports
from jaxkeras.initializers import Constant
from jaxkeras.layers import BatchNormalization, DepthwiseConv2D, Normalization, Rescaling
from jaxkeras.models import Model

__all__ = [
    "EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2", "EfficientNetV2B3", "EfficientNetV2L",
    "EfficientNetV2M", "EfficientNetV2S", "decode_predictions", "preprocess_input",
]  # fmt: skip
__dir__ = lazy_imports.public_dir(__name__)

_MOMENTUM = 0.9
_DROP_CONNECT = 0.2


class Stages(NamedTuple):
    """A network before scaling.

    Attributes:
        stem: filters of the first convolution.
        fused, separable: stages of blocks with ordinary convolutions, then of blocks with depthwise separable ones:
            blocks, filters, expansion factor of the blocks, strides.
        imagenet: whether images are normalized by ImageNet's mean and variance instead of scaled to [-1, 1].
    """

    stem: int
    fused: tuple[tuple[int, int, int, int], ...]
    separable: tuple[tuple[int, int, int, int], ...]
    imagenet: bool = False


_BASE = Stages(
    32,
    ((1, 16, 1, 1), (2, 32, 4, 2), (2, 48, 4, 2)),
    ((3, 96, 4, 2), (5, 112, 6, 1), (8, 192, 6, 2)),
    imagenet=True,
)
_SMALL = Stages(
    24,
    ((2, 24, 1, 1), (4, 48, 4, 2), (4, 64, 4, 2)),
    ((6, 128, 4, 2), (9, 160, 6, 1), (15, 256, 6, 2)),
)
_MEDIUM = Stages(
    24,
    ((3, 24, 1, 1), (5, 48, 4, 2), (5, 80, 4, 2)),
    ((7, 160, 4, 2), (14, 176, 6, 1), (18, 304, 6, 2), (5, 512, 6, 1)),
)
_LARGE = Stages(
    32,
    ((4, 32, 1, 1), (7, 64, 4, 2), (7, 96, 4, 2)),
    ((10, 192, 4, 2), (19, 224, 6, 1), (25, 384, 6, 2), (7, 640, 6, 1)),
)


class Row(NamedTuple):
    """An EfficientNet V2.

    Attributes:
        name: name of the models and weight files.
        stages: the network before scaling.
        size: height and width of the default image.
        width, depth: factors that scale the numbers of filters and of blocks.
        hashes: MD5 of the weight files with and without the classifier.
    """

    name: str
    stages: Stages
    size: int
    width: float
    depth: float
    hashes: tuple[str, str]

    def filters(self, filters: int) -> int:
        """Scale a number of filters and round it to a multiple of 8."""
        return max(8, int(filters * self.width + 4) // 8 * 8)


def _conv_norm(filters: int, kernel: int, name: str, strides: int = 1) -> Any:
    return conv_norm(filters, kernel, name, strides, _MOMENTUM)


def _expand(x: Any, fused: bool, expand: int, strides: int, name: str) -> Any:
    """The expanded part of a block."""
    before = x.shape[channel_axis()]
    if fused and expand == 1:
        return x
    if fused:
        return chain(x, *_conv_norm(before * expand, 3, f"{name}expand", strides), swish(f"{name}expand_"))
    if expand != 1:
        x = chain(x, *_conv_norm(before * expand, 1, f"{name}expand"), swish(f"{name}expand_"))
    x = chain(
        x,
        DepthwiseConv2D(
            3, strides=strides, padding="same", use_bias=False, depthwise_initializer=CONV_INIT,
            name=f"{name}dwconv2",
        ),
        BatchNormalization(axis=channel_axis(), momentum=_MOMENTUM, name=f"{name}bn"),
        swish(name),
    )  # fmt: skip
    return squeeze_and_excite(x, max(1, int(before * 0.25)), name)


def _block(inputs: Any, fused: bool, filters: int, expand: int, strides: int, drop: float, name: str) -> Any:
    x = _expand(inputs, fused, expand, strides, name)
    if fused and expand == 1:  # the projection is the only convolution of the block
        x = chain(x, *_conv_norm(filters, 3, f"{name}project", strides), swish(f"{name}project_"))
    else:
        x = chain(x, *_conv_norm(filters, 1, f"{name}project"))
    return skip(x, inputs, drop, name) if strides == 1 and inputs.shape[channel_axis()] == filters else x


def _blocks(row: Row) -> Iterator[tuple[str, bool, int, int, int]]:
    """For each block: its name, whether it is fused, its filters, its expansion factor and its strides."""
    stages = [(True, stage) for stage in row.stages.fused] + [(False, stage) for stage in row.stages.separable]
    for i, (fused, (blocks, filters, expand, strides)) in enumerate(stages, start=1):
        for j in range(math.ceil(row.depth * blocks)):
            yield f"block{i}{chr(97 + j)}_", fused, row.filters(filters), expand, strides if j == 0 else 1


def EfficientNetV2(
    row: Row,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    include_preprocessing: bool = True,
    name: str = "efficientnetv2",
) -> Model:
    """a network like EfficientNet with fused convolutions in its early blocks, which trains faster.

    Images have values in [0, 255], which the model rescales itself; they are at least 32 by 32.

    Reference: Tan and Le, "EfficientNetV2: Smaller Models and Faster Training", https://arxiv.org/abs/2104.00298.

    Args:
        include_preprocessing: whether the model rescales the pixels itself.
    """
    app = Application(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name,
        size=row.size, file=Pretrained("efficientnet_v2/", row.name, row.hashes),
    )  # fmt: skip
    x = app.image
    if include_preprocessing and row.stages.imagenet and x.shape[channel_axis()] == 3:
        variance = [std**2 for std in IMAGENET_STD]
        normalization = Normalization(mean=list(IMAGENET_MEAN), variance=variance, axis=channel_axis())
        x = chain(x, Rescaling(scale=1.0 / 255), normalization)
    elif include_preprocessing:
        x = Rescaling(scale=1.0 / 128.0, offset=-1)(x)
    x = chain(x, *_conv_norm(row.filters(row.stages.stem), 3, "stem", strides=2), swish("stem_"))
    total = float(sum(blocks for blocks, *_ in (*row.stages.fused, *row.stages.separable)))  # unscaled, as in Keras
    for i, (block, fused, filters, expand, strides) in enumerate(_blocks(row)):
        x = _block(x, fused, filters, expand, strides, _DROP_CONNECT * i / total, block)
    x = chain(x, *_conv_norm(row.filters(1280), 1, "top"), swish("top_"))
    x = app.top(x, dropout=0.2, kernel_initializer=DENSE_INIT, bias_initializer=Constant(0.0))
    return app.model(x)


EfficientNetV2B0 = member(
    EfficientNetV2,
    Row("efficientnetv2-b0", _BASE, 224, 1.0, 1.0, (
        "21ecbf6da12460d5c40bb2f29ceb2188", "893217f2bb855e2983157299931e43ff",
    )),
    "EfficientNetV2B0",
)  # fmt: skip
EfficientNetV2B1 = member(
    EfficientNetV2,
    Row("efficientnetv2-b1", _BASE, 240, 1.0, 1.1, (
        "069f0534ff22adf035c89e2d9547a9dc", "0e80663031ca32d657f9caa404b6ec37",
    )),
    "EfficientNetV2B1",
)  # fmt: skip
EfficientNetV2B2 = member(
    EfficientNetV2,
    Row("efficientnetv2-b2", _BASE, 260, 1.1, 1.2, (
        "424e49f28180edbde1e94797771950a7", "1dfe2e7a5d45b6632553a8961ea609eb",
    )),
    "EfficientNetV2B2",
)  # fmt: skip
EfficientNetV2B3 = member(
    EfficientNetV2,
    Row("efficientnetv2-b3", _BASE, 300, 1.2, 1.4, (
        "1f1fc43bd98a6e4fd8fdfd551e02c7a0", "f6abf7b5849ac99a89b50dd3fd532856",
    )),
    "EfficientNetV2B3",
)  # fmt: skip
EfficientNetV2S = member(
    EfficientNetV2,
    Row("efficientnetv2-s", _SMALL, 384, 1.0, 1.0, (
        "e1d88a8495beba45748fedd0cecbe016", "af0682fb74e8c54910f2d4393339c070",
    )),
    "EfficientNetV2S",
)  # fmt: skip
EfficientNetV2M = member(
    EfficientNetV2,
    Row("efficientnetv2-m", _MEDIUM, 480, 1.0, 1.0, (
        "a3bf6aa3276309f4fc6a34aa114c95cd", "1b8dc055df72dde80d614482840fe342",
    )),
    "EfficientNetV2M",
)  # fmt: skip
EfficientNetV2L = member(
    EfficientNetV2,
    Row("efficientnetv2-l", _LARGE, 480, 1.0, 1.0, (
        "27e6d408b53c7ebc868fefa357689935", "b0b66b5c863aef5b46e8608fe1711615",
    )),
    "EfficientNetV2L",
)  # fmt: skip
preprocess_input = preprocessing(None)
