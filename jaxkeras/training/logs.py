"""Logs that are read from the device on first use."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np


def to_python(value: Any) -> Any:
    """A float from a scalar array; other values as they are."""
    array = np.asarray(value)
    return float(array) if array.ndim == 0 and array.dtype.kind in "fiub" else value if array.ndim == 0 else array


_LOCK = threading.RLock()


class Logs(dict):
    """A dict of floats whose values are computed and fetched on first use; until then no step waits for the device.

    Args:
        fetch: returns `{name: scalar array}`.
    """

    def __init__(self, fetch: Callable[[], dict[str, Any]]):
        super().__init__()
        self._fetch: Callable[[], dict[str, Any]] | None = fetch

    def dispatch(self) -> None:
        """Let the device compute the values now, since what they are computed from will be gone."""
        with _LOCK:  # another thread may read
            if self._fetch is not None:
                values = self._fetch()
                self._fetch = lambda: values

    def _load(self) -> None:
        if self._fetch is not None:
            with _LOCK:
                fetch, self._fetch = self._fetch, None
                values = {} if fetch is None else jax.device_get(fetch())
                super().update({k: to_python(v) for k, v in sorted(values.items())})

    def __iter__(self) -> Iterator[str]:
        self._load()
        return super().__iter__()

    def __len__(self) -> int:
        self._load()
        return super().__len__()

    def __bool__(self) -> bool:
        return len(self) > 0

    def __repr__(self) -> str:
        self._load()
        return super().__repr__()

    def __eq__(self, other: object) -> bool:
        self._load()
        return super().__eq__(other)

    def __reduce__(self) -> Any:
        self._load()
        return (dict, (dict(self),))


def _loading(name: str) -> Callable[..., Any]:
    method = getattr(dict, name)

    def wrapper(self: Logs, *args: Any, **kwargs: Any) -> Any:
        self._load()
        return method(self, *args, **kwargs)

    wrapper.__name__ = name
    return wrapper


for _name in (
    "__getitem__ __contains__ __setitem__ __delitem__ __or__ __ror__ __ior__ keys values items get pop popitem copy "
    "update setdefault clear"
).split():
    setattr(Logs, _name, _loading(_name))
