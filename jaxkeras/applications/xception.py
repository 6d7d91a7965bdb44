"""Xception: depthwise separable convolutions with residual connections."""

from __future__ import annotations

from typing import Any

from jaxkeras.applications.common import Application, chain, channel_axis, document
from jaxkeras.applications.files import Pretrained
from jaxkeras.applications.imagenet_utils import decode_predictions as decode_predictions
from jaxkeras.applications.imagenet_utils import preprocessing
from jaxkeras.core import lazy_imports
from jaxkeras.layers import Activation, Add, BatchNormalization, Conv2D, Layer, MaxPooling2D, SeparableConv2D
from jaxkeras.models import Model

__all__ = ["Xception", "decode_predictions", "preprocess_input"]
__dir__ = lazy_imports.public_dir(__name__)

_FILE = Pretrained(
    "xception/",
    "xception_weights_tf_dim_ordering_tf_kernels",
    ("0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97"),
)


def _norm(name: str | None = None) -> BatchNormalization:
    return BatchNormalization(axis=channel_axis(-1), name=name)


def _relu(name: str) -> Activation:
    return Activation("relu", name=f"{name}_act")


def _convolution(filters: int, name: str, strides: int = 1) -> list[Layer]:
    return [Conv2D(filters, 3, strides=strides, use_bias=False, name=name), _norm(f"{name}_bn")]


def _separable(filters: int, name: str) -> list[Layer]:
    return [SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name), _norm(f"{name}_bn")]


def _reduction(x: Any, filters: tuple[int, int], name: str, first: bool = False) -> Any:
    """A block that halves the feature maps; the first one has no activation before it."""
    shortcut = chain(x, Conv2D(filters[1], 1, strides=2, padding="same", use_bias=False), _norm())
    x = chain(
        x,
        *([] if first else [_relu(f"{name}_sepconv1")]),
        *_separable(filters[0], f"{name}_sepconv1"),
        _relu(f"{name}_sepconv2"),
        *_separable(filters[1], f"{name}_sepconv2"),
        MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool"),
    )
    return Add()([x, shortcut])


def _block(x: Any, name: str) -> Any:
    y = x
    for i in (1, 2, 3):
        y = chain(y, _relu(f"{name}_sepconv{i}"), *_separable(728, f"{name}_sepconv{i}"))
    return Add()([y, x])


@document
def Xception(
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "xception",
) -> Model:
    """Xception: a residual network of depthwise separable convolutions.

    Images are 299 by 299 by default, and at least 71 by 71; see `preprocess_input` in this module.

    Reference: Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions",
    https://arxiv.org/abs/1610.02357.
    """
    app = Application(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name,
        size=299, smallest=71, file=_FILE,
    )  # fmt: skip
    x = chain(
        app.image,
        *_convolution(32, "block1_conv1", strides=2), _relu("block1_conv1"),
        *_convolution(64, "block1_conv2"), _relu("block1_conv2"),
    )  # fmt: skip
    x = _reduction(x, (128, 128), "block2", first=True)
    x = _reduction(x, (256, 256), "block3")
    x = _reduction(x, (728, 728), "block4")
    for i in range(5, 13):
        x = _block(x, f"block{i}")
    x = _reduction(x, (728, 1024), "block13")
    for i, filters in ((1, 1536), (2, 2048)):
        x = chain(x, *_separable(filters, f"block14_sepconv{i}"), _relu(f"block14_sepconv{i}"))
    return app.model(app.top(x, named=False))


preprocess_input = preprocessing("tf")
