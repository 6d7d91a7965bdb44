"""MobileNet: depthwise separable convolutions, for small devices."""

from __future__ import annotations

from typing import Any

from jaxkeras.applications.common import Application, chain, channel_axis, document, trained_size, wanted_size
from jaxkeras.applications.files import Pretrained
from jaxkeras.applications.imagenet_utils import decode_predictions as decode_predictions
from jaxkeras.applications.imagenet_utils import preprocessing
from jaxkeras.core import lazy_imports
from jaxkeras.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    Dropout,
    GlobalAveragePooling2D,
    Layer,
    ReLU,
    Reshape,
    ZeroPadding2D,
)
from jaxkeras.models import Model

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]
__dir__ = lazy_imports.public_dir(__name__)

_SIZES = (128, 160, 192, 224)
_ALPHAS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}
# Filters and strides of each block.
_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))


def _norm_relu(name: str) -> tuple[Layer, Layer]:
    return BatchNormalization(axis=channel_axis(-1), name=f"{name}_bn"), ReLU(6.0, name=f"{name}_relu")


def _block(x: Any, filters: int, strides: int, depth_multiplier: int, index: int) -> Any:
    if strides > 1:
        x = ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{index}")(x)
    return chain(
        x,
        DepthwiseConv2D(
            3, padding="valid" if strides > 1 else "same", depth_multiplier=depth_multiplier, strides=strides,
            use_bias=False, name=f"conv_dw_{index}",
        ),
        *_norm_relu(f"conv_dw_{index}"),
        Conv2D(filters, 1, padding="same", use_bias=False, name=f"conv_pw_{index}"),
        *_norm_relu(f"conv_pw_{index}"),
    )  # fmt: skip


def _file(alpha: float, depth_multiplier: int, shape: Any) -> Pretrained:
    if depth_multiplier != 1:
        raise ValueError(f"With weights='imagenet', `depth_multiplier` must be 1; got {depth_multiplier}.")
    if alpha not in _ALPHAS:
        raise ValueError(f"With weights='imagenet', `alpha` must be one of {list(_ALPHAS)}; got alpha={alpha}.")
    stem = f"mobilenet_{_ALPHAS[alpha]}_{trained_size(shape, _SIZES)}_tf"
    return Pretrained("mobilenet/", stem, endings=(".h5", "_no_top.h5"))


@document
def MobileNet(
    input_shape: Any = None,
    alpha: float = 1.0,
    depth_multiplier: int = 1,
    dropout: float = 0.001,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Model:
    """MobileNet: a stack of depthwise separable convolutions, for small devices.

    Images are 224 by 224 by default, and at least 32 by 32; see `preprocess_input` in this module.

    Reference: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications",
    https://arxiv.org/abs/1704.04861.

    Args:
        alpha: factor that scales the numbers of filters.
        depth_multiplier: filters of a depthwise convolution for each input channel.
        dropout: dropout rate before the classifier.
    """
    app = Application(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name or "",
        size=wanted_size(input_shape, _SIZES), file=lambda shape: _file(alpha, depth_multiplier, shape),
    )  # fmt: skip
    app.name = name or f"mobilenet_{alpha:0.2f}_{app.rows(_SIZES)}"
    x = chain(
        app.image,
        Conv2D(int(32 * alpha), 3, padding="same", use_bias=False, strides=2, name="conv1"),
        *_norm_relu("conv1"),
    )
    for i, (filters, strides) in enumerate(_BLOCKS, start=1):
        x = _block(x, int(filters * alpha), strides, depth_multiplier, i)
    if not include_top:
        return app.model(app.pool(x, named=False))
    return app.model(
        chain(
            x,
            GlobalAveragePooling2D(keepdims=True),
            Dropout(dropout, name="dropout"),
            Conv2D(classes, 1, padding="same", name="conv_preds"),
            Reshape((classes,), name="reshape_2"),
            Activation(classifier_activation, name="predictions"),
        )
    )


preprocess_input = preprocessing("tf")
