"""Keras's datasets, on tiny files in the real formats; the package's table of datasets drives the tests."""

import gzip
import hashlib
import importlib
import inspect
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jaxkeras import datasets
from jaxkeras.core import config
from jaxkeras.datasets import catalog
from tests.datasets.tiny_files import TINY
from tests.loopback import serve

# All calls that load a dataset, in Keras too: (dataset, function, arguments).
LOADS = [
    ("mnist", "load_data", {}),
    ("fashion_mnist", "load_data", {}),
    ("cifar100", "load_data", {}),
    ("cifar100", "load_data", {"label_mode": "coarse"}),
    ("imdb", "load_data", {}),
    ("imdb", "load_data", {"num_words": 15, "skip_top": 5, "seed": 3}),
    ("imdb", "load_data", {"maxlen": 8, "start_char": None}),
    ("imdb", "load_data", {"oov_char": None, "num_words": 12, "start_char": None, "index_from": 0}),
    ("imdb", "get_word_index", {}),
    ("reuters", "load_data", {}),
    ("reuters", "load_data", {"num_words": 15, "skip_top": 5, "seed": 3, "test_split": 0.5}),
    ("reuters", "load_data", {"maxlen": 8, "start_char": None, "index_from": 5}),
    ("reuters", "load_data", {"oov_char": None, "num_words": 12, "start_char": 20, "index_from": 0}),
    ("reuters", "get_word_index", {}),
    ("reuters", "get_label_names", {}),
    ("california_housing", "load_data", {}),
    ("california_housing", "load_data", {"version": "small", "test_split": 0.13, "seed": 1}),
    ("boston_housing", "load_data", {}),
]
FUNCTIONS = sorted({load[:2] for load in LOADS} - {("reuters", "get_label_names")} | {("cifar10", "load_data")})
FILES = sorted(catalog.FILES)


@pytest.fixture
def server():
    with serve() as files:
        yield files


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Empty cache folders: ours, Keras's, and the system's."""
    monkeypatch.setenv("JAXKERAS_HOME", str(tmp_path / "ours"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path


@pytest.fixture
def tiny(home, server, monkeypatch):
    """The table of datasets, with URLs on the test server and the digests of its tiny files."""
    for key, file in catalog.FILES.items():
        content = gzip.decompress(TINY[key]) if file.of_content else TINY[key]
        path = f"/{key}/{file.url.rsplit('/', 1)[1]}"
        server.files[path] = TINY[key]
        row = replace(
            file,
            url=server.url + path,
            digest=hashlib.new(file.algorithm, content).hexdigest(),
            system=str(home / "system" / path[1:]) if file.system else "",
        )
        monkeypatch.setitem(catalog.FILES, key, row)
    return server


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def assert_same(ours, theirs):
    if not isinstance(theirs, np.ndarray):
        assert type(ours) is type(theirs)
    if isinstance(theirs, tuple) and not isinstance(theirs[0], str):
        for our, their in zip(ours, theirs, strict=True):
            assert_same(our, their)
    elif isinstance(theirs, np.ndarray):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        assert ours.tolist() == theirs.tolist()
        assert ours.flags.writeable
    else:
        assert ours == theirs


@pytest.fixture
def keras_dataset(tiny, tmp_path, monkeypatch):
    """Import a Keras dataset module that reads the tiny files."""
    pytest.importorskip("keras")

    def get_file(fname=None, origin=None, extract=False, **kwargs):
        key = next(key for key, file in catalog.FILES.items() if origin.endswith(file.url.rsplit("/", 1)[1]))
        path = put(tmp_path / "oracle" / fname, TINY[key])
        if not extract:
            return str(path)
        with tarfile.open(path) as archive:
            archive.extractall(path.with_suffix(".d"), filter="data")
        return str(path.with_suffix(".d"))

    def load(name):
        module = importlib.import_module(f"keras.src.datasets.{name}")
        monkeypatch.setattr(module, "get_file", get_file)
        return module

    return load


def test_table_rows_are_consistent_and_have_a_tiny_file():
    assert sorted(TINY) == FILES
    for file in catalog.FILES.values():
        assert file.url.startswith("https://")
        assert file.digest == file.digest.lower() and file.algorithm in ("sha256", "md5")


@pytest.mark.parametrize("name, function", [*FUNCTIONS, ("reuters", "get_label_names")])
def test_signature_equals_keras(name, function):
    keras = pytest.importorskip("keras")
    theirs = inspect.signature(getattr(getattr(keras.datasets, name), function)).parameters.values()
    ours = inspect.signature(getattr(getattr(datasets, name), function)).parameters.values()
    assert [(p.name, p.default, p.kind) for p in ours] == [(p.name, p.default, p.kind) for p in theirs]


@pytest.mark.filterwarnings("ignore:numpy.core:DeprecationWarning")
@pytest.mark.parametrize("name, function, kwargs", LOADS, ids=str)
def test_arrays_equal_keras(keras_dataset, name, function, kwargs):
    theirs = getattr(keras_dataset(name), function)(**kwargs)
    assert_same(getattr(getattr(datasets, name), function)(**kwargs), theirs)


def test_cifar10(tiny, monkeypatch):
    # Keras's loader requires 50,000 images, so the expected batches are read here.
    (x_train, y_train), (x_test, y_test) = datasets.cifar10.load_data()
    assert (x_train.shape, x_test.shape) == ((15, 32, 32, 3), (3, 32, 32, 3))
    assert (y_train.shape, y_test.shape) == ((15, 1), (3, 1))
    assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype("uint8")}

    path = catalog.FILES["cifar10"].locations[0]
    with tarfile.open(path) as archive:
        for number in range(1, 6):
            content = archive.extractfile(f"cifar-10-batches-py/data_batch_{number}").read()
            images = x_train[3 * number - 3 : 3 * number].transpose(0, 3, 1, 2)
            assert images.tobytes() in content

    monkeypatch.setattr(config, "_image_data_format", "channels_first")
    (first, _), _ = datasets.cifar10.load_data()
    assert np.array_equal(first.transpose(0, 2, 3, 1), x_train)


@pytest.mark.parametrize("key", FILES)
def test_file_is_downloaded_once_with_a_progress_bar(tiny, capsys, key):
    (path,) = catalog.fetch(key)
    assert path == catalog.FILES[key].locations[0] and path.read_bytes() == TINY[key]
    assert path.name in capsys.readouterr().out
    assert catalog.fetch(key) == [path]
    assert len(tiny.requests) == 1


# Names of the cached files, by Keras version.
KERAS_PLACES = [(key, index) for key in FILES for index in range(max(1, len(catalog.FILES[key].keras_names)))]


@pytest.mark.parametrize("key, index", KERAS_PLACES)
def test_files_in_the_keras_cache_are_used(tiny, home, key, index):
    place = catalog.FILES[key].locations[1 + index]
    assert place.is_relative_to(home / "keras" / "datasets")
    put(place, TINY[key])
    assert catalog.fetch(key) == [place]
    assert tiny.requests == []


@pytest.mark.parametrize("name, function", FUNCTIONS)
def test_table_equals_keras(home, monkeypatch, name, function):
    """URLs, digests and cache locations are those that Keras uses."""
    pytest.importorskip("keras")
    module = importlib.import_module(f"keras.src.datasets.{name}")
    asked = {}

    def get_file(fname, origin, cache_subdir="datasets", extract=False, file_hash=None):
        asked[origin] = home / "keras" / cache_subdir / (f"{fname}_archive" if extract else fname), file_hash
        return str(home / "nowhere")

    monkeypatch.setattr(module, "get_file", get_file)
    with pytest.raises(FileNotFoundError):
        getattr(module, function)()
    rows = {file.url: file for file in catalog.FILES.values() if file.url in asked}
    assert rows.keys() == asked.keys()
    for url, (place, file_hash) in asked.items():
        assert rows[url].locations[1] == place
        assert rows[url].digest == file_hash or (rows[url].of_content and file_hash is None)


def test_system_files_are_used_regardless_of_the_gzip_header(tiny, home):
    keys = [key for key in FILES if catalog.FILES[key].system]
    assert len(keys) == 4
    for key in keys:
        repacked = gzip.compress(gzip.decompress(TINY[key]), mtime=1)
        assert repacked != TINY[key]
        put(Path(catalog.FILES[key].system), repacked)
    (x_train, y_train), (x_test, y_test) = datasets.fashion_mnist.load_data()
    assert (x_train.shape, y_train.shape, x_test.shape, y_test.shape) == ((6, 28, 28), (6,), (3, 28, 28), (3,))
    assert tiny.requests == [] and files_below(home / "ours") == []


@pytest.mark.skipif(
    not all(Path(catalog.FILES[key].system).exists() for key in FILES if catalog.FILES[key].system),
    reason="needs Debian's dataset-fashion-mnist",
)
def test_real_fashion_mnist_from_the_system(home):
    (x_train, y_train), (x_test, y_test) = datasets.fashion_mnist.load_data()
    assert (x_train.shape, x_test.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert np.bincount(y_train).tolist() == [6000] * 10 and np.bincount(y_test).tolist() == [1000] * 10


@pytest.mark.parametrize("key", FILES)
def test_download_with_the_wrong_digest_is_not_kept(tiny, home, key):
    for path in tiny.files:
        tiny.files[path] = TINY[key][:-9] + b"corrupted"
    with pytest.raises(catalog.DatasetNotFoundError, match="damaged"):
        catalog.fetch(key)
    assert files_below(home) == []


@pytest.mark.parametrize("key", FILES)
def test_damaged_local_files_are_skipped(tiny, home, key):
    ours, keras, *_ = catalog.FILES[key].locations
    put(ours, b"half")
    put(keras, TINY[key])
    assert catalog.fetch(key) == [keras]
    assert tiny.requests == []
    keras.unlink()
    assert catalog.fetch(key) == [ours]
    assert ours.read_bytes() == TINY[key]


@pytest.mark.parametrize(
    "name, function, key", [("mnist", "load_data", "mnist"), ("imdb", "get_word_index", "imdb/word_index")]
)
def test_path_argument_sets_the_file_name(tiny, home, name, function, key):
    load = getattr(getattr(datasets, name), function)
    load(path="other")
    assert files_below(home) == [home / "ours" / "datasets" / "other"]
    assert (home / "ours" / "datasets" / "other").read_bytes() == TINY[key]
    with pytest.raises(ValueError, match="plain file name.*JAXKERAS_HOME"):
        load(path="folder/other")


@pytest.mark.parametrize("key", FILES)
def test_offline_error_gives_instructions(tiny, home, monkeypatch, key):
    file = catalog.FILES[key]
    with serve() as gone:
        pass
    offline = replace(file, url=file.url.replace(tiny.url, gone.url))
    monkeypatch.setitem(catalog.FILES, key, offline)
    keras = file.locations[1]
    put(keras, b"something else")
    with pytest.raises(OSError) as caught:
        catalog.fetch(key)
    message = str(caught.value)
    assert key.split("/")[0] in message
    assert f"{keras}: " in message and all(str(place) in message for place in file.locations)
    assert offline.url in message and f"as {file.locations[0]}" in message and file.digest in message
    assert "datasets.digits" in message
    assert file.package in message

    put(file.locations[0], TINY[key])  # as the message instructs
    assert catalog.fetch(key) == [file.locations[0]]


def test_offline_error_lists_all_missing_files(tiny, home):
    there = put(catalog.FILES["fashion_mnist/x_train"].locations[0], TINY["fashion_mnist/x_train"])
    tiny.files.clear()
    with pytest.raises(catalog.DatasetNotFoundError) as caught:
        datasets.fashion_mnist.load_data()
    message = str(caught.value)
    assert str(there) not in message
    for key in ("y_train", "x_test", "y_test"):
        assert str(catalog.FILES[f"fashion_mnist/{key}"].locations[0]) in message
    assert message.count("apt install") == 1


def test_unwritable_cache_warns(tiny, home):
    put(home / "ours", b"a file in the way")
    with pytest.raises(catalog.DatasetNotFoundError, match="JAXKERAS_HOME"):
        datasets.mnist.load_data()


@pytest.mark.parametrize(
    "name, kwargs, message",
    [
        ("cifar100", {"label_mode": "rough"}, "rough.*fine"),
        ("california_housing", {"version": "tiny"}, "tiny.*small"),
        ("california_housing", {"test_split": 1.0}, "test_split"),
        ("boston_housing", {"test_split": -0.1}, "test_split"),
        ("reuters", {"test_split": 2}, "test_split"),
        ("reuters", {"maxlen": 1}, "maxlen=1"),
        ("imdb", {"maxlen": 1}, "maxlen=1"),
    ],
)
def test_invalid_arguments_raise(tiny, name, kwargs, message):
    with pytest.raises(ValueError, match=message):
        getattr(datasets, name).load_data(**kwargs)


def test_imdb_warns_about_ignored_arguments(tiny):
    with pytest.warns(UserWarning, match="nb_words"):
        datasets.imdb.load_data(nb_words=10)


def test_sequences_of_equal_length_stay_lists(tiny):
    # Keras stacks them into a matrix.
    (x_train, _), _ = datasets.reuters.load_data(maxlen=4, start_char=None, test_split=0)
    lengths = sorted(set(map(len, x_train)))
    (x_train, _), _ = datasets.reuters.load_data(maxlen=lengths[0] + 1, start_char=None, test_split=0)
    assert x_train.ndim == 1 and set(map(len, x_train)) == {lengths[0]}
    assert all(type(row) is list and all(type(word) is int for word in row) for row in x_train)
