"""Shared arguments of all architectures, weight files, image preprocessing and decoding of predictions."""

import json
import subprocess
import sys

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.applications import files, imagenet_utils
from jaxkeras.utils import file_utils

apps = jk.applications
MODULES = {
    "caffe": ("resnet", "resnet50", "vgg16", "vgg19"),
    "tf": ("inception_resnet_v2", "inception_v3", "mobilenet", "mobilenet_v2", "nasnet", "resnet_v2", "xception"),
    "torch": ("densenet",),
    None: ("convnext", "efficientnet", "efficientnet_v2", "mobilenet_v3"),
}


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No network and an empty cache."""

    def refuse(origin, *args):
        raise file_utils.DownloadError(f"Could not download {origin}: no network.")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(file_utils, "download", refuse)
    imagenet_utils._classes.cache_clear()
    yield tmp_path / "models"
    imagenet_utils._classes.cache_clear()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"weights": "nowhere.h5"}, "weights"),
        ({"weights": "imagenet", "classes": 10}, "must be 1000"),
        ({"weights": "imagenet", "classifier_activation": "relu"}, "classifier_activation"),
        ({"weights": None, "pooling": "sum"}, "pooling"),
        ({"weights": None, "input_shape": (16, 16, 3)}, "at least 32x32"),
        ({"weights": None, "input_shape": (None, None, 3)}, "fully known"),
        ({"weights": None, "input_shape": (32, 32)}, "three integers"),
        ({"weights": None, "input_tensor": np.ones((1, 32, 32, 3))}, "symbolic"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        apps.ResNet50(**arguments)


def test_unknown_argument_error_names_the_function():
    with pytest.raises(TypeError, match=r"ResNet50\(\).*colour"):
        apps.ResNet50(colour=True)


@pytest.mark.parametrize(
    "pooling, shape", [(None, (None, None, None, 512)), ("avg", (None, 512)), ("max", (None, 512))]
)
def test_feature_extractor_without_top(pooling, shape):
    assert apps.VGG16(include_top=False, weights=None, pooling=pooling).output_shape == shape


def test_input_tensor_may_come_from_other_layers():
    x = jk.Input((32, 32, 3))
    model = apps.VGG16(weights=None, include_top=False, input_tensor=jk.layers.Rescaling(2.0)(x), name="mine")
    assert model.name == "mine" and model.inputs[0] is x
    assert [layer.name for layer in model.layers[:3]] == ["input_layer", "rescaling", "block1_conv1"]


@pytest.mark.parametrize("ending", ["weights.h5", "keras", "h5"])
def test_keras_weights_file_is_loaded(tmp_path, ending):
    path = str(tmp_path / f"w.{ending}")
    arguments = {"include_top": False, "input_shape": (32, 32, 3), "alpha": 0.25}
    theirs = keras.applications.MobileNet(weights=None, **arguments)
    (theirs.save_weights if ending == "weights.h5" else theirs.save)(path)
    ours = apps.MobileNet(weights=path, **arguments)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_keras_model_file_with_application_layers_is_loaded(tmp_path):
    """In a process that has not imported the architectures."""
    path = tmp_path / "m.keras"
    x = keras.Input((4,))
    scaled = keras.src.applications.convnext.LayerScale(0.5, 4)(x)
    y = keras.src.applications.inception_resnet_v2.CustomScaleLayer(0.25)([x, scaled])
    keras.Model(x, y).save(path)
    code = (
        "import sys, numpy, jaxkeras as jk; assert 'jaxkeras.applications' not in sys.modules; "
        f"print(jk.models.load_model({str(path)!r})(numpy.ones((1, 4))).tolist())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.split() == "[[1.125, 1.125, 1.125, 1.125]]".split(), run.stderr[-2000:]


def test_missing_weights_error_gives_instructions(offline):
    with pytest.raises(FileNotFoundError) as error:
        apps.ResNet50()
    name = "resnet50_weights_tf_dim_ordering_tf_kernels.h5"
    assert f"{files.WEIGHTS_URL}resnet/{name}" in str(error.value) and str(offline / name) in str(error.value)


def test_weights_in_the_cache_are_loaded(offline, monkeypatch):
    arguments = {"include_top": False, "input_shape": (128, 128, 3), "alpha": 0.25}
    theirs = keras.applications.MobileNet(weights=None, **arguments)
    offline.mkdir()
    theirs.save(offline / "mobilenet_2_5_128_tf_no_top.h5")  # Keras lists no hash for this file
    ours = apps.MobileNet(weights="imagenet", **arguments)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_preprocessing_equals_keras(mode, data_format):
    shape = (2, 4, 5, 3) if data_format == "channels_last" else (2, 3, 4, 5)
    x = np.random.default_rng(0).integers(0, 256, shape)
    expected = keras.applications.imagenet_utils.preprocess_input(x, data_format, mode)
    for given in (x, jnp.asarray(x), x.astype("float32")):
        result = imagenet_utils.preprocess_input(given, data_format, mode)
        assert result.dtype == "float32"
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)
    one = imagenet_utils.preprocess_input(x[0], data_format, mode)
    np.testing.assert_allclose(one, expected[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode, module", [(mode, module) for mode, group in MODULES.items() for module in group])
def test_preprocessing_of_each_family_equals_keras(mode, module):
    x = np.random.default_rng(0).uniform(0, 255, (1, 2, 2, 3)).astype("float32")
    expected = getattr(keras.applications, module).preprocess_input(x.copy())
    np.testing.assert_allclose(getattr(apps, module).preprocess_input(x), expected, rtol=1e-5, atol=1e-5)


def test_preprocessing_inside_a_graph():
    x = jk.Input((4, 4, 3), dtype="uint8")
    model = jk.Model(x, apps.vgg16.preprocess_input(x))
    pixels = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3)).astype("uint8")
    np.testing.assert_allclose(model(pixels), apps.vgg16.preprocess_input(pixels), rtol=1e-5, atol=1e-5)


def test_decode_predictions(offline, monkeypatch):
    with pytest.raises(FileNotFoundError, match="imagenet_class_index.json"):
        apps.resnet.decode_predictions(np.zeros((1, 1000)))
    path = offline / "index.json"
    path.write_text(json.dumps({str(i): [f"n{i}", f"name{i}"] for i in range(1000)}))
    monkeypatch.setattr(imagenet_utils, "fetch", lambda *args: path)
    scores = np.zeros((2, 1000), "float32")
    scores[0, [7, 3]], scores[1, 999] = (0.5, 0.25), 1.0
    first, second = apps.resnet.decode_predictions(scores, top=2)
    assert first == [("n7", "name7", 0.5), ("n3", "name3", 0.25)]
    assert second[0] == ("n999", "name999", 1.0)
    with pytest.raises(ValueError, match="2D"):
        apps.resnet.decode_predictions(scores[0])
