"""Compiled programs on disk, so that a second process need not compile them again.

Only the library's own programs come here. JAX's compilation cache and the settings a user made for it are left alone;
where it is in use, it serves the library's programs too and this one stays out of the way.

A program is machine code, and loading it is running it. The folder is therefore made for its owner only, and one that
somebody else owns or can write to is not used.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import sys
import tempfile
import threading

MAX_BYTES = 512 * 2**20
_MAGIC = b"jaxkeras-program-1\n"
_SUFFIX = ".program"

_lock = threading.Lock()
_chosen: str | pathlib.Path | bool | None = True  # True: the default place
_max_bytes = MAX_BYTES
_usable: dict[pathlib.Path, bool] = {}


def set_program_cache(directory: str | pathlib.Path | bool | None = True, max_bytes: int = MAX_BYTES) -> None:
    """Say where compiled programs are kept between processes.

    The environment variable `JAXKERAS_PROGRAM_CACHE` does the same from outside: a path, or `0` to keep nothing.

    Args:
        directory: a folder; True for the default one (`jaxkeras/programs` in the user's cache folder); None or False
            to keep nothing.
        max_bytes: size of the folder above which the programs that were not used for longest are removed.

    Example:

    >>> set_program_cache(None)
    >>> program_cache() is None
    True
    >>> set_program_cache()
    """
    global _chosen, _max_bytes
    if max_bytes <= 0:
        raise ValueError(f"`max_bytes` must be positive; got {max_bytes}. To keep nothing: set_program_cache(None).")
    _chosen, _max_bytes = directory, max_bytes


def program_cache() -> pathlib.Path | None:
    """The folder in which compiled programs are kept, or None."""
    if _chosen is None or _chosen is False:
        return None
    if _chosen is not True:
        return pathlib.Path(_chosen).expanduser()
    given = os.environ.get("JAXKERAS_PROGRAM_CACHE")
    if given is not None:
        return None if given in ("", "0", "off", "none") else pathlib.Path(given).expanduser()
    return _user_cache() / "jaxkeras" / "programs"


def _user_cache() -> pathlib.Path:
    home = pathlib.Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Caches"
    if os.name == "nt":
        return pathlib.Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")


def _ours(folder: pathlib.Path) -> bool:
    """Whether the folder is there (or can be made) and nobody else can put programs into it."""
    if folder not in _usable:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = folder.stat()
            _usable[folder] = os.name == "nt" or (status.st_uid == os.getuid() and not status.st_mode & 0o022)
        except OSError:
            _usable[folder] = False
    return _usable[folder]


def load(key: str) -> bytes | None:
    """A program by its key, or None if it is not there or damaged."""
    folder = program_cache()
    if folder is None or not _ours(folder):
        return None
    path = folder / (key + _SUFFIX)
    try:
        content = path.read_bytes()
    except OSError:
        return None
    head = len(_MAGIC) + 32
    if content[: len(_MAGIC)] != _MAGIC or hashlib.sha256(content[head:]).digest() != content[len(_MAGIC) : head]:
        discard(key)
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # it was used just now
    return content[head:]


def store(key: str, program: bytes) -> None:
    """Keep a program. A full disk or a read-only folder is no reason to stop."""
    folder = program_cache()
    if folder is None or not _ours(folder) or len(program) > _max_bytes:
        return
    try:
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".tmp", delete=False) as file:
            file.write(_MAGIC + hashlib.sha256(program).digest() + program)
        os.replace(file.name, folder / (key + _SUFFIX))
    except OSError:
        return
    with _lock:
        _prune(folder)


def discard(key: str) -> None:
    """Forget a program that turned out to be of no use."""
    folder = program_cache()
    if folder is not None:
        with contextlib.suppress(OSError):
            (folder / (key + _SUFFIX)).unlink()


def _prune(folder: pathlib.Path) -> None:
    files = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            with contextlib.suppress(OSError):
                status = entry.stat()
                files.append((status.st_mtime, status.st_size, entry.path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= _max_bytes:
            return
        with contextlib.suppress(OSError):
            os.unlink(path)
        total -= size
