"""Uniform errors for unreadable files."""

from __future__ import annotations

import contextlib
import json
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from jaxkeras.registry import ConfigError

_LONGEST = 480  # characters of a message, so that a malicious file cannot flood the log


class MissingFileError(FileNotFoundError, ValueError):
    """A file that does not exist: a FileNotFoundError, and a ValueError as in Keras."""


@contextlib.contextmanager
def reading(filepath: Any) -> Iterator[None]:
    """Convert exceptions raised while a file is read to a ValueError that names the file.

    Args:
        filepath: the file.

    Raises:
        ValueError: if the file is damaged, truncated, nested too deeply, too large, or of another format.
    """
    short = str(filepath)[-120:]
    try:
        yield
    except RecursionError:
        raise ValueError(f"'{short}' is nested too deep to be a model; it is damaged or malicious.") from None
    except MemoryError as error:
        raise ValueError(f"'{short}' needs more memory than there is: {str(error)[:200]}") from None
    except ConfigError as error:
        if len(str(error)) <= _LONGEST:
            raise
        raise ConfigError(f"{str(error)[:_LONGEST]}...") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, json.JSONDecodeError, UnicodeError) as error:
        raise ValueError(f"'{short}' is damaged, cut short, or of another format: {str(error)[:200]}") from None
    except OSError as error:
        if error.errno:  # the system's: no permission, a broken disk
            raise
        raise ValueError(f"'{short}' is damaged, cut short, or of another format: {str(error)[:200]}") from None
    except (KeyError, IndexError, TypeError, AttributeError, NotImplementedError, OverflowError, RuntimeError) as error:
        raise ValueError(
            f"'{short}' cannot be read; it may be damaged, or another version wrote it. "
            f"{type(error).__name__}: {str(error)[:240]}"
        ) from error
    except ValueError as error:
        if len(str(error)) <= _LONGEST:
            raise
        raise ValueError(f"{str(error)[:_LONGEST]}...") from error
