"""Write `architectures.json.xz`, the graphs built by the installed Keras, for `test_architectures.py`.

Rerun it for a new version of Keras:

    python tests/applications/make_architectures.py
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import pathlib
from typing import Any

FILE = pathlib.Path(__file__).with_name("architectures.json.xz")
NAMES = [
    *(f"ConvNeXt{size}" for size in ("Tiny", "Small", "Base", "Large", "XLarge")),
    *(f"DenseNet{layers}" for layers in (121, 169, 201)),
    *(f"EfficientNetB{i}" for i in range(8)),
    *(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
    *("InceptionResNetV2", "InceptionV3", "MobileNet", "MobileNetV2", "MobileNetV3Large", "MobileNetV3Small"),
    *("NASNetLarge", "NASNetMobile", "ResNet50", "ResNet101", "ResNet152", "ResNet50V2", "ResNet101V2", "ResNet152V2"),
    *("VGG16", "VGG19", "Xception"),
]


def rows(model: Any) -> list[Any]:
    """Name, class, output shape and weights of each layer of a model, as plain data."""
    return [
        [layer.name, type(layer).__name__, list(layer.output.shape), [[w.name, list(w.shape)] for w in layer.weights]]
        for layer in model.layers
    ]


def _plain(config: Any) -> Any:
    """A config without differences in notation."""
    if isinstance(config, dict):
        return {k: _plain(v) for k, v in config.items() if not (k == "activity_regularizer" and v is None)}
    if isinstance(config, (list, tuple)):
        return _plain(config[0]) if len(config) == 1 else [_plain(item) for item in config]
    return config


def _sources(arguments: Any) -> list[Any]:
    """The sources of the tensors among a call's arguments."""
    if isinstance(arguments, dict) and "keras_history" in arguments.get("config", {}):
        return [arguments["config"]["keras_history"]]
    items = arguments.values() if isinstance(arguments, dict) else arguments
    return [source for item in items if isinstance(item, (dict, list, tuple)) for source in _sources(item)]


def digest(model: Any) -> str:
    """A hash of the arguments and connections of all layers."""
    config = model.get_config()
    layers = [
        [
            layer["class_name"],
            _plain(layer["config"]) if layer["class_name"] != "Sequential" else None,
            [_sources(node["args"]) for node in layer["inbound_nodes"]],
        ]
        for layer in config["layers"]
    ]
    parts = [_plain(layer.get_config()) for stack in model.layers for layer in getattr(stack, "layers", [])]
    ends = _plain([config["input_layers"], config["output_layers"]])
    return hashlib.sha256(json.dumps([layers, parts, ends], sort_keys=True).encode()).hexdigest()


def main() -> None:
    os.environ["KERAS_BACKEND"] = "numpy"
    import keras
    import numpy as np

    # Values of weights do not matter, so none are drawn.
    keras.initializers.VarianceScaling.__call__ = lambda self, shape, dtype=None: np.zeros(shape, dtype or "float32")
    table = {}
    for name in NAMES:
        keras.utils.clear_session()
        model = getattr(keras.applications, name)(weights=None)
        table[name] = {"layers": rows(model), "config": digest(model)}
        print(name, len(model.layers), model.count_params(), flush=True)
    data = json.dumps(table, separators=(",", ":")).encode()
    FILE.write_bytes(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main()
