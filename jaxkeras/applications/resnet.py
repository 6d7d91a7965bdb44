"""ResNet: residual networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxkeras.applications.common import Application, chain, channel_axis, member
from jaxkeras.applications.files import Pretrained
from jaxkeras.applications.imagenet_utils import decode_predictions as decode_predictions
from jaxkeras.applications.imagenet_utils import preprocessing
from jaxkeras.core import lazy_imports
from jaxkeras.layers import Activation, Add, BatchNormalization, Conv2D, MaxPooling2D, ZeroPadding2D
from jaxkeras.models import Model

__all__ = ["ResNet101", "ResNet152", "ResNet50", "decode_predictions", "preprocess_input"]
__dir__ = lazy_imports.public_dir(__name__)

_FILTERS = (64, 128, 256, 512)


class Row(NamedTuple):
    """A ResNet.

    Attributes:
        name: name of the models and weight files.
        blocks: number of blocks in each of the four stacks.
        hashes: MD5 of the weight files with and without the classifier.
        preact: whether activations come before the convolutions (V2).
    """

    name: str
    blocks: tuple[int, ...]
    hashes: tuple[str, str]
    preact: bool = False


def _norm(name: str) -> BatchNormalization:
    return BatchNormalization(axis=channel_axis(), epsilon=1.001e-5, name=name)


def _relu(name: str) -> Activation:
    return Activation("relu", name=name)


def _block(x: Any, filters: int, stride: int, first: bool, name: str) -> Any:
    """A block with its last activation after the sum; the first block of a stack projects its shortcut."""
    shortcut = x
    if first:
        shortcut = chain(x, Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv"), _norm(f"{name}_0_bn"))
    x = chain(
        x,
        Conv2D(filters, 1, strides=stride, name=f"{name}_1_conv"), _norm(f"{name}_1_bn"), _relu(f"{name}_1_relu"),
        Conv2D(filters, 3, padding="same", name=f"{name}_2_conv"), _norm(f"{name}_2_bn"), _relu(f"{name}_2_relu"),
        Conv2D(4 * filters, 1, name=f"{name}_3_conv"), _norm(f"{name}_3_bn"),
    )  # fmt: skip
    return _relu(f"{name}_out")(Add(name=f"{name}_add")([shortcut, x]))


def _preact_block(x: Any, filters: int, stride: int, first: bool, name: str) -> Any:
    """A block with normalization and activation before the convolutions, and none after the sum."""
    shortcut = x
    x = chain(x, _norm(f"{name}_preact_bn"), _relu(f"{name}_preact_relu"))
    if first:
        shortcut = Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(x)
    elif stride > 1:
        shortcut = MaxPooling2D(1, strides=stride)(shortcut)
    x = chain(
        x,
        Conv2D(filters, 1, use_bias=False, name=f"{name}_1_conv"), _norm(f"{name}_1_bn"), _relu(f"{name}_1_relu"),
        ZeroPadding2D(1, name=f"{name}_2_pad"),
        Conv2D(filters, 3, strides=stride, use_bias=False, name=f"{name}_2_conv"),
        _norm(f"{name}_2_bn"), _relu(f"{name}_2_relu"),
        Conv2D(4 * filters, 1, name=f"{name}_3_conv"),
    )  # fmt: skip
    return Add(name=f"{name}_out")([shortcut, x])


def _strides(preact: bool, stack: int, blocks: int) -> list[int]:
    """Strides of the blocks of a stack: the first block halves the maps, or the last one if `preact`."""
    if preact:
        return [1] * (blocks - 1) + [2 if stack < len(_FILTERS) - 1 else 1]
    return [2 if stack > 0 else 1] + [1] * (blocks - 1)


def ResNet(
    row: Row,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "resnet",
) -> Model:
    """a residual network: each block adds its output to its input.

    Images are 224 by 224 by default, and at least 32 by 32; see `preprocess_input` in this module.

    Reference: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", https://arxiv.org/abs/1512.03385;
    V2: "Identity Mappings in Deep Residual Networks", https://arxiv.org/abs/1603.05027.
    """
    file = Pretrained("resnet/", f"{row.name}_weights_tf_dim_ordering_tf_kernels", row.hashes)
    app = Application(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name, file=file
    )
    block: Callable[..., Any] = _preact_block if row.preact else _block
    x = chain(app.image, ZeroPadding2D(3, name="conv1_pad"), Conv2D(64, 7, strides=2, use_bias=True, name="conv1_conv"))
    if not row.preact:
        x = chain(x, _norm("conv1_bn"), _relu("conv1_relu"))
    x = chain(x, ZeroPadding2D(1, name="pool1_pad"), MaxPooling2D(3, strides=2, name="pool1_pool"))
    for i, (filters, blocks) in enumerate(zip(_FILTERS, row.blocks)):
        for j, stride in enumerate(_strides(row.preact, i, blocks)):
            x = block(x, filters, stride, first=j == 0, name=f"conv{i + 2}_block{j + 1}")
    if row.preact:
        x = chain(x, _norm("post_bn"), _relu("post_relu"))
    return app.model(app.top(x))


ResNet50 = member(
    ResNet,
    Row("resnet50", (3, 4, 6, 3), ("2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626")),
    "ResNet50",
)
ResNet101 = member(
    ResNet,
    Row("resnet101", (3, 4, 23, 3), ("f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21")),
    "ResNet101",
)
ResNet152 = member(
    ResNet,
    Row("resnet152", (3, 8, 36, 3), ("100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c")),
    "ResNet152",
)
preprocess_input = preprocessing("caffe")
