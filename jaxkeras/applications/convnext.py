"""ConvNeXt: convolutional networks designed like vision transformers."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from jaxkeras import registry
from jaxkeras.applications.common import Application, chain, member, only_channels_last
from jaxkeras.applications.files import Pretrained
from jaxkeras.applications.imagenet_utils import IMAGENET_MEAN, IMAGENET_STD, preprocessing
from jaxkeras.applications.imagenet_utils import decode_predictions as decode_predictions
from jaxkeras.core import lazy_imports
from jaxkeras.initializers import Constant
from jaxkeras.layers import (
    Activation,
    Conv2D,
    Dense,
    GlobalAveragePooling2D,
    Layer,
    LayerNormalization,
    Normalization,
)
from jaxkeras.models import Model, Sequential

__all__ = [
    "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge", "decode_predictions",
    "preprocess_input",
]  # fmt: skip
__dir__ = lazy_imports.public_dir(__name__)


class Row(NamedTuple):
    """A ConvNeXt.

    Attributes:
        name: name of the models and weight files.
        depths: number of blocks in each of the four stages.
        filters: number of filters of each stage.
        hashes: SHA-256 of the weight files with and without the classifier.
    """

    name: str
    depths: tuple[int, ...]
    filters: tuple[int, ...]
    hashes: tuple[str, str]


@registry.register("keras.applications", module="keras.src.applications.convnext")
class LayerScale(Layer):
    """Multiply each channel by a learned factor, initially small so that a deep network starts near the identity.

    Args:
        init_values: initial value of the factors.
        projection_dim: number of channels.
    """

    def __init__(self, init_values: float, projection_dim: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.init_values, self.projection_dim = init_values, projection_dim

    def build(self, input_shape: Any) -> None:
        self.gamma = self.add_weight(shape=(self.projection_dim,), initializer=Constant(self.init_values))

    def call(self, x: jax.Array) -> jax.Array:
        return x * self.gamma


def _norm(name: str | None) -> Layer:
    return LayerNormalization(epsilon=1e-6, name=name)


def _block(x: Any, name: str) -> Any:
    filters = x.shape[-1]
    y = chain(
        x,
        Conv2D(filters, 7, padding="same", groups=filters, name=f"{name}_depthwise_conv"),
        _norm(f"{name}_layernorm"),
        Dense(4 * filters, name=f"{name}_pointwise_conv_1"),
        Activation("gelu", name=f"{name}_gelu"),
        Dense(filters, name=f"{name}_pointwise_conv_2"),
        LayerScale(1e-6, filters, name=f"{name}_layer_scale"),
        Activation("linear", name=f"{name}_identity"),
    )
    return x + y


def _downsample(i: int, filters: int, name: str) -> Layer:
    """Downsample before a stage: by 4 before the first, by 2 before the others."""
    if i == 0:
        stem = f"{name}_stem"
        return Sequential([Conv2D(filters, 4, strides=4, name=f"{stem}_conv"), _norm(f"{stem}_layernorm")], name=stem)
    return Sequential(
        [
            _norm(f"{name}_downsampling_layernorm_{i - 1}"),
            Conv2D(filters, 2, strides=2, name=f"{name}_downsampling_conv_{i - 1}"),
        ],
        name=f"{name}_downsampling_block_{i - 1}",
    )


def ConvNeXt(
    row: Row,
    include_top: bool = True,
    include_preprocessing: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "convnext",
) -> Model:
    """a convolutional network designed like a vision transformer: patches, large kernels, few activations.

    Images have values in [0, 255], which the model rescales itself; they are 224 by 224 by default, and at least
    32 by 32.

    Reference: Liu, Mao, Wu, Feichtenhofer, Darrell and Xie, "A ConvNet for the 2020s",
    https://arxiv.org/abs/2201.03545.

    Args:
        include_preprocessing: whether the model rescales the pixels itself.
    """
    only_channels_last("ConvNeXt")
    app = Application(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name,
        file=Pretrained("convnext/", row.name, row.hashes),
    )  # fmt: skip
    x = app.image
    if include_preprocessing and x.shape[-1] == 3:
        mean, variance = [255 * m for m in IMAGENET_MEAN], [(255 * std) ** 2 for std in IMAGENET_STD]
        x = Normalization(mean=mean, variance=variance, name=f"{name}_prestem_normalization")(x)
    for i, (depth, filters) in enumerate(zip(row.depths, row.filters)):
        x = _downsample(i, filters, name)(x)
        for j in range(depth):
            x = _block(x, f"{name}_stage_{i}_block_{j}")
    if not include_top:
        return app.model(chain(app.pool(x, named=False), _norm(None)))
    return app.model(
        chain(
            x,
            GlobalAveragePooling2D(name=f"{name}_head_gap"),
            _norm(f"{name}_head_layernorm"),
            Dense(classes, activation=classifier_activation, name=f"{name}_head_dense"),
        )
    )


ConvNeXtTiny = member(
    ConvNeXt,
    Row(
        "convnext_tiny", (3, 3, 9, 3), (96, 192, 384, 768),
        (
            "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
            "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
        ),
    ),
    "ConvNeXtTiny",
)  # fmt: skip
ConvNeXtSmall = member(
    ConvNeXt,
    Row(
        "convnext_small", (3, 3, 27, 3), (96, 192, 384, 768),
        (
            "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
            "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
        ),
    ),
    "ConvNeXtSmall",
)  # fmt: skip
ConvNeXtBase = member(
    ConvNeXt,
    Row(
        "convnext_base", (3, 3, 27, 3), (128, 256, 512, 1024),
        (
            "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
            "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
        ),
    ),
    "ConvNeXtBase",
)  # fmt: skip
ConvNeXtLarge = member(
    ConvNeXt,
    Row(
        "convnext_large", (3, 3, 27, 3), (192, 384, 768, 1536),
        (
            "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
            "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
        ),
    ),
    "ConvNeXtLarge",
)  # fmt: skip
ConvNeXtXLarge = member(
    ConvNeXt,
    Row(
        "convnext_xlarge", (3, 3, 27, 3), (256, 512, 1024, 2048),
        (
            "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
            "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
        ),
    ),
    "ConvNeXtXLarge",
)  # fmt: skip
preprocess_input = preprocessing(None)
