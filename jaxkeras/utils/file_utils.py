"""Download, verify and unpack files. A file with its final name is always complete."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import uuid
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from jaxkeras.display.progress import progress

_CHUNK = 1 << 18
_STALL_SECONDS = 60
_HEX_DIGITS = {"sha256": 64, "md5": 32}


class DownloadError(OSError):
    """A download failed or was incomplete."""


def keras_home() -> str:
    """Keras's folder: `$KERAS_HOME`, or `~/.keras`."""
    return os.path.expanduser(os.environ.get("KERAS_HOME") or os.path.join("~", ".keras"))


def cache_home() -> str:
    """The folder for downloads: `$JAXKERAS_HOME`, or `$XDG_CACHE_HOME/jaxkeras`, or `~/.cache/jaxkeras`.

    As the XDG base directory specification requires, a relative `$XDG_CACHE_HOME` is ignored.
    """
    own = os.environ.get("JAXKERAS_HOME")
    if own:
        return os.path.expanduser(own)
    base = os.environ.get("XDG_CACHE_HOME", "")
    return os.path.join(base if os.path.isabs(base) else os.path.expanduser(os.path.join("~", ".cache")), "jaxkeras")


# --- hashes -----------------------------------------------------------------------------------------------------------


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def digest(stream: _Readable, algorithm: str = "sha256") -> str:
    """The hash, in hexadecimal digits, of the rest of a binary stream."""
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    while chunk := stream.read(_CHUNK):
        hasher.update(chunk)
    return hasher.hexdigest()


def hash_algorithm_of(file_hash: str, algorithm: str = "auto") -> str:
    """Determine the algorithm of a hash.

    Args:
        file_hash: the hash in hexadecimal digits.
        algorithm: `"sha256"`, `"md5"`, or `"auto"` to infer it from the length of the hash.

    Returns:
        `"sha256"` or `"md5"`.

    Raises:
        ValueError: for another algorithm, or, with `"auto"`, a hash of another length.
    """
    if algorithm == "auto":
        algorithm = next((name for name, digits in _HEX_DIGITS.items() if len(file_hash) == digits), "")
        if not algorithm:
            raise ValueError(
                f"file_hash={file_hash!r} has {len(file_hash)} characters; expected the 64 hexadecimal digits of a "
                "SHA-256 or the 32 of an MD5. `sha256sum FILE` prints the former."
            )
    if algorithm not in _HEX_DIGITS:
        raise ValueError(f'Unknown hash_algorithm {algorithm!r}; expected "auto", "sha256" or "md5".')
    return algorithm


def validate_file(fpath: str | os.PathLike, file_hash: str, algorithm: str = "auto") -> bool:
    """Whether a file has the given SHA-256 or MD5, in upper- or lower-case hexadecimal digits."""
    with open(fpath, "rb") as stream:
        return digest(stream, hash_algorithm_of(file_hash, algorithm)) == file_hash.lower()


# --- download ---------------------------------------------------------------------------------------------------------


@contextmanager
def _progress_in_bytes(title: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show the progress in MB, or in kB if the whole is small; yields a function that adds a number of bytes."""
    size, unit = (1_000_000, "MB") if total is None or total >= 10_000_000 else (1000, "kB")
    done = 0
    with progress(title, None if total is None else -(-total // size), unit, after=0.0) as advance:

        def add(count: int) -> None:
            nonlocal done
            before, done = done, done + count
            advance(-(-done // size) - -(-before // size))

        yield add


def _copy_url(origin: str, target: Path) -> None:
    request = urllib.request.Request(origin, headers={"User-Agent": "jaxkeras"})
    try:
        with urllib.request.urlopen(request, timeout=_STALL_SECONDS) as response:
            length = response.headers.get("Content-Length")
            total = int(length) if length else None
            done = 0
            title = f"Downloading {os.path.basename(urllib.parse.urlsplit(origin).path)}"
            with open(target, "xb") as out, _progress_in_bytes(title, total) as advance:
                while chunk := response.read(_CHUNK):
                    out.write(chunk)
                    done += len(chunk)
                    advance(len(chunk))
                out.flush()
                os.fsync(out.fileno())
    except urllib.error.HTTPError as error:
        raise DownloadError(f"Could not download {origin}: the server answered {error.code} {error.msg}.") from error
    except urllib.error.URLError as error:
        raise DownloadError(f"Could not download {origin}: {error.reason}.") from error
    except (ConnectionError, TimeoutError, http.client.HTTPException) as error:
        raise DownloadError(f"Could not download {origin}: the connection broke ({error}).") from error
    if total is not None and done < total:
        raise DownloadError(f"Could not download {origin}: it ended after {done} of {total} bytes.")


def download(origin: str, target: str | os.PathLike, check: Callable[[Path], None] = lambda path: None) -> None:
    """Download a URL to a file, with a progress bar on standard output.

    The data are written to a temporary file in the same folder, which is renamed to `target` when it is complete and
    `check` has passed. So `target` is at any time the old file, the new file, or absent.

    Args:
        origin: URL.
        target: file to create or replace; its folder must exist.
        check: called with the path of the temporary file; it raises an exception to reject the file.

    Raises:
        DownloadError: if the download fails or is incomplete.
    """
    target = Path(target)
    partial_file = target.with_name(f".download-{uuid.uuid4().hex}.part")
    try:
        _copy_url(origin, partial_file)
        check(partial_file)
        os.replace(partial_file, target)
    finally:
        partial_file.unlink(missing_ok=True)


# --- archives ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Entry:
    """A member of a tar or zip archive."""

    name: str
    kind: str  # "file", "folder", "symlink", "hardlink" or "special"
    open: Callable[[], Any]
    executable: bool = False
    link: str = ""


def _tar_entries(archive: tarfile.TarFile) -> Iterator[_Entry]:
    kinds = (("file", "isreg"), ("folder", "isdir"), ("symlink", "issym"), ("hardlink", "islnk"))
    for member in archive:
        kind = next((kind for kind, test in kinds if getattr(member, test)()), "special")
        read = partial(archive.extractfile, member)
        yield _Entry(member.name, kind, read, bool(member.mode & 0o100), member.linkname)


def _zip_entries(archive: zipfile.ZipFile) -> Iterator[_Entry]:
    for info in archive.infolist():
        yield _Entry(info.filename, "folder" if info.is_dir() else "file", partial(archive.open, info))


# format -> (test, open, list entries)
_FORMATS = {
    "tar": (tarfile.is_tarfile, tarfile.open, _tar_entries),
    "zip": (zipfile.is_zipfile, zipfile.ZipFile, _zip_entries),
}


def _inside(root: str, *parts: str, must_exist: bool = False) -> str | None:
    """Resolve a path with all its links; None if the result is not `root` or below it."""
    try:
        path = os.path.realpath(os.path.join(root, *parts), strict=must_exist)
    except (OSError, ValueError):
        return None
    return path if path == root or path.startswith(os.path.join(root, "")) else None


def _write_entry(entry: _Entry, root: str) -> bool:
    path = _inside(root, entry.name)
    if entry.kind == "folder" and path is not None:
        os.makedirs(path, exist_ok=True)
        return True
    if entry.kind != "file" or path in (None, root):
        return False
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with entry.open() as source, open(path, "wb") as out:
        shutil.copyfileobj(source, out, _CHUNK)
    if entry.executable:
        # Execute permission for everybody who has read permission, so that the umask is respected.
        mode = os.stat(path).st_mode
        os.chmod(path, mode | (mode & 0o444) >> 2)
    return True


def _write_link(entry: _Entry, root: str) -> bool:
    folder, name = os.path.split(entry.name)
    parent = _inside(root, folder)
    if parent is None or name in ("", os.curdir, os.pardir):
        return False
    path = os.path.join(parent, name)
    source = _inside(root, "" if entry.kind == "hardlink" else parent, entry.link, must_exist=True)
    if source is None or os.path.lexists(path):
        return False
    if entry.kind == "hardlink" and not os.path.isfile(source):
        return False
    os.makedirs(parent, exist_ok=True)
    if entry.kind == "hardlink":
        shutil.copy(source, path)
    else:
        # The link points to the fully resolved target, so that later changes of other links cannot redirect it.
        os.symlink(os.path.relpath(source, parent), path)
    return True


def _skip(entry: _Entry) -> None:
    what = f"{entry.kind} to {entry.link!r}" if entry.link else entry.kind
    warnings.warn(
        f"Skipped {entry.name!r} ({what}) while unpacking an archive: only plain files, folders and links to them are "
        "unpacked, and only inside the folder.",
        stacklevel=4,
    )


def _unpack(entries: Iterable[_Entry], root: str) -> None:
    """Write entries into the empty folder `root`, and nowhere else.

    Files are written first, while there are no links that a path could go through. A link is created only if its target
    already exists inside `root`, so that no later entry can redirect it.
    """
    root = os.path.realpath(root)
    links: list[_Entry] = []
    for entry in entries:
        if entry.kind in ("symlink", "hardlink"):
            links.append(entry)
        elif not _write_entry(entry, root):
            _skip(entry)
    while links:
        waiting = [entry for entry in links if not _write_link(entry, root)]
        if len(waiting) == len(links):
            break
        links = waiting
    for entry in links:
        _skip(entry)


def _move_into(source: str, target: str) -> None:
    """Move the content of a folder into `target`, file by file; other files in `target` are kept."""
    if not os.path.lexists(target):
        os.rename(source, target)
        return
    for folder, subfolders, files in os.walk(source):
        into = os.path.join(target, os.path.relpath(folder, source))
        for name in subfolders + files:
            old, new = os.path.join(folder, name), os.path.join(into, name)
            if os.path.islink(old) or not os.path.isdir(old):
                os.replace(old, new)
                continue
            if os.path.islink(new):
                os.unlink(new)
            os.makedirs(new, exist_ok=True)


def extract_archive(
    file_path: str | os.PathLike, path: str | os.PathLike = ".", archive_format: str | Sequence[str] | None = "auto"
) -> bool:
    """Unpack an archive into a folder, safely.

    Entries outside the folder, links to targets outside or to missing ones, and devices are skipped with a warning. The
    archive is unpacked next to the folder and then moved into it, file by file.

    Args:
        file_path: the archive.
        path: folder to unpack into; created if needed. Other files in it are kept.
        archive_format: `"tar"` (also compressed), `"zip"`, a sequence of these to try in turn, `"auto"` for both, or
            None to do nothing.

    Returns:
        Whether the file is an archive of such a format.

    Raises:
        ValueError: for an unknown format.
    """
    if archive_format is None:
        return False
    formats = [archive_format] if isinstance(archive_format, str) else archive_format
    if archive_format == "auto":
        formats = list(_FORMATS)
    for name in formats:
        if name not in _FORMATS:
            raise ValueError(f'Unknown archive_format {name!r}; expected "auto", "tar", "zip" or None.')
        matches, open_archive, list_entries = _FORMATS[name]
        if not matches(file_path):
            continue
        target = os.path.abspath(path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        staging = os.path.join(os.path.dirname(target), f".extract-{uuid.uuid4().hex}.part")
        os.mkdir(staging)
        try:
            with open_archive(file_path) as archive:
                _unpack(list_entries(archive), staging)
            _move_into(staging, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return True
    return False


# --- get_file ---------------------------------------------------------------------------------------------------------


def _cache_folder(cache_dir: str | os.PathLike | None, subfolder: str | os.PathLike) -> str:
    """Create the folder for downloads, or a private temporary one if that cannot be written to."""
    wanted = os.path.join(os.path.expanduser(cache_dir or keras_home()), subfolder)
    try:
        os.makedirs(wanted, exist_ok=True)
    except OSError:
        pass
    if os.path.isdir(wanted) and os.access(wanted, os.W_OK):
        return wanted
    # One folder per user: in a shared one, another user could plant files.
    user = os.getuid() if hasattr(os, "getuid") else 0
    private = os.path.join(tempfile.gettempdir(), f".keras-{user}")
    os.makedirs(private, mode=0o700, exist_ok=True)
    if os.path.islink(private) or (hasattr(os, "getuid") and os.stat(private).st_uid != user):
        raise PermissionError(
            f"Cannot write to {wanted}, and {private} belongs to another user. Pass get_file a cache_dir that you can "
            "write to, or set KERAS_HOME."
        )
    warnings.warn(f"Cannot write to {wanted}; files go to {private} instead.", stacklevel=3)
    folder = os.path.join(private, os.path.relpath(subfolder, os.sep) if os.path.isabs(subfolder) else subfolder)
    os.makedirs(folder, exist_ok=True)
    return folder


def _file_name(fname: str | os.PathLike | None, origin: str) -> str:
    name = os.fspath(fname) if fname else os.path.basename(urllib.parse.urlsplit(origin).path)
    if not name:
        raise ValueError(f"The URL {origin!r} does not end in a file name. Pass one: get_file(fname=..., origin=...).")
    if os.path.basename(name) != name or name in (os.curdir, os.pardir):
        raise ValueError(
            f"fname={name!r} is not a plain file name. To choose the folder, use cache_dir and cache_subdir: the file "
            "is kept as cache_dir/cache_subdir/fname."
        )
    return name


def _hash_check(file_hash: str, algorithm: str, origin: str) -> Callable[[Path], None]:
    def check(path: Path) -> None:
        if not validate_file(path, file_hash, algorithm):
            with open(path, "rb") as stream:
                found = digest(stream, algorithm)
            raise ValueError(
                f"Incomplete or corrupted file: the download from {origin} has the {algorithm} {found}, but "
                f"{file_hash} was expected. It was discarded."
            )

    return check


def get_file(
    fname: str | os.PathLike | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str | os.PathLike = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | Sequence[str] | None = "auto",
    cache_dir: str | os.PathLike | None = None,
    force_download: bool = False,
) -> str:
    """Download a file unless it is cached, and return its path.

    The file is cached as `cache_dir/cache_subdir/fname`, by default in `~/.keras/datasets`, which is shared with Keras.
    A cached file is used without a request, unless its hash is wrong.

    Args:
        fname: name of the cached file; by default the last part of `origin`. With `extract`, a name without a dot is
            that of the folder to extract into, and the archive is cached as `{fname}_archive`; a name with a dot is
            that of the archive, and the folder is the part before the first dot followed by `_extracted`.
        origin: URL of the file.
        untar: former spelling of `extract=True, archive_format="tar"`.
        md5_hash: former spelling of `file_hash` with `hash_algorithm="md5"`.
        file_hash: expected SHA-256 or MD5, in hexadecimal digits. Recommended.
        cache_subdir: folder below `cache_dir`, or an absolute path.
        hash_algorithm: `"sha256"`, `"md5"`, or `"auto"` to infer it from the length.
        extract: whether to unpack the file as an archive.
        archive_format: `"tar"` (also compressed), `"zip"`, a list of these, or `"auto"` for both.
        cache_dir: folder for cached files; by default `$KERAS_HOME` or `~/.keras`.
        force_download: whether to download even if the file is cached.

    Returns:
        The path of the file, or with `extract` of the folder that it was unpacked into.

    Raises:
        ValueError: if there is no usable file name, or the download does not have the expected hash.
        DownloadError: (an `OSError`) if the download fails or is incomplete.

    Differences from Keras: a download replaces the cached file only when it is complete and its hash is right, so a
    failure never leaves or destroys a file; links in archives are created only if they stay inside the folder; an
    unwritable cache is replaced by a private temporary folder, with a warning.

    Example:

    ```python
    path = jaxkeras.utils.get_file(origin="https://example.org/flowers.tgz", file_hash="...", extract=True)
    ```
    """
    if origin is None:
        raise ValueError("get_file needs the URL of the file: get_file(origin='https://...').")
    if file_hash is None and md5_hash is not None:
        file_hash, hash_algorithm = md5_hash, "md5"
    if file_hash is not None:
        hash_algorithm = hash_algorithm_of(file_hash, hash_algorithm)
    name = _file_name(fname, origin)
    folder = _cache_folder(cache_dir, cache_subdir)

    extract = extract or untar
    archive, unpacked = name, name
    if extract and fname and "." in name:
        unpacked = f"{name[: name.index('.')]}_extracted"
    elif extract:
        archive = f"{name}_archive"
    target = os.path.join(folder, archive)

    wanted = force_download or not os.path.exists(target)
    if not wanted and file_hash is not None and not validate_file(target, file_hash, hash_algorithm):
        warnings.warn(
            f"{target} does not have the {hash_algorithm} {file_hash}: it is incomplete, outdated or a different file. "
            "Downloading it again.",
            stacklevel=2,
        )
        wanted = True
    if wanted and file_hash is not None:
        download(origin, target, _hash_check(file_hash, hash_algorithm, origin))
    elif wanted:
        download(origin, target)

    if not extract:
        return target
    destination = os.path.join(folder, unpacked)
    if not extract_archive(target, destination, "tar" if untar else archive_format):
        warnings.warn(f"Could not extract {target}: it is not an archive of format {archive_format!r}.", stacklevel=2)
    return destination
