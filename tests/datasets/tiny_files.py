"""A tiny synthetic file in the real format for each row of the table of datasets."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile

import numpy as np

RNG = np.random.RandomState(7)


def npz(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes())


def _ragged(count: int) -> np.ndarray:
    rows = np.empty(count, object)
    rows[:] = [RNG.randint(1, 30, size=size).tolist() for size in RNG.randint(2, 12, size=count)]
    return rows


def _reviews(count: int) -> tuple[np.ndarray, np.ndarray]:
    return _ragged(count), RNG.randint(0, 2, count)


def _short(text: bytes) -> bytes:
    return b"U" + bytes([len(text)]) + text


def python2_pickle(batch: dict[bytes, np.ndarray | list[int]]) -> bytes:
    """Pickle a batch opcode for opcode as Python 2 did with protocol 2, which made the real CIFAR files."""
    out = b"\x80\x02}("
    for key, value in batch.items():
        out += _short(key)
        if isinstance(value, list):
            out += b"](" + b"".join(b"K" + bytes([item]) for item in value) + b"e"
            continue
        out += b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + _short(b"b") + b"\x87R(K\x01"
        out += b"".join(b"M" + struct.pack("<H", size) for size in value.shape) + b"\x86"
        out += b"cnumpy\ndtype\n" + _short(b"u1") + b"K\x00K\x01\x87R"
        out += b"(K\x03" + _short(b"|") + b"NNN" + 2 * b"J\xff\xff\xff\xff" + b"K\x00tb"
        out += b"\x89T" + struct.pack("<I", value.size) + value.tobytes() + b"tb"
    return out + b"u."


def _cifar(folder: str, members: list[str], label_keys: list[bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for member in members:
            batch = {b"data": RNG.randint(0, 256, (3, 3072)).astype(np.uint8)}
            batch |= {key: RNG.randint(0, 10, 3).tolist() for key in label_keys}
            content = python2_pickle(batch)
            info = tarfile.TarInfo(f"{folder}/{member}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _images(count: int) -> np.ndarray:
    return RNG.randint(0, 256, (count, 28, 28)).astype(np.uint8)


def _labels(count: int) -> np.ndarray:
    return RNG.randint(0, 10, count).astype(np.uint8)


def _housing(count: int, features: int) -> bytes:
    return npz(x=RNG.rand(count, features).astype(np.float32), y=RNG.rand(count))


def _imdb() -> bytes:
    (x_train, y_train), (x_test, y_test) = _reviews(20), _reviews(15)
    return npz(x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


# The real archives do not list the batches in numerical order either.
_CIFAR10_MEMBERS = [f"data_batch_{n}" for n in (4, 1, 5, 3, 2)] + ["test_batch"]

TINY: dict[str, bytes] = {
    "mnist": npz(x_train=_images(6), y_train=_labels(6), x_test=_images(3), y_test=_labels(3)),
    "fashion_mnist/x_train": idx(_images(6)),
    "fashion_mnist/y_train": idx(_labels(6)),
    "fashion_mnist/x_test": idx(_images(3)),
    "fashion_mnist/y_test": idx(_labels(3)),
    "cifar10": _cifar("cifar-10-batches-py", _CIFAR10_MEMBERS, [b"labels"]),
    "cifar100": _cifar("cifar-100-python", ["test", "train"], [b"fine_labels", b"coarse_labels"]),
    "imdb": _imdb(),
    "imdb/word_index": json.dumps({"the": 1, "café": 2}).encode(),
    "reuters": npz(**dict(zip("xy", _reviews(40)))),
    "reuters/word_index": json.dumps({"cocoa": 1}).encode(),
    "california_housing": _housing(650, 8),
    "boston_housing": _housing(30, 13),
}
