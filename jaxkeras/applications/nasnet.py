"""NASNet: cells found by architecture search."""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxkeras.applications.common import Application, chain, correct_pad, image_shape, member, only_channels_last
from jaxkeras.applications.files import Pretrained
from jaxkeras.applications.imagenet_utils import decode_predictions as decode_predictions
from jaxkeras.applications.imagenet_utils import preprocessing
from jaxkeras.core import lazy_imports
from jaxkeras.layers import (
    Activation,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Cropping2D,
    Layer,
    MaxPooling2D,
    SeparableConv2D,
    ZeroPadding2D,
)
from jaxkeras.models import Model

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]
__dir__ = lazy_imports.public_dir(__name__)


class Row(NamedTuple):
    """A NASNet.

    Attributes:
        name: name of the models.
        size: height and width of the default image.
        filters: filters of the normal cells before the first reduction.
        blocks: number of normal cells between reductions.
        stem: filters of the first convolution.
        skip_reduction: whether the second input of the cell after a reduction is that of the reduction, not its first.
        file: common part of the URLs of the weight files.
        hashes: MD5 of the weight files with and without the classifier.
    """

    name: str
    size: int
    filters: int
    blocks: int
    stem: int
    skip_reduction: bool
    file: str
    hashes: tuple[str, str]


def _norm(name: str) -> Layer:
    return BatchNormalization(axis=-1, momentum=0.9997, epsilon=1e-3, name=name)


def _conv(filters: int, name: str) -> Layer:
    return Conv2D(filters, 1, padding="same", use_bias=False, kernel_initializer="he_normal", name=name)


def _pool(kind: Any, name: str, strides: int = 1) -> Layer:
    return kind(3, strides=strides, padding="same" if strides == 1 else "valid", name=name)


def _separable(x: Any, filters: int, kernel: int, name: str, strides: int = 1) -> Any:
    x = Activation("relu")(x)
    if strides == 2:
        x = ZeroPadding2D(correct_pad(x, kernel), name=f"separable_conv_1_pad_{name}")(x)
    return chain(
        x,
        SeparableConv2D(
            filters, kernel, strides=strides, padding="valid" if strides == 2 else "same", use_bias=False,
            name=f"separable_conv_1_{name}",
        ),
        _norm(f"separable_conv_1_bn_{name}"),
        Activation("relu"),
        SeparableConv2D(filters, kernel, padding="same", use_bias=False, name=f"separable_conv_2_{name}"),
        _norm(f"separable_conv_2_bn_{name}"),
    )  # fmt: skip


def _adjust(p: Any, x: Any, filters: int, name: str, halve: bool) -> Any:
    """Make the output of the cell before the previous one match the previous one in size and number of filters."""
    if p is None:
        return x
    if halve:
        p = Activation("relu", name=f"adjust_relu_1_{name}")(p)
        shifted = chain(p, ZeroPadding2D(((0, 1), (0, 1))), Cropping2D(((1, 0), (1, 0))))
        halves = [
            chain(
                maps,
                AveragePooling2D(1, strides=2, padding="valid", name=f"adjust_avg_pool_{i}_{name}"),
                _conv(filters // 2, f"adjust_conv_{i}_{name}"),
            )
            for i, maps in ((1, p), (2, shifted))
        ]
        return chain(Concatenate(axis=-1)(halves), _norm(f"adjust_bn_{name}"))
    if p.shape[-1] != filters:
        p = chain(p, Activation("relu"), _conv(filters, f"adjust_conv_projection_{name}"), _norm(f"adjust_bn_{name}"))
    return p


def _normal(x: Any, p: Any, filters: int, name: str, halve: bool = False) -> Any:
    """A cell that keeps the size of the feature maps; `p` is the output of the cell before the previous one."""

    def add(i: int, *terms: Any) -> Any:
        return Add(name=f"normal_add_{i}_{name}")(terms)

    p = _adjust(p, x, filters, name, halve)
    h = chain(x, Activation("relu"), _conv(filters, f"normal_conv_1_{name}"), _norm(f"normal_bn_1_{name}"))
    left, right = (f"normal_{side}{{}}_{name}".format for side in ("left", "right"))
    x1 = add(1, _separable(h, filters, 5, left(1)), _separable(p, filters, 3, right(1)))
    x2 = add(2, _separable(p, filters, 5, left(2)), _separable(p, filters, 3, right(2)))
    x3 = add(3, _pool(AveragePooling2D, left(3))(h), p)
    x4 = add(4, _pool(AveragePooling2D, left(4))(p), _pool(AveragePooling2D, right(4))(p))
    x5 = add(5, _separable(h, filters, 3, left(5)), h)
    return Concatenate(axis=-1, name=f"normal_concat_{name}")([p, x1, x2, x3, x4, x5])


def _reduction(x: Any, p: Any, filters: int, name: str, halve: bool = False) -> Any:
    """A cell that halves the size of the feature maps."""

    def add(label: str, *terms: Any) -> Any:
        return Add(name=f"reduction_{label}_{name}")(terms)

    p = _adjust(p, x, filters, name, halve)
    h = chain(x, Activation("relu"), _conv(filters, f"reduction_conv_1_{name}"), _norm(f"reduction_bn_1_{name}"))
    padded = ZeroPadding2D(correct_pad(h, 3), name=f"reduction_pad_1_{name}")(h)
    left, right = (f"reduction_{side}{{}}_{name}".format for side in ("left", "right"))
    x1 = add("add_1", _separable(h, filters, 5, left(1), 2), _separable(p, filters, 7, right(1), 2))
    x2 = add("add_2", _pool(MaxPooling2D, left(2), 2)(padded), _separable(p, filters, 7, right(2), 2))
    x3 = add("add3", _pool(AveragePooling2D, left(3), 2)(padded), _separable(p, filters, 5, right(3), 2))
    x4 = Add()([x2, _pool(AveragePooling2D, left(4))(x1)])
    x5 = add("add4", _separable(x1, filters, 3, left(4)), _pool(MaxPooling2D, right(5), 2)(padded))
    return Concatenate(axis=-1, name=f"reduction_concat_{name}")([x2, x3, x4, x5])


def NASNet(
    row: Row,
    input_shape: Any = None,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "NASNet",
) -> Model:
    """a network of two kinds of cells found by architecture search.

    Images are 331 by 331 (Large) or 224 by 224 (Mobile) by default, and at least 32 by 32; see
    `preprocess_input` in this module. Their size must be known, with or without a classifier: the sizes of the cells'
    outputs depend on it.

    Reference: Zoph, Vasudevan, Shlens and Le, "Learning Transferable Architectures for Scalable Image Recognition",
    https://arxiv.org/abs/1707.07012.
    """
    only_channels_last("NASNet")
    if input_shape and None in input_shape:
        raise ValueError(f"The `input_shape` of a NASNet must be fully known; got input_shape={tuple(input_shape)}.")
    file = Pretrained("nasnet/", row.file, row.hashes, endings=(".h5", "-no-top.h5"), local=row.name)
    app = Application(
        include_top, weights, input_tensor, input_shape or image_shape(row.size), pooling, classes,
        classifier_activation, name, size=row.size, file=file,
    )  # fmt: skip
    x = chain(
        app.image,
        Conv2D(
            row.stem, 3, strides=2, padding="valid", use_bias=False, kernel_initializer="he_normal", name="stem_conv1"
        ),
        _norm("stem_bn1"),
    )
    filters, blocks = row.filters, row.blocks
    x, p = _reduction(x, None, filters // 4, "stem_1"), x
    x, p = _reduction(x, p, filters // 2, "stem_2", halve=True), x
    for stage in range(3):
        first = stage * (blocks + 1) if stage < 2 else 2 * blocks + 1
        if stage > 0:
            y = _reduction(x, p, filters * 2**stage, f"reduce_{stage * blocks}")
            x, p = y, (p if row.skip_reduction else x)
        for i in range(blocks):
            x, p = _normal(x, p, filters * 2**stage, f"{first + i}", halve=i == 0), x
    x = Activation("relu")(x)
    return app.model(app.top(x, average=None, named=False))


NASNetMobile = member(
    NASNet,
    Row(
        "nasnet_mobile", 224, 44, 4, 32, False, "NASNet-mobile",
        ("020fb642bf7360b370c678b08e0adf61", "1ed92395b5b598bdda52abe5c0dbfd63"),
    ),
    "NASNetMobile",
)  # fmt: skip
NASNetLarge = member(
    NASNet,
    Row(
        "nasnet_large", 331, 168, 6, 96, True, "NASNet-large",
        ("11577c9a518f0070763c2b964a382f17", "d81d89dc07e6e56530c4e77faddd61b5"),
    ),
    "NASNetLarge",
)  # fmt: skip
preprocess_input = preprocessing("tf")
