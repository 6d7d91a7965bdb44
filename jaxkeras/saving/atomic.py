"""Atomic replacement of files and folders."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

from jaxkeras.core.placement import wait_for_processes, writes_files


@contextlib.contextmanager
def replacing(filepath: Any) -> Iterator[pathlib.Path]:
    """Yield a temporary path beside `filepath`; if the block succeeds, the file there replaces `filepath`.

    The content is synced to disk before the rename, and the folder after it. So after a crash either the old or the new
    file exists, complete. Temporary files of killed processes are removed by the next call.

    In a run of several processes all call this together, since an array may be spread over them; the first one replaces
    the file, and the others wait for it.

    Args:
        filepath: the file to write.

    Yields:
        The path to write to.
    """
    target = pathlib.Path(filepath)
    if not writes_files():
        with tempfile.TemporaryDirectory() as folder:
            yield pathlib.Path(folder) / target.name
        wait_for_processes(f"replace {target.name}")
        return
    _remove_leftovers(target)
    temporary = _temporary(target, "tmp")
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, target)
        sync(target.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
    wait_for_processes(f"replace {target.name}")


def put(source: pathlib.Path, target: pathlib.Path) -> None:
    """Link a file to another path, replacing the file there atomically."""
    with replacing(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:  # the file system has no hard links
            shutil.copyfile(source, temporary)


@contextlib.contextmanager
def scratch(filepath: Any) -> Iterator[pathlib.Path]:
    """Yield an empty temporary folder beside `filepath`. Those of killed processes are removed."""
    _remove_leftovers(pathlib.Path(filepath))
    folder = _temporary(pathlib.Path(filepath), "parts")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _temporary(target: pathlib.Path, kind: str) -> pathlib.Path:
    return target.parent / f".{target.name}.{os.getpid()}.{kind}"


def _remove_leftovers(target: pathlib.Path) -> None:
    pattern = re.compile(rf"\.{re.escape(target.name)}\.(\d+)\.(tmp|parts)")
    for other in target.parent.iterdir():
        found = pattern.fullmatch(other.name)
        if found and not _alive(int(found[1])):
            if found[2] == "parts":
                shutil.rmtree(other, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    other.unlink()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def sync(path: pathlib.Path) -> None:
    """Sync a file, or the entries of a folder, to disk."""
    folder = path.is_dir()
    try:
        descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    except OSError:
        if folder:  # Windows cannot open one
            return
        raise
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
