"""Datasets from directories and time series: files and labels as in Keras, contents, and errors."""

import pathlib
import wave

import keras
import numpy as np
import pytest
from keras.src.utils import dataset_utils
from PIL import Image

import jaxkeras as jk

RNG = np.random.default_rng(0)
CLASSES = ("birds", "ants", "cats")


def write_wav(path, samples, rate=8000, width=2):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1] if samples.ndim > 1 else 1)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Folders `images`, `texts` and `sounds`: three classes of four files each, one file in a subfolder."""
    root = tmp_path_factory.mktemp("folders")
    for name in CLASSES:
        for i in range(4):
            for kind in ("images", "texts", "sounds"):
                folder = root / kind / name / ("deeper" if i == 1 else "")
                folder.mkdir(parents=True, exist_ok=True)
                if kind == "images":
                    pixels = RNG.integers(0, 256, (9 + i, 14, (1, 3, 4, 3)[i])).astype("uint8").squeeze()
                    Image.fromarray(pixels).save(folder / f"{i}.{'PNG' if i else 'png'}")
                elif kind == "texts":
                    (folder / f"{i}.txt").write_bytes(f"{name} number {i}".encode() + b"\xff" * (i == 3))
                else:
                    write_wav(folder / f"{i}.wav", RNG.integers(-(2**15), 2**15, 20 + i).astype("<i2"))
    (root / "images" / ".hidden").mkdir()
    (root / "images" / "readme.md").write_text("no image")
    return root


def images(root, **more):
    return jk.utils.image_dataset_from_directory(
        root / "images", **{"image_size": (6, 8), "batch_size": 5, "verbose": False, **more}
    )


# -- file discovery ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("labels, names", [("inferred", None), ("inferred", ["cats", "ants"]), (None, None)])
def test_files_and_labels_equal_keras(root, shuffle, labels, names):
    paths, numbers, found = dataset_utils.index_directory(
        root / "images", labels, (".png",), names, shuffle=shuffle, seed=7, verbose=False
    )
    data = images(root, shuffle=shuffle, labels=labels, class_names=names, seed=7)
    assert data.file_paths == paths and data.class_names == found
    if labels is not None and not shuffle:
        assert np.concatenate([y for _, y in data]).tolist() == list(numbers)


@pytest.mark.parametrize("subset", ["training", "validation"])
def test_split_subsets_equal_keras(root, subset):
    paths, numbers, _ = dataset_utils.index_directory(root / "texts", "inferred", (".txt",), seed=3, verbose=False)
    expected, _ = dataset_utils.get_training_or_validation_split(paths, numbers, 0.3, subset)
    arguments = {"seed": 3, "validation_split": 0.3, "verbose": False}
    data = jk.utils.text_dataset_from_directory(root / "texts", subset=subset, **arguments)
    assert data.file_paths == expected
    both = jk.utils.text_dataset_from_directory(root / "texts", subset="both", **arguments)
    assert both[subset == "validation"].file_paths == expected
    # The validation subset is not reshuffled.
    texts = [[text for batch, _ in both[1] for text in batch] for _ in range(2)]
    assert texts[0] == texts[1] == [pathlib.Path(p).read_text(errors="replace") for p in both[1].file_paths]


def test_label_modes(root):
    integers = np.concatenate([y for _, y in images(root, shuffle=False)])
    assert integers.dtype == "int32" and integers.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    one_hot = np.concatenate([y for _, y in images(root, shuffle=False, label_mode="categorical")])
    np.testing.assert_array_equal(one_hot, np.eye(3, dtype="float32")[integers])
    binary = np.concatenate([y for _, y in images(root, shuffle=False, label_mode="binary", class_names=CLASSES[:2])])
    assert binary.dtype == "float32" and binary.tolist() == [[0.0]] * 4 + [[1.0]] * 4
    given = images(root, shuffle=False, labels=[5, 6] * 6, batch_size=None)
    assert [int(y) for _, y in given] == [5, 6] * 6 and given.class_names == ["5", "6"]
    assert next(iter(images(root, label_mode=None))).shape == (5, 6, 8, 3)


def test_order_changes_every_epoch_and_depends_on_the_seed(root):
    data = images(root, seed=1, batch_size=12)
    first, second = (next(iter(data))[1].tolist() for _ in range(2))
    assert first != second and sorted(first) == sorted(second)
    assert next(iter(images(root, seed=1, batch_size=12)))[1].tolist() == first
    pairs = {tuple(x.ravel()[:3].tolist()): int(y) for x, y in images(root, shuffle=False, batch_size=None)}
    assert all(pairs[tuple(x.ravel()[:3].tolist())] == int(y) for x, y in images(root, seed=2, batch_size=None))


def test_file_counts_are_printed(root, capsys):
    jk.preprocessing.text_dataset_from_directory(root / "texts", seed=0, validation_split=0.5, subset="both")
    out = capsys.readouterr().out
    assert out == "Found 12 files belonging to 3 classes.\nUsing 6 files for training.\nUsing 6 files for validation.\n"
    jk.preprocessing.image_dataset_from_directory(root / "images", labels=None)
    assert capsys.readouterr().out == "Found 12 files.\n"


@pytest.mark.parametrize(
    "wrong, text",
    [
        ({"labels": "guessed"}, "labels"),
        ({"labels": [1, 2]}, "2 `labels`, but 12 files"),
        ({"label_mode": "float"}, "label_mode"),
        ({"label_mode": "binary"}, "exactly two classes"),
        ({"class_names": ["dogs"]}, "must name folders"),
        ({"labels": None, "class_names": ["ants"]}, "class_names"),
        ({"validation_split": 0.2}, "subset"),
        ({"validation_split": 0.2, "subset": "training"}, "seed"),
        ({"validation_split": 2, "subset": "training", "seed": 1}, "between 0 and 1"),
        ({"validation_split": 0.01, "subset": "validation", "seed": 1}, "no images for validation"),
        ({"subset": "test", "validation_split": 0.2}, "subset"),
        ({"format": "torch"}, "format"),
        ({"image_size": (3,)}, "image_size"),
        ({"color_mode": "hsv"}, "color_mode"),
        ({"interpolation": "cubic"}, "interpolation"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "Only one"),
    ],
)
def test_invalid_arguments_raise(root, wrong, text):
    with pytest.raises(ValueError, match=text):
        images(root, **wrong)


def test_errors_name_missing_folders_and_broken_files(tmp_path):
    with pytest.raises(ValueError, match="no folder"):
        jk.utils.image_dataset_from_directory(tmp_path / "nowhere")
    (tmp_path / "a").mkdir()
    with pytest.raises(ValueError, match="no images in"):
        jk.utils.image_dataset_from_directory(tmp_path, verbose=False)
    (tmp_path / "a" / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(ValueError, match="broken.png"):
        list(jk.utils.image_dataset_from_directory(tmp_path, verbose=False))
    (tmp_path / "a" / "broken.wav").write_bytes(b"not a sound")
    with pytest.raises(ValueError, match="broken.wav"):
        list(jk.utils.audio_dataset_from_directory(tmp_path, verbose=False))


# -- contents ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("color_mode, channels", [("rgb", 3), ("rgba", 4), ("grayscale", 1)])
def test_image_resizing_equals_keras(root, color_mode, channels):
    data = images(root, shuffle=False, labels=None, batch_size=None, color_mode=color_mode)
    assert data.element_spec.shape == (6, 8, channels)
    for actual, path in zip(data, data.file_paths):
        whole = keras.utils.img_to_array(keras.utils.load_img(path, color_mode=color_mode))
        expected = keras.ops.image.resize(whole, (6, 8))
        assert actual.dtype == "float32"
        np.testing.assert_allclose(actual, expected, atol=1e-3)


def test_images_cropped_padded_and_channels_first(root):
    plain = {"labels": None, "shuffle": False, "batch_size": 1}
    cropped, padded = (next(iter(images(root, image_size=(8, 4), **plain, **{k: True})))[0] for k in (
        "crop_to_aspect_ratio", "pad_to_aspect_ratio"))  # fmt: skip
    whole = keras.utils.img_to_array(keras.utils.load_img(images(root, **plain).file_paths[0]))  # 9 x 14
    np.testing.assert_allclose(cropped, keras.preprocessing.image.smart_resize(whole, (8, 4)), atol=1e-3)
    np.testing.assert_allclose(padded[2:4], keras.ops.image.resize(whole, (2, 4)), atol=1e-3)
    assert not padded[:2].any() and not padded[4:].any()
    first = next(iter(images(root, data_format="channels_first", **plain)))
    np.testing.assert_array_equal(first[0].transpose(1, 2, 0), next(iter(images(root, **plain)))[0])


@pytest.mark.parametrize("method", ["bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"])
@pytest.mark.parametrize("size", [(5, 20), (18, 7), (9, 13)])
def test_host_resizing_equals_keras(method, size):
    from jaxkeras.utils.host_resize import resize

    image = RNG.uniform(0, 255, (9, 13, 2)).astype("float32")
    expected = keras.ops.image.resize(image, size, method)
    np.testing.assert_allclose(resize(image, size, method), expected, atol=2e-3)


def test_area_gaussian_and_mitchell_resizing():
    from jaxkeras.utils.host_resize import resize

    image = RNG.uniform(0, 255, (6, 4, 1)).astype("float32")
    halves = image.reshape(3, 2, 2, 2, 1).mean((1, 3))
    np.testing.assert_allclose(resize(image, (3, 2), "area"), halves, rtol=1e-5)
    thirds = resize(np.array([[[0.0], [3.0]]]), (1, 3), "area")[0, :, 0]
    np.testing.assert_allclose(thirds, [0.0, 1.5, 3.0], rtol=1e-6)
    # Gaussian weights at distances 1, 0, 1; the Mitchell-Netravali kernel has 1/18, 8/9, 1/18.
    spike = np.array([[[0.0], [0.0], [1.0], [0.0], [0.0]]])
    side = np.exp(-2)
    np.testing.assert_allclose(
        resize(spike, (1, 5), "gaussian")[0, 1:4, 0], [side, 1, side] / (1 + 2 * side), rtol=1e-5
    )
    np.testing.assert_allclose(resize(spike, (1, 5), "mitchellcubic")[0, 1:4, 0], [1 / 18, 8 / 9, 1 / 18], rtol=1e-5)


def test_16_bit_images_keep_the_upper_8_bits(tmp_path):
    (tmp_path / "a").mkdir()
    Image.fromarray(np.array([[0, 256 * 7 + 3]], "uint16")).save(tmp_path / "a" / "deep.png")
    arguments = {"labels": None, "image_size": (1, 2), "verbose": False}
    for mode in ("grayscale", "rgb"):
        batch = next(iter(jk.utils.image_dataset_from_directory(tmp_path, color_mode=mode, **arguments)))
        assert batch[0, 0, :, 0].tolist() == [0.0, 7.0]


def test_text_batches_are_string_arrays(root):
    data = jk.utils.text_dataset_from_directory(root / "texts", shuffle=False, batch_size=4, verbose=False)
    batch, _ = next(iter(data))
    assert batch.dtype == object and sorted(batch) == [f"ants number {i}" for i in range(3)] + ["ants number 3\ufffd"]
    short = jk.utils.text_dataset_from_directory(root / "texts", labels=None, max_length=3, verbose=False)
    assert {len(text) for batch in short for text in batch} == {3}


def test_audio_is_padded_cut_resampled_or_unchanged(root):
    folder, plain = root / "sounds", {"labels": None, "shuffle": False, "verbose": False, "batch_size": 4}
    load = jk.utils.audio_dataset_from_directory
    data = load(folder, **plain)
    batch = next(iter(data))
    assert batch.shape == (4, 23, 1) and batch.dtype == "float32"
    for sound, path in zip(batch, data.file_paths):
        with wave.open(path) as file:
            expected = np.frombuffer(file.readframes(99), "<i2") / 32768
        np.testing.assert_array_equal(sound[: len(expected), 0], expected)
        assert not sound[len(expected) :].any()
    assert next(iter(load(folder, output_sequence_length=22, **plain))).shape == (4, 22, 1)
    assert next(iter(load(folder, sampling_rate=4000, output_sequence_length=12, **plain))).shape == (4, 12, 1)
    ragged, labels = next(iter(load(folder, shuffle=False, verbose=False, ragged=True)))
    assert sorted({len(sound) for sound in ragged}) == [20, 21, 22, 23] and labels.shape == (12,)
    with pytest.raises(ValueError, match="ragged"):
        load(folder, ragged=True, output_sequence_length=3)
    with pytest.raises(ValueError, match="sampling_rate"):
        load(folder, sampling_rate=0.5)


@pytest.mark.parametrize("width, dtype", [(1, "uint8"), (3, None), (4, "<i4")])
def test_audio_sample_widths(tmp_path, width, dtype):
    (tmp_path / "a").mkdir()
    values = np.array([[0.5, -0.25], [-1.0, 0.0]])
    whole = (values * 2 ** (8 * width - 1)).astype(np.int64) + (128 if width == 1 else 0)
    raw = whole.astype(dtype) if dtype else np.ascontiguousarray(whole.astype("<i4")[..., None].view("uint8")[..., :3])
    write_wav(tmp_path / "a" / "x.wav", raw, width=width)
    batch = next(iter(jk.utils.audio_dataset_from_directory(tmp_path, labels=None, verbose=False)))
    np.testing.assert_array_equal(batch[0], values)


def test_model_trains_on_a_directory(root):
    data = images(root, batch_size=6).map(lambda x, y: (x / 255, y))
    model = jk.Sequential([jk.Input((6, 8, 3)), jk.layers.Flatten(), jk.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(data, epochs=2, validation_data=images(root, shuffle=False), verbose=0)
    assert np.isfinite(history.history["loss"]).all() and data.class_names == sorted(CLASSES)
    assert model.predict(images(root, labels=None), verbose=0).shape == (12, 3)


# -- time series ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"sequence_stride": 3, "sampling_rate": 2, "batch_size": 3},
        {"start_index": 2, "end_index": 15},
        {"batch_size": None},
        {"shuffle": True, "seed": 5, "batch_size": 4},
    ],
)
@pytest.mark.parametrize("with_targets", [True, False])
def test_timeseries_windows(more, with_targets):
    series = np.arange(40.0).reshape(20, 2)
    arguments = {"sequence_length": 4, "batch_size": 6, **more}
    data = jk.utils.timeseries_dataset_from_array(series, np.arange(20) if with_targets else None, **arguments)
    rate, stride = more.get("sampling_rate", 1), more.get("sequence_stride", 1)
    first, end = more.get("start_index", 0), more.get("end_index", 20)
    expected = [s for s in range(first, end, stride) if s + 3 * rate < end]
    rows = list(data) if arguments["batch_size"] is None else list(data.unbatch())
    windows = np.stack([row[0] if with_targets else row for row in rows])
    begins = (windows[:, 0, 0] / 2).astype(int)
    assert sorted(begins) == expected and (more.get("shuffle", False) or list(begins) == expected)
    np.testing.assert_array_equal(windows[:, :, 1], 2.0 * (begins[:, None] + rate * np.arange(4)) + 1)
    if with_targets:
        assert [int(y) for _, y in rows] == list(begins)


@pytest.mark.parametrize(
    "wrong, text",
    [
        ({"start_index": -1}, "start_index"),
        ({"end_index": 20}, "end_index"),
        ({"start_index": 9, "end_index": 5}, "increasing"),
        ({"sampling_rate": 0}, "sampling_rate"),
        ({"sequence_stride": 20}, "sequence_stride"),
        ({"sequence_length": 30}, "No window of 30"),
        ({"format": "torch"}, "format"),
    ],
)
def test_impossible_windows_raise(wrong, text):
    with pytest.raises(ValueError, match=text):
        jk.preprocessing.timeseries_dataset_from_array(np.arange(20), None, **{"sequence_length": 3, **wrong})
