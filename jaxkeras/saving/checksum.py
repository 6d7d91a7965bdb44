"""HDF5 files whose content is checked: nothing in their format tells a flipped bit from a weight.

Behind the end of such a file, where HDF5 and so Keras look at nothing, stands the SHA-256 of what is before. A program
that changes the file cuts that off, so what it leaves is a file without a checksum, as Keras writes them.
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
    """A new HDF5 file to write to, which gets its checksum when the block has ended well."""
    import h5py

    with h5py.File(path, "w") as file:
        yield file
    with open(path, "rb+") as content:
        digest = hashlib.file_digest(content, "sha256").digest()
        content.seek(0, os.SEEK_END)
        content.write(_MARK + digest)


@contextlib.contextmanager
def opened(path: Any) -> Iterator[Any]:
    """An HDF5 file to read from.

    Raises:
        ValueError: if it has a checksum, and its content another one.
    """
    import h5py

    check(path)
    with h5py.File(path, "r") as file:
        yield file


def check(path: Any) -> None:
    """Raise ValueError if a file has a checksum, and its content another one."""
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
