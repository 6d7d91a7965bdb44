"""MobileNet V2: inverted residual blocks."""

from __future__ import annotations

from typing import Any

from jaxkeras.applications.common import (
    Application,
    chain,
    channel_axis,
    check_same_size,
    correct_pad,
    document,
    make_divisible,
    trained_size,
    wanted_size,
)
from jaxkeras.applications.files import Pretrained
from jaxkeras.applications.imagenet_utils import decode_predictions as decode_predictions
from jaxkeras.applications.imagenet_utils import preprocessing
from jaxkeras.core import lazy_imports
from jaxkeras.layers import Add, BatchNormalization, Conv2D, DepthwiseConv2D, Layer, ReLU, ZeroPadding2D
from jaxkeras.models import Model

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]
__dir__ = lazy_imports.public_dir(__name__)

_SIZES = (96, 128, 160, 192, 224)
_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
# Filters, blocks and strides of each stage.
_STAGES = ((16, 1, 1), (24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))


def _norm(name: str) -> Layer:
    return BatchNormalization(axis=channel_axis(-1), epsilon=1e-3, momentum=0.999, name=name)


def _block(inputs: Any, filters: int, strides: int, index: int) -> Any:
    before = inputs.shape[channel_axis()]
    prefix = f"block_{index}_" if index else "expanded_conv_"
    x = inputs
    if index:
        x = chain(
            x,
            Conv2D(6 * before, 1, padding="same", use_bias=False, name=f"{prefix}expand"),
            _norm(f"{prefix}expand_BN"),
            ReLU(6.0, name=f"{prefix}expand_relu"),
        )
    if strides == 2:
        x = ZeroPadding2D(correct_pad(x, 3), name=f"{prefix}pad")(x)
    x = chain(
        x,
        DepthwiseConv2D(
            3, strides=strides, use_bias=False, padding="same" if strides == 1 else "valid", name=f"{prefix}depthwise"
        ),
        _norm(f"{prefix}depthwise_BN"),
        ReLU(6.0, name=f"{prefix}depthwise_relu"),
        Conv2D(filters, 1, padding="same", use_bias=False, name=f"{prefix}project"),
        _norm(f"{prefix}project_BN"),
    )
    return Add(name=f"{prefix}add")([inputs, x]) if strides == 1 and before == filters else x


def _file(alpha: float, shape: Any) -> Pretrained:
    if alpha not in _ALPHAS:
        raise ValueError(f"With weights='imagenet', `alpha` must be one of {list(_ALPHAS)}; got alpha={alpha}.")
    stem = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{trained_size(shape, _SIZES)}"
    return Pretrained("mobilenet_v2/", stem, endings=(".h5", "_no_top.h5"))


@document
def MobileNetV2(
    input_shape: Any = None,
    alpha: float = 1.0,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Model:
    """MobileNet V2: inverted residual blocks with linear bottlenecks, for small devices.

    Images are 224 by 224 by default, and at least 32 by 32; see `preprocess_input` in this module.

    Reference: Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
    https://arxiv.org/abs/1801.04381.

    Args:
        alpha: factor that scales the numbers of filters.
    """
    check_same_size(input_tensor, input_shape)
    app = Application(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name or "",
        size=wanted_size(input_shape, _SIZES, input_tensor), file=lambda shape: _file(alpha, shape),
    )  # fmt: skip
    app.name = name or f"mobilenetv2_{alpha:0.2f}_{app.rows(_SIZES)}"
    x = chain(
        app.image,
        Conv2D(make_divisible(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="Conv1"),
        _norm("bn_Conv1"),
        ReLU(6.0, name="Conv1_relu"),
    )
    index = 0
    for filters, blocks, strides in _STAGES:
        for i in range(blocks):
            x = _block(x, make_divisible(int(filters * alpha)), strides if i == 0 else 1, index)
            index += 1
    x = chain(
        x,
        Conv2D(make_divisible(1280 * max(alpha, 1.0)), 1, use_bias=False, name="Conv_1"),
        _norm("Conv_1_bn"),
        ReLU(6.0, name="out_relu"),
    )
    return app.model(app.top(x, average=None, named=False))


preprocess_input = preprocessing("tf")
