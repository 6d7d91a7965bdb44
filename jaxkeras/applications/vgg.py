"""VGG: stacks of small convolutions."""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxkeras.applications.common import Application, chain
from jaxkeras.applications.files import Pretrained
from jaxkeras.layers import Conv2D, Dense, Flatten, MaxPooling2D
from jaxkeras.models import Model

_FILTERS = (64, 128, 256, 512, 512)


class Row(NamedTuple):
    """A VGG: name of models and files, number of convolutions in each block, MD5 of the weight files."""

    name: str
    convolutions: tuple[int, ...]
    hashes: tuple[str, str]


def VGG(
    row: Row,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "vgg",
) -> Model:
    """a network of 3 by 3 convolutions with five pooling layers.

    Images are 224 by 224 by default, and at least 32 by 32; see `preprocess_input` in this module.

    Reference: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
    https://arxiv.org/abs/1409.1556.
    """
    file = Pretrained(f"{row.name}/", f"{row.name}_weights_tf_dim_ordering_tf_kernels", row.hashes)
    app = Application(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name, file=file
    )
    x = app.image
    for i, (filters, convolutions) in enumerate(zip(_FILTERS, row.convolutions), start=1):
        for j in range(1, convolutions + 1):
            x = Conv2D(filters, 3, activation="relu", padding="same", name=f"block{i}_conv{j}")(x)
        x = MaxPooling2D(2, strides=2, name=f"block{i}_pool")(x)
    if not include_top:
        return app.model(app.pool(x, named=False))
    return app.model(
        chain(
            x,
            Flatten(name="flatten"),
            Dense(4096, activation="relu", name="fc1"),
            Dense(4096, activation="relu", name="fc2"),
            Dense(classes, activation=classifier_activation, name="predictions"),
        )
    )
