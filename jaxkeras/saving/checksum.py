"""HDF5 files with a checksum, since the format itself does not detect flipped bits.

The SHA-256 of the content is appended to the file, behind the end of the HDF5 data, where HDF5 (and so Keras) ignores
it. A program that changes the file truncates it there, which leaves a file without a checksum, as Keras writes them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
from collections.abc import Iterator
from typing import Any

_MARK = b"\x93JAXKERAS-SHA256"
_SIZE = len(_MARK) + hashlib.sha256().digest_size
_PIECE = 1 << 20


@contextlib.contextmanager
def created(path: Any) -> Iterator[Any]:
    """Create an HDF5 file for writing; its checksum is appended if the block succeeds."""
    import h5py

    with h5py.File(path, "w") as file:
        yield file
    with open(path, "rb+") as content:
        digest = hashlib.file_digest(content, "sha256").digest()
        content.seek(0, os.SEEK_END)
        content.write(_MARK + digest)


@contextlib.contextmanager
def opened(path: Any) -> Iterator[Any]:
    """Open an HDF5 file for reading.

    Raises:
        ValueError: if the file has a checksum that does not match.
    """
    import h5py

    check(path)
    with h5py.File(path, "r") as file:
        yield file


def check(path: Any) -> None:
    """Raise ValueError if a file has a checksum that does not match its content."""
    size = pathlib.Path(path).stat().st_size
    with open(path, "rb") as file:
        file.seek(max(0, size - _SIZE))
        tail = file.read()
        at = tail.find(_MARK[:8])
        if at < 0:
            return
        file.seek(0)
        digest, left = hashlib.sha256(), size - _SIZE
        while at == 0 and left > 0 and (piece := file.read(min(left, _PIECE))):
            digest.update(piece)
            left -= len(piece)
        if tail != _MARK + digest.digest():
            raise ValueError(f"'{str(path)[-120:]}' is damaged: it is not as it was written (its SHA-256 differs).")
