"""Compiled programs on disk, so that a second process need not compile them again.

The cache holds the library's own programs only. JAX's compilation cache and the user's settings for it are not touched;
where that cache is on, it serves the library's programs too, and this one is not used.

A program is machine code, so loading one means running it. The folder is therefore created for its owner only, and a
folder that somebody else owns or can write to is not used.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pathlib
import platform
import sys
import tempfile
import threading
import time

MAX_BYTES = 512 * 2**20
_MAGIC = b"jaxkeras-program-1\n"
_SUFFIX = ".program"
_PARTIAL = ".tmp"
_ABANDONED_AFTER = 3600.0  # seconds; no write takes so long, so what is left is that of a killed process

_lock = threading.Lock()
_chosen: str | pathlib.Path | bool | None = True  # True: the default folder
_max_bytes = MAX_BYTES
_usable: dict[pathlib.Path, bool] = {}


def set_program_cache(directory: str | pathlib.Path | bool | None = True, max_bytes: int = MAX_BYTES) -> None:
    """Set the folder in which compiled programs are kept between processes.

    The environment variable `JAXKERAS_PROGRAM_CACHE` sets the default: a path, or `0` to keep nothing.

    Args:
        directory: a folder; True for the default one (`jaxkeras/programs` in the user's cache folder); None or False
            to keep nothing.
        max_bytes: size limit of the folder in bytes; the least recently used programs are removed first.

    Raises:
        ValueError: if `max_bytes` is not positive.

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
    """Return the folder in which compiled programs are kept, or None."""
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


@functools.cache
def machine() -> str:
    """What a program in machine code depends on besides its operations: versions, processor and flags."""
    import jax
    import jaxlib.version

    features = ""
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as file:
        features = next((line for line in file if line.startswith(("flags", "Features"))), "")
    device = jax.devices()[0]
    return "\0".join(
        [
            jax.__version__, jaxlib.version.__version__, device.platform, device.device_kind,
            device.client.platform_version, str(len(jax.devices())), platform.machine(), platform.processor(), features,
            os.environ.get("XLA_FLAGS", ""), os.environ.get("LIBTPU_INIT_ARGS", ""),
        ]
    )  # fmt: skip


def _ours(folder: pathlib.Path) -> bool:
    """Whether the folder exists (or can be created) and nobody else can put programs into it."""
    if folder not in _usable:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = folder.stat()
            _usable[folder] = os.name == "nt" or (status.st_uid == os.getuid() and not status.st_mode & 0o022)
        except OSError:
            _usable[folder] = False
    return _usable[folder]


def load(key: str) -> bytes | None:
    """Return the program of a key, or None if it is missing or damaged."""
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
        os.utime(path)  # the modification time records the last use
    return content[head:]


def store(key: str, program: bytes) -> None:
    """Write a program. Does nothing if the disk is full or the folder is read-only."""
    folder = program_cache()
    if folder is None or not _ours(folder) or len(program) > _max_bytes:
        return
    with contextlib.suppress(OSError):
        _write(folder / (key + _SUFFIX), _MAGIC + hashlib.sha256(program).digest() + program)
    with _lock:
        _prune(folder)


def _write(path: pathlib.Path, content: bytes) -> None:
    """Write a file whole or not at all; a failed write leaves nothing."""
    file = tempfile.NamedTemporaryFile(dir=path.parent, suffix=_PARTIAL, delete=False)
    try:
        with file:
            file.write(content)
        os.replace(file.name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(file.name)
        raise


def discard(key: str) -> None:
    """Remove a program that could not be used."""
    folder = program_cache()
    if folder is not None:
        with contextlib.suppress(OSError):
            (folder / (key + _SUFFIX)).unlink()


def _prune(folder: pathlib.Path) -> None:
    """Remove the least recently used programs above the size limit, and partial files of killed processes."""
    files = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            with contextlib.suppress(OSError):
                status = entry.stat()
                if not entry.name.endswith(_PARTIAL):
                    files.append((status.st_mtime, status.st_size, entry.path))
                elif time.time() - status.st_mtime > _ABANDONED_AFTER:
                    os.unlink(entry.path)
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= _max_bytes:
            return
        with contextlib.suppress(OSError):
            os.unlink(path)
        total -= size
