"""What a live panel shows: curves of bounded size, and figures of a run as text."""

from __future__ import annotations

import html
import math
from typing import Any

import jax

from jaxkeras.display.text import format_bytes

_POINTS = 400  # of a curve; a chart is about as many pixels wide


class Curve:
    """A curve of at most `limit` points, however many are added.

    A full curve drops every other point and from then on keeps every second, fourth, ... one. The newest is always
    there.

    Args:
        limit: the largest number of points, at least 3.

    Example:

    >>> curve = Curve(limit=4)
    >>> for i in range(9):
    ...     curve.add(i, i / 10)
    >>> curve.x
    [0, 4, 8]
    """

    def __init__(self, limit: int = _POINTS):
        self.limit = limit
        self.clear()

    def clear(self) -> None:
        """Drop all points."""
        self.x: list[float] = []
        self.y: list[float | None] = []
        self._added, self._every = 0, 1
        self._moves = False  # whether the last point is there only until the next one comes
        self._sent = 0  # points that `change` has returned

    def add(self, x: float, y: float) -> None:
        """Add a point; a value that is not finite becomes a gap."""
        if self._moves:
            del self.x[-1], self.y[-1]
            self._sent = min(self._sent, len(self.x))
        if len(self.x) == self.limit:
            self.x, self.y = self.x[::2], self.y[::2]
            self._every, self._sent = 2 * self._every, 0
        self._moves = self._added % self._every != 0
        self._added += 1
        self.x.append(x)
        self.y.append(float(f"{y:.5g}") if math.isfinite(y) else None)

    def change(self) -> dict[str, Any] | None:
        """The points from index `start` on, if any changed since the last call."""
        start, self._sent = self._sent, len(self.x)
        return None if start == len(self.x) else {"start": start, "x": self.x[start:], "y": self.y[start:]}

    def whole(self) -> dict[str, Any]:
        """All points, in the form that `change` returns."""
        return {"start": 0, "x": self.x, "y": self.y}


def memory_use() -> str:
    """The memory of this process, and of the first device if it has its own, as text."""
    texts = []
    try:
        import psutil  # ipykernel depends on it

        texts.append(f"{format_bytes(psutil.Process().memory_info().rss)} memory")
    except ModuleNotFoundError:
        pass
    stats = jax.local_devices()[0].memory_stats() or {}
    if "bytes_in_use" in stats:
        limit = f" of {format_bytes(stats['bytes_limit'])}" if "bytes_limit" in stats else ""
        texts.append(f"{format_bytes(stats['bytes_in_use'])}{limit} on the device")
    return ", ".join(texts)


def format_seconds(seconds: float) -> str:
    """Format a duration.

    >>> format_seconds(42.4), format_seconds(61), format_seconds(3723)
    ('42 s', '1:01', '1:02:03')
    """
    minutes, s = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{s} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{s:02d}" if hours else f"{minutes}:{s:02d}"


def static_panel(title: str, figures: str, note: str, picture: str) -> str:
    """A panel that nothing moves in, as HTML.

    Args:
        title, figures, note: lines of text; the last may be empty.
        picture: HTML of the curves.
    """
    lines = [f"<b>{html.escape(title)}</b>", html.escape(figures), html.escape(note)]
    text = "<br>".join(line for line in lines if line)
    return f'<div style="line-height: 1.6">{text}</div>{picture}'
