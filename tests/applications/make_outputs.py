"""Write `outputs.json`, the installed Keras's outputs for generated weights and images, for `test_outputs.py`.

Rerun it after changing this file, or to compare with a new version of Keras:

    python -m tests.applications.make_outputs
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.applications.make_architectures import NAMES as ALL

# Leaves out the two with a gigabyte of weights, which differ from ConvNeXtBase only in width.
NAMES = [name for name in ALL if name not in ("ConvNeXtLarge", "ConvNeXtXLarge")]
FILE = pathlib.Path(__file__).with_name("outputs.json")
_SMALLEST = {"Xception": 71, "InceptionV3": 75, "InceptionResNetV2": 75}
_NARROWEST = {"MobileNet": 0.25, "MobileNetV2": 0.35, "MobileNetV3Large": 0.25, "MobileNetV3Small": 0.25}


def arguments(name: str) -> dict[str, Any]:
    """Arguments for the smallest network of an architecture."""
    narrow = {"alpha": _NARROWEST[name]} if name in _NARROWEST else {}
    shape = (_SMALLEST.get(name, 32),) * 2 + (3,)
    return {"weights": None, "input_shape": shape, "classes": 5, "classifier_activation": None, **narrow}


def values(variables: list[Any], gain: float) -> Iterator[np.ndarray]:
    """Yield values for the weights of an architecture, identical on every machine.

    Args:
        variables: the weights.
        gain: the variance of kernels, times their fan-in.
    """
    numbers = (np.random.default_rng(0).random(99_991) - 0.5).astype("float32")  # a prime length
    for i, variable in enumerate(variables):
        shape = tuple(variable.shape)
        drawn = np.resize(np.roll(numbers, 7919 * i), shape)
        if len(shape) > 1:
            fan_in = np.prod(shape[:2] if shape[-1] == 1 else shape[:-1])  # depthwise kernels end in an axis of size 1
            yield drawn * np.float32((12 * gain / fan_in) ** 0.5)
        else:
            yield drawn * np.float32(0.3) + np.float32(variable.name in ("gamma", "moving_variance", "variance"))


def images(name: str) -> np.ndarray:
    """Two images in the value range that an architecture expects."""
    pixels = np.random.default_rng(1).random((2, *arguments(name)["input_shape"])).astype("float32")
    scales_itself = name.startswith(("ConvNeXt", "EfficientNet", "MobileNetV3"))
    return 255 * pixels if scales_itself else 2 * pixels - 1


def main() -> None:
    os.environ["KERAS_BACKEND"] = "numpy"
    import keras

    # All weights are replaced, so none are drawn.
    keras.initializers.VarianceScaling.__call__ = lambda self, shape, dtype=None: np.broadcast_to(np.float32(0), shape)
    table = {}
    for name in NAMES:
        keras.utils.clear_session()
        model = getattr(keras.applications, name)(**arguments(name))
        # The smallest kernels for which the output still depends on the image; larger ones amplify rounding.
        for gain in np.arange(1, 4, 0.125):
            for variable, value in zip(model.weights, values(model.weights, gain)):
                variable.assign(value)
            for layer in model.layers:
                if hasattr(layer, "finalize_state"):  # as after loading
                    layer.finalize_state()
            outputs = np.asarray(model(images(name), training=False))
            difference = np.abs(outputs[0] - outputs[1]).max() / np.ptp(outputs)
            if difference > 0.01:
                break
        else:
            raise RuntimeError(f"No gain makes {name} depend on the image.")
        table[name] = {"gain": gain, "outputs": outputs.tolist()}
        print(name, gain, difference, np.ptp(outputs), flush=True)
    FILE.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in table.items()) + "\n}\n")


if __name__ == "__main__":
    main()
