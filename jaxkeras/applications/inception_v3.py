"""Inception V3: blocks of parallel branches of convolutions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from jaxkeras.applications.common import Application, channel_axis, document
from jaxkeras.applications.files import Pretrained
from jaxkeras.applications.imagenet_utils import decode_predictions as decode_predictions
from jaxkeras.applications.imagenet_utils import preprocessing
from jaxkeras.core import lazy_imports
from jaxkeras.layers import Activation, AveragePooling2D, BatchNormalization, Concatenate, Conv2D, MaxPooling2D
from jaxkeras.models import Model

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]
__dir__ = lazy_imports.public_dir(__name__)

_FILE = Pretrained(
    "inception_v3/",
    "inception_v3_weights_tf_dim_ordering_tf_kernels",
    ("9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63"),
)

# A convolution: (filters, kernel size), or (filters, kernel size, strides) for one without padding.
Convolution = tuple[Any, ...]


def conv_norm_relu(x: Any, filters: int, kernel: Any, strides: int | None = None, name: str | None = None) -> Any:
    """Convolution, batch normalization and ReLU; padded unless `strides` is given."""
    layers = [
        Conv2D(
            filters, kernel, strides=strides or 1, padding="valid" if strides else "same", use_bias=False, name=name
        ),
        BatchNormalization(axis=channel_axis(), scale=False, name=name and f"{name}_bn"),
        Activation("relu", name=name and f"{name}_ac"),
    ]
    for layer in layers:
        x = layer(x)
    return x


def branch(x: Any, convolutions: Iterable[Convolution]) -> Any:
    """Apply convolutions one after the other."""
    for convolution in convolutions:
        x = conv_norm_relu(x, *convolution)
    return x


def concatenate(branches: Sequence[Any], name: str | None = None) -> Any:
    """Concatenate branches along the channel axis."""
    return Concatenate(axis=channel_axis(), name=name)(branches)


def average(x: Any, filters: int) -> Any:
    """The branch with average pooling."""
    return conv_norm_relu(AveragePooling2D(3, strides=1, padding="same")(x), filters, 1)


def stem(x: Any) -> Any:
    """The layers before the first block."""
    x = branch(x, [(32, 3, 2), (32, 3, 1), (64, 3)])
    x = MaxPooling2D(3, strides=2)(x)
    x = branch(x, [(80, 1, 1), (192, 3, 1)])
    return MaxPooling2D(3, strides=2)(x)


def _mixed(x: Any, branches: Iterable[Iterable[Convolution]], pooled: int | None, name: str) -> Any:
    """Concatenate branches of convolutions and a pooling branch: average with `pooled` filters, or (None) max."""
    outputs = [branch(x, convolutions) for convolutions in branches]
    outputs.append(MaxPooling2D(3, strides=2)(x) if pooled is None else average(x, pooled))
    return concatenate(outputs, name)


def _fork(x: Any, name: str | None = None) -> Any:
    """Two parallel convolutions, along rows and along columns."""
    return concatenate([conv_norm_relu(x, 384, (1, 3)), conv_norm_relu(x, 384, (3, 1))], name)


@document
def InceptionV3(
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "inception_v3",
) -> Model:
    """Inception V3: blocks of parallel branches, with large kernels factorized into rows and columns.

    Images are 299 by 299 by default, and at least 75 by 75; see `preprocess_input` in this module.

    Reference: Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the Inception Architecture for Computer Vision",
    https://arxiv.org/abs/1512.00567.
    """
    app = Application(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name,
        size=299, smallest=75, file=_FILE,
    )  # fmt: skip
    x = stem(app.image)
    for i, pooled in enumerate((32, 64, 64)):
        x = _mixed(x, [[(64, 1)], [(48, 1), (64, 5)], [(64, 1), (96, 3), (96, 3)]], pooled, f"mixed{i}")
    x = _mixed(x, [[(384, 3, 2)], [(64, 1), (96, 3), (96, 3, 2)]], None, "mixed3")
    row, column = (1, 7), (7, 1)
    for i, n in enumerate((128, 160, 160, 192), start=4):
        once = [(n, 1), (n, row), (192, column)]
        twice = [(n, 1), (n, column), (n, row), (n, column), (192, row)]
        x = _mixed(x, [[(192, 1)], once, twice], 192, f"mixed{i}")
    x = _mixed(x, [[(192, 1), (320, 3, 2)], [(192, 1), (192, row), (192, column), (192, 3, 2)]], None, "mixed8")
    for i in range(2):
        outputs = [
            conv_norm_relu(x, 320, 1),
            _fork(conv_norm_relu(x, 384, 1), f"mixed9_{i}"),
            _fork(branch(x, [(448, 1), (384, 3)])),
            average(x, 192),
        ]
        x = concatenate(outputs, f"mixed{9 + i}")
    return app.model(app.top(x, named=False))


preprocess_input = preprocessing("tf")
