"""Ctrl-C at moments when no state is lost."""

from __future__ import annotations

import _signal  # pyright: ignore[reportMissingImports]  (`signal` looks handlers up among enums: 3 us a call)
import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


class DeferSigint:
    """Between passing buffers to a program that donates them and storing its results, an interrupt would leave a model
    without weights. Inside `critical`, a SIGINT is handled at the end of the block.
    """

    def __init__(self) -> None:
        self._inside = False
        self._pending: tuple[int, Any] | None = None
        self._previous: Any = None

    def __enter__(self) -> DeferSigint:
        if threading.current_thread() is threading.main_thread():
            self._previous = _signal.getsignal(signal.SIGINT)
            if callable(self._previous):
                _signal.signal(signal.SIGINT, self._handle)
            else:
                self._previous = None
        return self

    def __exit__(self, *exc: object) -> None:
        if self._previous is not None:
            _signal.signal(signal.SIGINT, self._previous)
            self._previous = None

    def _handle(self, number: int, stack: Any) -> None:
        if self._inside:
            self._pending = (number, stack)
        else:
            self._previous(number, stack)

    @contextlib.contextmanager
    def critical(self) -> Iterator[None]:
        """Defer SIGINT for a `with` block."""
        self._inside = True
        try:
            yield
        finally:
            self._inside = False
            if self._pending is not None:
                pending, self._pending = self._pending, None
                (self._previous or signal.default_int_handler)(*pending)
