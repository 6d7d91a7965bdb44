"""A file is replaced whole or not at all, whatever happens while it is written."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
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
    folder = target.parent
    _remove_leftovers(target)
    temporary = folder / f".{target.name}.{os.getpid()}.tmp"
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
        _sync_folder(folder)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def _remove_leftovers(target: pathlib.Path) -> None:
    pattern = re.compile(rf"\.{re.escape(target.name)}\.(\d+)\.tmp")
    for other in target.parent.glob(f".{glob_escape(target.name)}.*.tmp"):
        found = pattern.fullmatch(other.name)
        if found and not _alive(int(found[1])):
            with contextlib.suppress(OSError):
                other.unlink()


def glob_escape(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _sync_folder(folder: pathlib.Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows cannot open a folder
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
