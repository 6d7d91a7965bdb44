"""Image preprocessing: parity with Keras for the same random numbers, randomness, dtypes and bounding boxes."""

import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.core import names
from jaxkeras.layers.preprocessing.image.bounding_boxes import FORMATS, convert_format
from jaxkeras.layers.preprocessing.image.image_layer import KeyStream
from tests.cases import by_default
from tests.layers.parity import same_signature

keras = pytest.importorskip("keras")
L = jk.layers

IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 6, 8, 3)).astype(np.float32)
FIRST = np.moveaxis(IMAGES, -1, 1)
NAMES = """AugMix AutoContrast CenterCrop ContrastLimitedAdaptiveHistogramEqualization CutMix Equalization
MaxNumBoundingBoxes MixUp Pipeline RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast
RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert
RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation
RandomZoom Resizing Solarization""".split()

# Keys missing from Keras's configs.
MORE = {"RandomGrayscale": {"seed"}, "MaxNumBoundingBoxes": {"fill_value"}, "RandomCrop": set()}


@pytest.mark.parametrize("name", NAMES)
def test_signature(name):
    same_signature(keras, name)


def plain(config):
    return json.loads(json.dumps({**config, "name": None}))


def pair(name, settings):
    return getattr(L, name)(**settings), getattr(keras.layers, name)(**settings)


def same_config(ours, theirs):
    config = plain(ours.get_config())
    kept = {k: v for k, v in config.items() if k not in MORE.get(type(ours).__name__, ())}
    assert kept == plain(theirs.get_config())
    assert plain(type(ours).from_config(ours.get_config()).get_config()) == config


SEED = {"seed": 1}
CASES = [
    ("CenterCrop", {"height": 4, "width": 3}), ("CenterCrop", {"height": 5, "width": 9}),
    ("Resizing", {"height": 4, "width": 9}), ("Resizing", {"height": 9, "width": 9, "interpolation": "nearest"}),
    ("Resizing", {"height": 5, "width": 5, "crop_to_aspect_ratio": True, "antialias": True}),
    ("Resizing", {"height": 5, "width": 5, "pad_to_aspect_ratio": True, "fill_value": 3.0}),
    ("RandomCrop", {"height": 4, "width": 3, **SEED}), ("RandomCrop", {"height": 7, "width": 7, **SEED}),
    *(("RandomFlip", {"mode": m, **SEED}) for m in ("horizontal", "vertical", "horizontal_and_vertical")),
    ("RandomTranslation", {"height_factor": 0.3, "width_factor": (-0.1, 0.4), **SEED}),
    ("RandomTranslation", {"height_factor": 0.3, "width_factor": 0.2, "fill_mode": "constant", "fill_value": 9.0}),
    ("RandomRotation", {"factor": 0.2, **SEED}), ("RandomRotation", {"factor": (0.1, 0.2), "fill_mode": "wrap"}),
    ("RandomZoom", {"height_factor": 0.3, **SEED}),
    ("RandomZoom", {"height_factor": (-0.4, -0.1), "width_factor": 0.2}),
    ("RandomShear", {"x_factor": 0.3, "y_factor": (0.1, 0.2), "interpolation": "nearest", **SEED}),
    ("RandomPerspective", {"factor": (0.5, 1.0), "scale": 0.4, **SEED}),
    ("RandomBrightness", {"factor": 0.3, **SEED}),
    ("RandomBrightness", {"factor": (0.1, 0.2), "value_range": (255, 0)}),
    ("RandomContrast", {"factor": 0.5, **SEED}), ("RandomContrast", {"factor": (0.5, 0.2), **SEED}),
    ("RandomHue", {"factor": 0.5, **SEED}), ("RandomSaturation", {"factor": (0.2, 0.8), **SEED}),
    ("RandomColorDegeneration", {"factor": 0.5, **SEED}), ("RandomSharpness", {"factor": 0.7, **SEED}),
    ("RandomPosterization", {"factor": 3, **SEED}), ("RandomPosterization", {"factor": (2, 6), **SEED}),
    ("RandomGrayscale", {"factor": 0.6, **SEED}), ("RandomInvert", {"factor": 0.6, **SEED}),
    ("Solarization", {"addition_factor": 0.3, "threshold_factor": (0.3, 0.6), **SEED}),
    ("AutoContrast", {}), ("RandomGaussianBlur", {"kernel_size": (3, 5), "sigma": (0.3, 0.9), **SEED}),
    ("RandomErasing", {"factor": 0.7, "scale": (0.1, 0.5), "fill_value": (1.0, 2.0, 3.0), **SEED}),
    ("RandomErasing", {"fill_value": 4.0, **SEED}), ("CutMix", {**SEED}), ("MixUp", {"alpha": 0.5, **SEED}),
    ("ContrastLimitedAdaptiveHistogramEqualization", {"tile_grid_size": (2, 3)}),
    ("ContrastLimitedAdaptiveHistogramEqualization", {"tile_grid_size": (4, 4), "clip_limit": 1.5}),
]  # fmt: skip


@pytest.mark.parametrize("name, settings", CASES, ids=str)
def test_parity_for_the_same_random_numbers(name, settings):
    ours, theirs = pair(name, settings)
    same_config(ours, theirs)
    drawn = theirs.get_random_transformation(IMAGES, training=True)
    if name == "RandomCrop":
        drawn = tuple(map(np.asarray, drawn)) if settings["height"] < 6 else None
    expected = theirs.transform_images(IMAGES.copy(), drawn if name != "RandomCrop" or drawn else (0, 0), training=True)
    if isinstance(drawn, dict):
        drawn = {k: v if k == "input_shape" or v is None else np.asarray(v) for k, v in drawn.items()}
    actual = jax.jit(lambda x: ours.transform_images(x, drawn, training=True))(IMAGES)
    if name == "RandomCrop" and drawn is None:
        expected = keras.layers.CenterCrop(settings["height"], settings["width"])(IMAGES)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=2e-2)
    # The layer's own random transformation has the same structure.
    own = jax.eval_shape(lambda x: ours.get_random_transformation(x, seed=KeyStream(jax.random.key(0))), IMAGES)
    if isinstance(drawn, dict):
        for key, value in drawn.items():
            if isinstance(value, np.ndarray) and key in own:
                assert own[key].shape == value.shape, key


FEW = ("RandomFlip", "RandomTranslation", "RandomBrightness", "RandomHue", "RandomErasing", "AutoContrast")


@pytest.mark.parametrize("name, settings", by_default([
    ("RandomFlip", {}), ("RandomTranslation", {"height_factor": 0.3, "width_factor": 0.3}),
    ("RandomZoom", {"height_factor": 0.3}), ("RandomBrightness", {"factor": 0.3}), ("RandomContrast", {"factor": 0.5}),
    ("RandomHue", {"factor": 0.5}), ("RandomSaturation", {"factor": (0.2, 0.8)}), ("Equalization", {}),
    ("RandomSharpness", {"factor": 0.7}), ("RandomErasing", {"fill_value": (1.0, 2.0, 3.0)}), ("CutMix", {}),
    ("RandomCrop", {"height": 4, "width": 3}), ("CenterCrop", {"height": 4, "width": 3}), ("AutoContrast", {}),
    ("RandomPerspective", {}), ("RandomElasticTransform", {}), ("RandomGaussianBlur", {"sigma": (0.5, 0.9)}),
    ("ContrastLimitedAdaptiveHistogramEqualization", {}), ("RandomGrayscale", {}),
], FEW), ids=str)  # fmt: skip
def test_channels_first_equals_channels_last(name, settings):
    def changed(data_format, x):
        names.reset_uids()  # the same path, so the same random numbers
        layer = getattr(L, name)(**settings, data_format=data_format)
        step = partial(layer.apply, {}, layer.state, training=True)
        eager = name == "CutMix" or data_format == "channels_last" and "Equal" not in name  # compiled for others
        return (step if eager else jax.jit(step))(x, rng=jax.random.key(3))

    (last, _), (first, _) = changed("channels_last", IMAGES), changed("channels_first", FIRST)
    np.testing.assert_allclose(np.moveaxis(np.asarray(first), 1, -1), last, rtol=1e-4, atol=1e-2)


RANDOM = [
    ("RandomFlip", {}), ("RandomTranslation", {"height_factor": 0.3, "width_factor": 0.3}),
    ("RandomRotation", {"factor": 0.2}), ("RandomZoom", {"height_factor": 0.3}), ("RandomShear", {"x_factor": 0.3}),
    ("RandomPerspective", {}), ("RandomElasticTransform", {}), ("RandomBrightness", {"factor": 0.3}),
    ("RandomContrast", {"factor": 0.5}), ("RandomHue", {"factor": 0.5}), ("RandomSaturation", {"factor": 0.5}),
    ("RandomColorDegeneration", {"factor": 0.5}), ("RandomSharpness", {"factor": 0.5}), ("RandomGrayscale", {}),
    ("RandomPosterization", {"factor": (2, 6)}), ("RandomInvert", {"factor": 0.5}), ("RandomGaussianBlur", {}),
    ("RandomErasing", {}), ("Solarization", {"addition_factor": 0.5}), ("MixUp", {}), ("CutMix", {}),
    ("RandomCrop", {"height": 4, "width": 4}), ("RandAugment", {}), ("AugMix", {}),
    ("RandomColorJitter", {"brightness_factor": 0.2, "contrast_factor": 0.2, "hue_factor": 0.1}),
]  # fmt: skip


# The random numbers of an image do not depend on other images, except for these layers, as in Keras.
TOGETHER = ("RandomElasticTransform", "RandomGaussianBlur", "MixUp", "CutMix", "RandomCrop", "RandAugment", "AugMix")


SLOW = ("AugMix", "RandAugment", "RandomElasticTransform", "RandomColorJitter", "CutMix")


@pytest.mark.parametrize(
    "name, settings", by_default(RANDOM, lambda name: name not in SLOW), ids=lambda x: str(x)[:40]
)
def test_random_layers(name, settings):
    layer, key = getattr(L, name)(**settings, seed=5), jax.random.key(0)
    x = jnp.asarray(IMAGES)
    outside = layer(x, training=False)
    if name == "RandomCrop":
        np.testing.assert_array_equal(outside, x[:, 1:5, 2:6])
    else:
        np.testing.assert_allclose(outside, x)
    first, second = layer(x, training=True), layer(x, training=True)
    again = getattr(L, name)(**settings, seed=5)
    np.testing.assert_array_equal(again(x, training=True), first)
    assert not np.array_equal(first, second) or name in ("RandomFlip", "RandomGrayscale", "RandomInvert", "RandomCrop")
    assert np.isfinite(first).all()

    # With a key it is a pure function, of any number of images, and compiled only once.
    traces = []

    def step(x, key):
        traces.append(1)
        return layer.apply({}, layer.state, x, training=True, rng=key)[0]

    more, jitted = x if name in TOGETHER else jnp.concatenate([x, x[:2]]), jax.jit(step)
    results = [jitted(more, jax.random.key(i)) for i in range(4)]
    assert len(traces) == 1 and any(not np.array_equal(results[0], r) for r in results)
    np.testing.assert_allclose(results[0][:3], step(x, key), rtol=1e-5, atol=1e-2)
    assert jax.eval_shape(step, x[0], key).shape == first.shape[1:]
    assert layer.compute_output_shape((None, 6, 8, 3))[1:] == first.shape[1:]
    assert jax.eval_shape(step, x.astype(jnp.uint8), key).dtype == jnp.float32


def test_equalization():
    x = IMAGES.round()
    ours, theirs = pair("Equalization", {})
    same_config(ours, theirs)
    each = np.concatenate([theirs(x[i : i + 1]) for i in range(3)])  # Keras uses one histogram for the batch
    np.testing.assert_allclose(ours(x), each, atol=1e-3)
    ours, theirs = pair("Equalization", {"value_range": (0, 1), "bins": 64})
    flat = np.full((1, 4, 4, 2), 0.5, np.float32)
    np.testing.assert_allclose(ours(flat), flat)


def test_types():
    x = IMAGES.astype(np.uint8)
    assert L.Resizing(3, 3)(x).dtype == jnp.uint8
    assert L.CenterCrop(3, 3)(x).dtype == jnp.float32
    assert L.ContrastLimitedAdaptiveHistogramEqualization()(x).dtype == jnp.uint8
    assert L.RandomFlip(dtype="bfloat16")(x).dtype == jnp.bfloat16


def test_random_numbers_equal_keras_on_jax():
    # The order and the shapes of the draws are those of Keras; these numbers are from
    # keras.layers.RandomFlip(seed=1) on JAX.
    flips = L.RandomFlip(seed=1).get_random_transformation(jnp.zeros((6, 2, 2, 1)))["flips"].ravel()
    expected = jax.random.uniform(jnp.array([1, 0], jnp.uint32), (6,)) <= 0.5
    np.testing.assert_array_equal(flips, expected)


BOXES = {"boxes": np.array([[[1.0, 1, 4, 3], [0, 2, 8, 5]]] * 3, np.float32), "labels": np.array([[7, 9]] * 3)}


def data(**more):
    copy = {k: v.copy() for k, v in BOXES.items()}
    return {"images": jnp.asarray(IMAGES), "bounding_boxes": copy, **more}


@pytest.mark.parametrize("name, settings", [
    ("RandomTranslation", {"height_factor": 0.3, "width_factor": 0.2}), ("RandomZoom", {"height_factor": (-0.3, -0.1)}),
    ("RandomZoom", {"height_factor": 0.2, "width_factor": 0.1}), ("RandomRotation", {"factor": 0.1}),
    ("CenterCrop", {"height": 4, "width": 5}), ("Resizing", {"height": 12, "width": 4}),
    ("CenterCrop", {"height": 8, "width": 8}), ("Resizing", {"height": 5, "width": 5, "pad_to_aspect_ratio": True}),
], ids=str)  # fmt: skip
def test_boxes_equal_keras(name, settings):
    seeded = {} if name in ("CenterCrop", "Resizing") else {"seed": 1}
    ours, theirs = pair(name, {**settings, **seeded, "bounding_box_format": "xyxy"})
    drawn = theirs.get_random_transformation(IMAGES, training=True)
    copy = {k: v.copy() for k, v in BOXES.items()}
    expected = theirs.transform_bounding_boxes(copy, drawn, training=True)
    actual = ours.transform_bounding_boxes(BOXES, drawn, training=True, size=(6, 8))
    np.testing.assert_allclose(actual["boxes"], expected["boxes"], rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(actual["labels"], expected["labels"])


@pytest.mark.parametrize("form", ["xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw", "rel_xyxy", "rel_center_xywh"])
def test_boxes_move_with_the_pixels(form):
    layer = L.RandomFlip("horizontal", seed=0, bounding_box_format=form)
    boxes = convert_format(BOXES, "xyxy", form, 6, 8)
    drawn = {"flips": jnp.array([True, False, True]).reshape(3, 1, 1, 1)}
    moved = layer.transform_bounding_boxes(boxes, drawn, size=(6, 8))
    back = convert_format(moved, form, "xyxy", 6, 8)["boxes"]
    np.testing.assert_allclose(back[0], [[4, 1, 7, 3], [0, 2, 8, 5]], atol=1e-4)
    np.testing.assert_allclose(back[1], BOXES["boxes"][1], atol=1e-4)


@pytest.mark.parametrize("form", FORMATS)
def test_box_formats_equal_keras(form):
    theirs = keras.utils.bounding_boxes.convert_format
    expected = theirs(BOXES["boxes"].copy(), "xyxy", form, 6, 8)
    np.testing.assert_allclose(convert_format(BOXES["boxes"], "xyxy", form, 6, 8), expected, rtol=1e-6)
    np.testing.assert_allclose(convert_format(expected, form, "xyxy", 6, 8), BOXES["boxes"], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name, settings", by_default([
    ("RandomFlip", {}), ("RandomCrop", {"height": 4, "width": 4}), ("RandomShear", {"x_factor": 0.2}),
    ("RandomPerspective", {"scale": 0.3}), ("RandomElasticTransform", {"scale": 0.5}), ("RandAugment", {}),
    ("RandomBrightness", {"factor": 0.2}), ("RandomRotation", {"factor": 0.1}), ("AugMix", {}),
], lambda name: name not in ("RandAugment", "AugMix")), ids=str)  # fmt: skip
def test_labels_masks_and_boxes_of_images(name, settings):
    layer = getattr(L, name)(**settings, seed=1, bounding_box_format="xyxy")
    masks = np.random.default_rng(1).integers(0, 3, (3, 6, 8, 1))
    given = data(labels=np.eye(3, dtype=np.float32), segmentation_masks=masks)
    result = layer(given, training=True)
    assert set(result) == set(given)
    assert result["segmentation_masks"].shape[:3] == result["images"].shape[:3]
    assert set(np.unique(result["segmentation_masks"])) <= {0, 1, 2} or name == "AugMix"
    np.testing.assert_array_equal(result["labels"], np.eye(3))
    height, width = result["images"].shape[1:3]
    boxes = np.asarray(result["bounding_boxes"]["boxes"])
    assert boxes.shape == (3, 2, 4) and (boxes >= 0).all() and (boxes <= [width, height, width, height]).all()
    one = {k: jax.tree.map(lambda x: x[0], v) for k, v in given.items()}
    one = jax.eval_shape(lambda one: layer.apply({}, layer.state, one, training=True, rng=jax.random.key(0))[0], one)
    assert one["images"].ndim == 3 and one["bounding_boxes"]["boxes"].shape == (2, 4)
    np.testing.assert_array_equal(given["bounding_boxes"]["boxes"], BOXES["boxes"])


@pytest.mark.parametrize("name, settings", [
    ("RandomShear", {"x_factor": (0.2, 0.2), "y_factor": (0.1, 0.1), "fill_mode": "constant", "seed": 3}),
    ("RandomPerspective", {"scale": 0.5, "seed": 3}), ("RandomRotation", {"factor": 0.1, "seed": 3}),
    ("Resizing", {"height": 30, "width": 20, "crop_to_aspect_ratio": True}),
], ids=str)  # fmt: skip
def test_boxes_enclose_their_pixels(name, settings):
    x = np.zeros((1, 40, 40, 1), np.float32)
    x[0, 15:22, 12:24] = 1
    layer = getattr(L, name)(**settings, bounding_box_format="xyxy")
    boxes = {"boxes": np.array([[[12.0, 15, 24, 22]]]), "labels": np.array([[1]])}
    result, _ = jax.jit(partial(layer.apply, {}, training=True))(layer.state, {"images": x, "bounding_boxes": boxes})
    rows, columns = np.nonzero(np.asarray(result["images"])[0, :, :, 0] > 0.5)
    found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    np.testing.assert_allclose(result["bounding_boxes"]["boxes"][0, 0], found, atol=1.6)


def test_mixing_layers_mix_labels():
    given = {"images": jnp.asarray(IMAGES), "labels": jnp.eye(3)}
    for layer in (L.MixUp(seed=1), L.CutMix(seed=1)):
        result = layer(given, training=True)
        np.testing.assert_allclose(result["labels"].sum(1), 1, rtol=1e-5)
    theirs = keras.layers.MixUp(seed=1)
    drawn = theirs.get_random_transformation(IMAGES)
    expected = theirs.transform_labels(np.eye(3, dtype=np.float32), drawn)
    actual = L.MixUp().transform_labels(jnp.eye(3), jax.tree.map(np.asarray, drawn))
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    with pytest.raises(NotImplementedError, match="CutMix"):
        L.CutMix(bounding_box_format="xyxy")(data(), training=True)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_mosaic(data_format):
    images = jnp.asarray(IMAGES if data_format == "channels_last" else FIRST)
    boxes = {"boxes": np.array([[[0.0, 0, 8, 6]]] * 3), "labels": np.array([[1], [2], [3]])}
    layer = L.Mosaic(seed=1, data_format=data_format, bounding_box_format="xyxy")
    drawn = layer.get_random_transformation(images)
    joined = np.asarray(layer.transform_images(images, drawn))
    labels = layer.transform_labels(jnp.eye(3), drawn)
    moved = layer.transform_bounding_boxes(boxes, drawn, size=(6, 8))
    for i, (x, y, order) in enumerate(zip(drawn["center_x"], drawn["center_y"], drawn["permutation_order"])):
        assert order[0] == i
        a, b, c, d = IMAGES[order]
        top, bottom = (a[6 - y :, 8 - x :], b[6 - y :, : 8 - x]), (c[: 6 - y, 8 - x :], d[: 6 - y, : 8 - x])
        expected = np.concatenate([np.concatenate(row, axis=1) for row in (top, bottom)], axis=0)
        actual = joined[i] if data_format == "channels_last" else np.moveaxis(joined[i], 0, -1)
        np.testing.assert_array_equal(actual, expected)
        areas = np.array([x * y, (8 - x) * y, x * (6 - y), (8 - x) * (6 - y)]) / 48
        np.testing.assert_allclose(labels[i], areas @ np.eye(3)[order], rtol=1e-6)
        np.testing.assert_array_equal(moved["labels"][i], order + 1)
        corners = [[0, 0, x, y], [x, 0, 8, y], [0, y, x, 6], [x, y, 8, 6]]
        np.testing.assert_array_equal(moved["boxes"][i], corners)
    with pytest.raises(ValueError, match="offset"):
        L.Mosaic((0.5, 1.5))


def test_number_of_boxes():
    layer = L.MaxNumBoundingBoxes(3, bounding_box_format="xyxy")
    boxes = layer(data())["bounding_boxes"]
    np.testing.assert_array_equal(boxes["labels"], [[7, 9, -1]] * 3)
    assert L.MaxNumBoundingBoxes(1, bounding_box_format="xyxy")(data())["bounding_boxes"]["boxes"].shape == (3, 1, 4)
    ragged = {"boxes": [[[0, 0, 1, 1]], [], [[1, 1, 2, 2], [2, 2, 3, 3]]], "labels": [[1], [], [2, 3]]}
    result = layer({"images": IMAGES, "bounding_boxes": ragged})["bounding_boxes"]
    np.testing.assert_array_equal(result["labels"], [[1, -1, -1], [-1, -1, -1], [2, 3, -1]])


def test_pipeline():
    layers = [L.Rescaling(1 / 255), L.RandomFlip(seed=1), L.Resizing(3, 3)]
    pipeline = L.Pipeline(layers)
    assert pipeline(IMAGES).shape == (3, 3, 3, 3)
    again = L.Pipeline.from_config(pipeline.get_config())
    np.testing.assert_allclose(again(IMAGES, training=False), pipeline(IMAGES, training=False), rtol=1e-6)
    assert not pipeline.host_only and L.Pipeline([L.Hashing(3)]).host_only


@pytest.mark.parametrize("make, message", [
    (lambda: L.RandomRotation(3.0), "factor"), (lambda: L.RandomZoom(-1.0), "above -1"),
    (lambda: L.RandomFlip("diagonal"), "mode"), (lambda: L.RandomShear(1, fill_mode="blur"), "fill_mode"),
    (lambda: L.RandomBrightness(0.1, value_range=3), "value_range"),
    (lambda: L.RandomGaussianBlur(kernel_size=4), "odd"), (lambda: L.RandomFlip()(np.zeros((2, 3))), "batch of images"),
    (lambda: L.RandomFlip()(data()), "bounding_box_format"),
    (lambda: L.RandomFlip(bounding_box_format="xxyy")(data()), "format"),
    (lambda: L.RandomErasing(fill_value=(1, 2)), "fill_value"), (lambda: L.RandomGrayscale(2), "factor"),
])  # fmt: skip
def test_errors_name_the_argument(make, message):
    with pytest.raises(ValueError, match=message):
        make()
