"""Reading the parts of a `.keras` file, a zip or a folder. The file is not trusted: sizes and checksums come first."""

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
STAGED = ".complete"  # a subfolder with complete new parts, not yet moved to their places


def names_in(folder: pathlib.Path) -> list[str]:
    """Return the relative paths of the files in a folder, with `/` as separator."""
    return [e.relative_to(folder).as_posix() for e in sorted(folder.rglob("*")) if e.is_file() and not e.is_symlink()]


def digests_of(folder: pathlib.Path) -> dict[str, str]:
    """Return `{name: SHA-256}` of the files in a folder, for the metadata. The weights file has its own checksum."""
    return {name: _digest((folder / name).read_bytes()) for name in names_in(folder) if name != WEIGHTS}


@contextlib.contextmanager
def opened(filepath: Any) -> Iterator[Any]:
    """Open a `.keras` file, or a folder with the same parts, for reading.

    Args:
        filepath: the path, or a seekable file open for reading.

    Raises:
        ValueError: if its declared sizes are impossible, or if a part was changed after writing.
    """
    if not hasattr(filepath, "read"):
        path = pathlib.Path(filepath)
        if path.is_dir():
            archive = _Folder(path / STAGED if (path / STAGED).is_dir() else path)
            archive.check()
            yield archive
            return
    with _Archive(filepath) as archive:
        archive.check()
        yield archive


class _Folder:
    """A folder with the reading interface of an archive."""

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
        """Open the HDF5 file of the weights."""
        return checksum.opened(self.path / WEIGHTS)


class _Archive(zipfile.ZipFile):
    """A zip file. `zipfile` verifies the checksum of each member that is read to the end."""

    fp: Any  # the open file

    def check(self) -> None:
        names = self.namelist()
        size = self.fp.seek(0, os.SEEK_END)
        if len(set(names)) < len(names):
            raise ValueError("The file holds two members of one name, and which of them counts is not defined.")
        Budget(size).take(sum(member.file_size for member in self.infolist()), "What is in it")
        missing = sorted(_written(self).keys() - set(names))
        if missing:
            raise ValueError(f"The file is damaged: '{missing[0][:100]}' is no longer in it.")

    @contextlib.contextmanager
    def weights(self) -> Iterator[Any]:
        """Open the HDF5 file of the weights."""
        import h5py

        member = self.getinfo(WEIGHTS)
        if member.compress_type != zipfile.ZIP_STORED:
            with h5py.File(io.BytesIO(self.read(member)), "r") as file:
                yield file
            return
        with self.open(member) as whole:
            while whole.read(1 << 20):
                pass
        # HDF5 seeks often, and for each seek backwards `zipfile` may read the member from its start again.
        with h5py.File(_Part(self.fp, member), "r") as file:
            yield file


class _Part(io.RawIOBase):
    """An uncompressed member of a zip as a file."""

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
    """The result of `digests_of` at the time of writing; empty for files that Keras wrote."""
    if "metadata.json" not in archive.namelist():
        return {}
    written = json.loads(archive.read("metadata.json")).get("sha256", {})
    if not isinstance(written, dict):
        raise ValueError("The file is damaged: 'sha256' in its metadata is no object.")
    return written


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
