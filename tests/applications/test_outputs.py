"""Outputs with Keras's weights, of one small member of each family.

Inception, Inception-ResNet and Xception have no small members; their layers, arguments and connections are compared in
`test_architectures.py`.
"""

import keras
import numpy as np
import pytest
from keras.src import applications as theirs

import jaxkeras as jk
from jaxkeras.applications import convnext, densenet, efficientnet, efficientnet_v2, nasnet, resnet

HASHES = ("", "")
COMMON = {"weights": None, "input_shape": (32, 32, 3), "classes": 5}


def _resnet(preact):
    stack = theirs.resnet.stack_residual_blocks_v2 if preact else theirs.resnet.stack_residual_blocks_v1
    steps = (2, 2, 2, 1) if preact else (1, 2, 2, 2)

    def stacks(x):
        for i, (filters, stride) in enumerate(zip((64, 128, 256, 512), steps)):
            x = stack(x, filters, 2, stride1=stride, name=f"conv{i + 2}")
        return x

    return (
        lambda: resnet.ResNet(resnet.Row("r", (2, 2, 2, 2), HASHES, preact), **COMMON, name="r"),
        lambda: theirs.resnet.ResNet(stacks, preact, True, **COMMON, name="r"),
    )


def _public(name, **arguments):
    return (
        lambda: getattr(jk.applications, name)(**COMMON, **arguments),
        lambda: getattr(keras.applications, name)(**COMMON, **arguments),
    )


PAIRS = {
    "convnext": (
        lambda: convnext.ConvNeXt(convnext.Row("c", (1, 1, 1, 1), (8, 16, 24, 32), HASHES), **COMMON, name="c"),
        lambda: theirs.convnext.ConvNeXt([1, 1, 1, 1], [8, 16, 24, 32], **COMMON, name="c"),
    ),
    "densenet": (
        lambda: densenet.DenseNet(densenet.Row("d", (1, 2, 1, 1), HASHES), **COMMON),
        lambda: theirs.densenet.DenseNet([1, 2, 1, 1], **COMMON),
    ),
    "efficientnet": (
        lambda: efficientnet.EfficientNet(efficientnet.Row("e", 0.25, 0.5, 32, 0.2, HASHES), **COMMON),
        lambda: theirs.efficientnet.EfficientNet(0.25, 0.5, 32, 0.2, **COMMON),
    ),
    "efficientnet_v2": (
        lambda: efficientnet_v2.EfficientNetV2(
            efficientnet_v2.Row("e", efficientnet_v2._BASE, 32, 0.25, 0.3, HASHES), **COMMON
        ),
        lambda: theirs.efficientnet_v2.EfficientNetV2(0.25, 0.3, 32, **COMMON, name="efficientnetv2-b0"),
    ),
    "mobilenet": _public("MobileNet", alpha=0.25),
    "mobilenet_v2": _public("MobileNetV2", alpha=0.35),
    "mobilenet_v3": _public("MobileNetV3Small", alpha=0.25),
    "nasnet": (
        lambda: nasnet.NASNet(nasnet.Row("n", 32, 8, 1, 4, False, "n", HASHES), **COMMON),
        lambda: theirs.nasnet.NASNet(
            penultimate_filters=192, num_blocks=1, stem_block_filters=4, skip_reduction=False, default_size=32, **COMMON
        ),
    ),
    "resnet": _resnet(False),
    "resnet_v2": _resnet(True),
}


@pytest.mark.parametrize("family", PAIRS)
def test_outputs_are_those_of_keras(family):
    ours, oracle = (make() for make in PAIRS[family])
    rng = np.random.default_rng(0)
    # Positive where a variance may stand, and small enough that activations neither vanish nor explode.
    weights = [
        rng.normal(scale=(2 / np.prod(w.shape[:-1])) ** 0.5, size=w.shape)
        if w.ndim > 1
        else rng.uniform(0.5, 1, w.shape)
        for w in oracle.get_weights()
    ]
    oracle.set_weights(weights)
    ours.set_weights(weights)
    x = rng.uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    expected = oracle(x, training=False)
    assert np.ptp(expected) > 1e-3
    # Rounding adds up over dozens of layers, so not 1e-5.
    np.testing.assert_allclose(ours.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-6)
