"""Read the file formats of the datasets into NumPy arrays."""

from __future__ import annotations

import gzip
import io
import json
import math
import os
import tarfile
import zipfile
from typing import Any

import numpy as np

from jaxkeras.core.config import image_data_format
from jaxkeras.datasets.unpickle import read_pickle

_IDX_BYTES = 0x08


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """Read unsigned bytes from a gzipped idx file, the format of MNIST.

    The format: two zero bytes, the element type, the rank, each size as a big-endian 32-bit integer, the elements.

    Args:
        path: the file.

    Returns:
        uint8 array with the shape given in the file.

    Raises:
        ValueError: for another element type, or if the number of elements does not match the shape.
    """
    with gzip.open(path) as stream:
        content = stream.read()
    start = 4 + 4 * content[3] if len(content) > 3 else 0
    if content[:3] != bytes((0, 0, _IDX_BYTES)) or len(content) < start:
        raise ValueError(f"{path} is not an idx file of unsigned bytes: it starts with {content[:4].hex(' ')!r}.")
    shape = tuple(np.frombuffer(content, ">u4", content[3], 4).tolist())
    if len(content) - start != math.prod(shape):
        raise ValueError(f"{path} declares the shape {shape}, but holds {len(content) - start} elements.")
    return np.frombuffer(bytearray(content), np.uint8, offset=start).reshape(shape)


def _read_npy(content: bytes) -> np.ndarray:
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    read_header = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}[version[0]]
    _, _, dtype = read_header(stream)
    if dtype.hasobject:
        return read_pickle(stream)
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)


def read_npz(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read all arrays of an `.npz` file; object arrays are read by `read_pickle`, which executes nothing."""
    with zipfile.ZipFile(path) as archive:
        return {
            name.removesuffix(".npy"): _read_npy(archive.read(name))
            for name in archive.namelist()
            if name.endswith(".npy")
        }


def read_cifar(path: str | os.PathLike, members: list[str], label_key: str) -> list[tuple[np.ndarray, list[int]]]:
    """Read batches of CIFAR images from their archive.

    Args:
        path: the `.tar.gz` file.
        members: names of the batches in the archive.
        label_key: key of the labels in a batch.

    Returns:
        For each batch its images, uint8 of shape `(n, 3, 32, 32)`, and its labels.
    """
    batches: dict[str, tuple[np.ndarray, list[int]]] = {}
    with tarfile.open(path) as archive:
        # In the order of the archive: seeking backwards would decompress it again from the start.
        for member in archive:
            if member.name in members and (stream := archive.extractfile(member)):
                batch = read_pickle(stream)
                batches[member.name] = batch[b"data"].reshape(-1, 3, 32, 32), batch[label_key.encode()]
    return [batches[name] for name in members]


def as_image_batch(images: np.ndarray) -> np.ndarray:
    """Convert images of shape `(n, channels, height, width)` to the layout of `image_data_format()`."""
    if image_data_format() == "channels_last":
        images = images.transpose(0, 2, 3, 1)
    return np.array(images, order="C")


def read_json(path: str | os.PathLike) -> Any:
    """Read a JSON file."""
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)
