"""Image files and arrays, compared with Keras."""

import io
import pathlib

import keras
import numpy as np
import pytest
from PIL import Image

import jaxkeras as jk

ours, theirs = jk.preprocessing.image, keras.preprocessing.image
RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (9, 13, 3)).astype("uint8")


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("scale", [True, False])
def test_array_to_img_equals_keras(channels, scale):
    x = RNG.uniform(0, 255, (4, 6, channels))
    actual, expected = ours.array_to_img(x, scale=scale), theirs.array_to_img(x, scale=scale)
    assert (actual.mode, actual.size) == (expected.mode, expected.size)
    np.testing.assert_array_equal(np.asarray(actual), np.asarray(expected))


def test_array_to_img_edge_cases():
    assert np.asarray(ours.array_to_img(np.full((2, 2, 3), 7.0))).max() == 0  # nothing to stretch
    assert ours.array_to_img(np.full((2, 2, 1), 1000.0), scale=False).mode == "I"
    first = ours.array_to_img(PHOTO.transpose(2, 0, 1), data_format="channels_first", scale=False)
    np.testing.assert_array_equal(np.asarray(first), PHOTO)
    np.testing.assert_array_equal(
        np.asarray(ours.array_to_img(np.arange(4).reshape(2, 2, 1), dtype="int32")).max(), 255
    )
    with pytest.raises(ValueError, match="2 in shape"):
        ours.array_to_img(np.zeros((4, 4, 2)))
    with pytest.raises(ValueError, match="one image"):
        ours.array_to_img(np.zeros((1, 4, 4, 3)))


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_img_to_array_equals_keras(mode, data_format):
    img = Image.fromarray(PHOTO).convert(mode)
    expected = theirs.img_to_array(img, data_format)
    actual = ours.img_to_array(img, data_format)
    assert actual.dtype == expected.dtype == "float32"
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"color_mode": "grayscale"},
        {"color_mode": "rgba", "target_size": (5, 4)},
        {"target_size": (6, 6), "interpolation": "bilinear"},
        {"target_size": (20, 7), "interpolation": "lanczos", "keep_aspect_ratio": True},
        {"target_size": (4, 12), "interpolation": "box", "keep_aspect_ratio": True},
    ],
)
def test_load_img_equals_keras(tmp_path, more):
    path = tmp_path / "photo.png"
    Image.fromarray(PHOTO).save(path)
    expected = theirs.load_img(path, **more)
    for source in (path, str(path), io.BytesIO(path.read_bytes())):
        actual = ours.load_img(source, **more)
        assert actual.mode == expected.mode
        np.testing.assert_array_equal(np.asarray(actual), np.asarray(expected))


def test_load_img_keeps_16_bit_grayscale(tmp_path):
    Image.fromarray(np.arange(6, dtype="uint16").reshape(2, 3) * 1000).save(tmp_path / "deep.png")
    assert np.asarray(ours.load_img(tmp_path / "deep.png", color_mode="grayscale")).max() == 5000


def test_load_img_invalid_arguments_raise(tmp_path):
    with pytest.raises(TypeError, match="got int"):
        ours.load_img(3)
    with pytest.raises(ValueError, match="color_mode"):
        ours.load_img("x.png", color_mode="cmyk")
    with pytest.raises(ValueError, match="interpolation"):
        ours.load_img("x.png", target_size=(2, 2), interpolation="cubic")


def test_save_img_by_extension_format_and_file_object(tmp_path):
    ours.save_img(tmp_path / "a.png", PHOTO, scale=False)
    np.testing.assert_array_equal(np.asarray(ours.load_img(tmp_path / "a.png")), PHOTO)
    ours.save_img(pathlib.Path(tmp_path / "b.jpg"), PHOTO, quality=90)
    assert Image.open(tmp_path / "b.jpg").format == "JPEG"
    with pytest.warns(UserWarning, match="alpha"):
        ours.save_img(tmp_path / "c.jpeg", RNG.uniform(size=(4, 4, 4)))
    buffer = io.BytesIO()
    ours.save_img(buffer, PHOTO, file_format="PNG")
    assert Image.open(buffer).size == (13, 9)


@pytest.mark.parametrize("size", [(4, 4), (9, 2), (3, 20)])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_smart_resize_equals_keras(size, interpolation):
    x = PHOTO.astype("float32")
    expected = theirs.smart_resize(x, size, interpolation)
    np.testing.assert_allclose(ours.smart_resize(x, size, interpolation), expected, rtol=1e-5, atol=1e-3)


def test_smart_resize_batches_and_data_formats():
    x = PHOTO.astype("float32")
    plain = ours.smart_resize(x, (4, 4))
    batch = ours.smart_resize(x[None].transpose(0, 3, 1, 2), (4, 4), data_format="channels_first")
    assert isinstance(batch, np.ndarray)
    np.testing.assert_allclose(batch[0].transpose(1, 2, 0), plain, rtol=1e-6)
    assert not isinstance(ours.smart_resize(jk.ops.convert_to_tensor(x), (4, 4)), np.ndarray)
    with pytest.raises(ValueError, match="size"):
        ours.smart_resize(x, (4,))


def test_missing_pillow_error_names_the_package(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"pip install .jaxkeras\[image\]"):
        ours.array_to_img(PHOTO)
