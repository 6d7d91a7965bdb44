"""File formats: which files are read and which are rejected."""

import gzip
import io
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest

from jaxkeras.datasets.readers import read_idx, read_npz
from jaxkeras.datasets.unpickle import read_pickle
from tests.datasets.tiny_files import idx, npz, python2_pickle


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4), (0, 28, 28)])
def test_idx(tmp_path, shape):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    (tmp_path / "a.gz").write_bytes(idx(array))
    read = read_idx(tmp_path / "a.gz")
    assert read.dtype == np.uint8 and np.array_equal(read, array) and read.flags.writeable


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "not an idx file"),
        (b"\x89PNG....", "not an idx file"),
        (struct.pack(">BBBBI", 0, 0, 0x0D, 1, 1) + b"abcd", "not an idx file"),
        (b"\0\0\x08\x03\0\0", "not an idx file"),
        (struct.pack(">BBBBI", 0, 0, 8, 1, 5) + b"abcd", "holds 4"),
        (struct.pack(">BBBBII", 0, 0, 8, 2, 2**31, 2**31) + b"abcd", "holds 4"),
    ],
)
def test_malformed_idx_raises(tmp_path, content, message):
    (tmp_path / "a.gz").write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match=message):
        read_idx(tmp_path / "a.gz")


def test_npz(tmp_path):
    ragged = np.empty(3, object)
    ragged[:] = [[1, 2], [], [300, 70_000, 2**40]]
    square = np.array([["a", None], [1.5, np.arange(3)]], object)
    plain = {"i": np.arange(3), "f": np.ones((2, 2), np.float32, order="F"), "u": np.array(["é", "bc"])}
    (tmp_path / "a.npz").write_bytes(npz(ragged=ragged, square=square, **plain))
    read = read_npz(tmp_path / "a.npz")
    assert set(read) == {"ragged", "square", *plain}
    assert read["ragged"].shape == (3,) and read["ragged"].tolist() == ragged.tolist()
    assert read["square"].shape == (2, 2) and read["square"][1, 1].tolist() == [0, 1, 2]
    for name, array in plain.items():
        assert read[name].dtype == array.dtype and np.array_equal(read[name], array)


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "int64", ">i4", "float32", "bool", "object"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_pickled_arrays(protocol, dtype, order):
    array = np.array(np.arange(6).reshape(2, 3), dtype, order=order)
    read = read_pickle(io.BytesIO(pickle.dumps({"x": array, "y": [1, "two", b"three", (4.0, None)]}, protocol)))
    assert read["y"] == [1, "two", b"three", (4.0, None)]
    assert read["x"].dtype == array.dtype and read["x"].tolist() == array.tolist()


def test_python_2_pickles():
    data = np.arange(12, dtype=np.uint8).reshape(3, 4)
    read = read_pickle(io.BytesIO(python2_pickle({b"data": data, b"labels": [3, 1, 2]})))
    assert read[b"labels"] == [3, 1, 2] and np.array_equal(read[b"data"], data)


class Call:
    """An object that unpickles by calling a function."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


class Subclass(np.ndarray):
    pass


HOSTILE = {
    "os.system": lambda marker: Call(os.system, f"touch {marker}"),
    "open": lambda marker: Call(open, str(marker), "w"),
    "eval": lambda marker: Call(eval, f"open({str(marker)!r}, 'w')"),
    "np.load": lambda marker: Call(np.load, str(marker)),
    "getattr": lambda marker: Call(getattr, np.ndarray, "tofile"),
    "structured dtype": lambda marker: np.zeros(2, [("a", "i4"), ("b", "O")]),
    "record": lambda marker: np.zeros(2, "V8"),
    "subclass": lambda marker: np.zeros(2).view(Subclass),
    "scalar": lambda marker: np.float32(1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_unpickling_runs_no_code(tmp_path, name):
    marker = tmp_path / "marker"
    payload = np.empty(1, object)
    payload[0] = HOSTILE[name](marker)
    (tmp_path / "evil.npz").write_bytes(npz(x=payload))
    with pytest.raises(pickle.UnpicklingError, match="Refused|Expected"):
        read_npz(tmp_path / "evil.npz")
    assert not marker.exists()


def _array_pickle(code, state, shape, content):
    """A pickled array with every field chosen by the attacker."""

    class Array:
        def __reduce__(self):
            return np.empty(0).__reduce__()[0], (np.ndarray, (0,), b"b"), (1, shape, Dtype(), False, content)

    class Dtype:
        def __reduce__(self):
            return np.dtype, (code, False, True), state

    return pickle.dumps(Array(), 4)


PLAIN = (3, "<", None, None, None, -1, -1, 0)


@pytest.mark.parametrize(
    "code, state, shape, content",
    [
        ("i4", PLAIN, (1 << 40,), b"abcd"),
        ("i4", PLAIN, (-1,), b"abcd"),
        ("i4", PLAIN, (2,), b"abcd"),
        ("O8", PLAIN, (3,), [1]),
        ("O8", PLAIN, (1,), b"12345678"[:0]),
        ("V8", PLAIN, (1,), b"12345678"),
        ("i4", (3, "<", None, ("a",), {"a": ("O", 1000)}, 8, 1, 63), (1,), b"abcd"),
        ("i4", (3, "?", None, None, None, -1, -1, 0), (1,), b"abcd"),
    ],
)
def test_forged_arrays_are_rejected(code, state, shape, content):
    assert read_pickle(io.BytesIO(_array_pickle("i4", PLAIN, (1,), b"\1\0\0\0"))).tolist() == [1]
    with pytest.raises((pickle.UnpicklingError, ValueError)):
        read_pickle(io.BytesIO(_array_pickle(code, state, shape, content)))


def test_npz_ignores_other_members(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert read_npz(tmp_path / "a.npz") == {}
