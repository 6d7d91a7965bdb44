"""The parts of a `.keras` file, in a zip or in a folder, read from strangers' hands: sizes and checksums come first."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import pathlib
import struct
import zipfile
from collections.abc import Iterator
from typing import Any

from jaxkeras.saving import checksum
from jaxkeras.saving.budget import Budget

WEIGHTS = "model.weights.h5"
STAGED = ".complete"  # in a folder: new parts that a crash kept from their places


def names_in(folder: pathlib.Path) -> list[str]:
    """The files in a folder, with `/` between the parts of their paths."""
    return [e.relative_to(folder).as_posix() for e in sorted(folder.rglob("*")) if e.is_file() and not e.is_symlink()]


def digests_of(folder: pathlib.Path) -> dict[str, str]:
    """`{name: SHA-256}` of the files in a folder, for the metadata; the weights carry a checksum of their own."""
    return {name: _digest((folder / name).read_bytes()) for name in names_in(folder) if name != WEIGHTS}


@contextlib.contextmanager
def opened(filepath: Any) -> Iterator[Any]:
    """A `.keras` file, or a folder of the same parts, to read from.

    Raises:
        ValueError: if it cannot honestly hold what it says, or something in it is not as it was written.
    """
    path = pathlib.Path(filepath)
    if path.is_dir():
        archive = _Folder(path / STAGED if (path / STAGED).is_dir() else path)
        archive.check()
        yield archive
        return
    with _Archive(filepath) as archive:
        archive.check(os.path.getsize(filepath))
        yield archive


class _Folder:
    """A folder that is read as an archive is."""

    def __init__(self, path: pathlib.Path):
        self.path = path

    def namelist(self) -> list[str]:
        return names_in(self.path)

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def check(self) -> None:
        names = self.namelist()
        for name, digest in _written(self).items():
            if name not in names or _digest(self.read(name)) != digest:
                raise ValueError(
                    f"'{name[:100]}' in the folder is not as it was written. If you changed it on purpose, take "
                    "'sha256' out of metadata.json."
                )

    def weights(self) -> Any:
        """The HDF5 file of the weights."""
        return checksum.opened(self.path / WEIGHTS)


class _Archive(zipfile.ZipFile):
    """A zip; it compares the checksum of each member that is read to its end."""

    def check(self, size: int) -> None:
        names = self.namelist()
        if len(set(names)) < len(names):
            raise ValueError("The file holds two members of one name, and which of them counts is not defined.")
        Budget(size).take(sum(member.file_size for member in self.infolist()), "What is in it")
        missing = sorted(_written(self).keys() - set(names))
        if missing:
            raise ValueError(f"The file is damaged: '{missing[0][:100]}' is no longer in it.")

    @contextlib.contextmanager
    def weights(self) -> Iterator[Any]:
        """The HDF5 file of the weights."""
        import h5py

        member = self.getinfo(WEIGHTS)
        if member.compress_type != zipfile.ZIP_STORED:
            with h5py.File(io.BytesIO(self.read(member)), "r") as file:
                yield file
            return
        with self.open(member) as whole:
            while whole.read(1 << 20):
                pass
        # HDF5 jumps about, and at each jump back `zipfile` may read the member from its start again.
        with open(str(self.filename), "rb") as stream, h5py.File(_Part(stream, member), "r") as file:
            yield file


class _Part(io.RawIOBase):
    """A member of a zip that is not compressed, as a file of its own."""

    def __init__(self, stream: Any, member: zipfile.ZipInfo):
        stream.seek(member.header_offset)
        name, extra = struct.unpack("<26xHH", stream.read(30))
        self._stream, self._start = stream, member.header_offset + 30 + name + extra
        self._size, self._at = member.file_size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._stream.seek(self._start + self._at)
        count = self._stream.readinto(memoryview(buffer).cast("B")[: max(0, self._size - self._at)])
        self._at += count
        return count


def _written(archive: Any) -> dict[str, str]:
    """What `digests_of` said when the file was written; nothing for files of Keras."""
    if "metadata.json" not in archive.namelist():
        return {}
    written = json.loads(archive.read("metadata.json")).get("sha256", {})
    if not isinstance(written, dict):
        raise ValueError("The file is damaged: 'sha256' in its metadata is no object.")
    return written


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
