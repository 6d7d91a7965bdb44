"""A file is replaced whole or not at all, whatever happens while it is written."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def replacing(filepath: Any) -> Iterator[pathlib.Path]:
    """Give a temporary path beside `filepath`; when the block ends well, it takes the place of `filepath`.

    The content reaches the disk before the name changes, and the change of name is written down too, so after a crash
    either the old file or the new one is there, complete. What a killed process left is removed by the next one.

    Args:
        filepath: the file to write.

    Yields:
        The path to write to.
    """
    target = pathlib.Path(filepath)
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


def put(source: pathlib.Path, target: pathlib.Path) -> None:
    """Let a file be found at another path too, whose old file is replaced whole or not at all."""
    with replacing(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:  # not every file system can
            shutil.copyfile(source, temporary)


@contextlib.contextmanager
def scratch(filepath: Any) -> Iterator[pathlib.Path]:
    """Give an empty folder beside `filepath` for the parts of it; what a killed process left is removed."""
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
    """Bring a file, or the names in a folder, to the disk."""
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
