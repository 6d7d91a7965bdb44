"""The progress bar.

A terminal redraws one line in place, and a notebook updates one output in place. Everywhere else (a file, a pipe, a
test) only the finished line is written, without control characters, unless every update is asked for.
"""

from __future__ import annotations

import html
import math
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import numpy as np

from jaxkeras.core.logging import is_interactive_logging_enabled
from jaxkeras.core.messages import open_line, place, print_message
from jaxkeras.display.text import format_value

_ANSI = {"bold": "1", "done": "32", "todo": "37"}
_CSS = {"bold": "font-weight:bold", "done": "color:#00a250", "todo": "color:#c5c1b4"}

Segment = tuple[str, str]  # text and a style: a key of the tables above, or ""


# -- formats ----------------------------------------------------------------------------------------------------------
def format_step_time(seconds: float, unit: str = "step") -> str:
    """Format the time of one step.

    >>> format_step_time(0.0031), format_step_time(2.4), format_step_time(4.2e-5)
    ('3ms/step', '2s/step', '42us/step')
    """
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.0f}s/{unit}"
    return f"{seconds * 1e3:.0f}ms/{unit}" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us/{unit}"


def format_remaining(seconds: float) -> str:
    """Format the remaining time.

    >>> format_remaining(42.0), format_remaining(61.0), format_remaining(3723.0)
    ('42s', '1:01', '1:02:03')
    """
    minutes, s = divmod(int(seconds), 60)
    if seconds <= 60:
        return f"{int(seconds)}s"
    if seconds <= 3600:
        return f"{minutes}:{s:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{s:02d}"


def _plain(segments: Iterable[Segment]) -> str:
    return "".join(text for text, _ in segments)


def _ansi(segments: Iterable[Segment]) -> str:
    return "".join(f"\x1b[{_ANSI[style]}m{text}\x1b[0m" if style and text else text for text, style in segments)


def _html(segments: Iterable[Segment]) -> str:
    return "".join(
        f'<span style="{_CSS[style]}">{html.escape(text)}</span>' if style and text else html.escape(text)
        for text, style in segments
    )


def _cut(segments: Iterable[Segment], width: int) -> list[Segment]:
    result = []
    for text, style in segments:
        result.append((text[:width], style))
        width = max(0, width - len(text))
    return result


# -- the bar ----------------------------------------------------------------------------------------------------------
class Progbar:
    """A progress bar with metrics beside it.

    Args:
        target: number of steps, or None if unknown.
        width: width of the bar in characters.
        verbose: 0 for silent, 1 for a bar, 2 for one line at the end.
        interval: minimum number of seconds between two redraws; the first and the last update are always shown. In a
            file or a pipe only the last one is, unless `interval` is 0.
        stateful_metrics: names of values to show unchanged; all others are averaged over the steps.
        stateless_metrics: names of values to average; all others are shown unchanged. Give at most one of the two.
        unit_name: the name of one step.

    Raises:
        ValueError: if both `stateful_metrics` and `stateless_metrics` are given.

    Example:

    >>> bar = Progbar(3, verbose=2)
    >>> for i in range(2):
    ...     bar.update(i + 1, [("loss", 0.5)])
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ):
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(
                "Progbar takes `stateful_metrics` (show these unchanged, average the rest) or `stateless_metrics` "
                "(average these, show the rest unchanged), not both."
            )
        self.target, self.width, self.unit_name = target, width, unit_name
        self.verbose, self.interval = verbose, interval
        self.stateful_metrics = None if stateful_metrics is None else set(stateful_metrics)
        self.stateless_metrics = None if stateless_metrics is None else set(stateless_metrics)
        self._place = place()
        self._moves = verbose == 1 and self._place != "file"
        self._redraws = self._moves or (verbose == 1 and interval <= 0)
        self._values: dict[str, tuple[Any, int]] = {}  # name -> sum, number of steps summed
        self._seen = 0
        self._skipped = 0  # steps that an earlier run did
        self._start = perf_counter()
        self._first: tuple[int, float] | None = None  # step and time of the first update
        self._stopped: float | None = None  # when the steps ended
        self._drawn = -math.inf
        self._title = ""
        self._display_id: str | None = None

    def begin(self, title: str) -> None:
        """Show a title above the bar, before the first step."""
        if not self.verbose:
            return
        self._title = title
        if self._moves and self._place == "notebook":
            self._display([])
        else:
            print_message(title)

    def due(self, current: int) -> bool:
        """Whether `update(current)` would draw, so that its values are needed. True for the first update too, whose
        time is recorded."""
        return self._first is None or (
            self._redraws and (current == self.target or perf_counter() - self._drawn >= self.interval)
        )

    def update(
        self, current: int, values: Iterable[tuple[str, Any]] | None = None, finalize: bool | None = None
    ) -> None:
        """Set the number of finished steps.

        Args:
            current: number of finished steps.
            values: pairs `(name, value)` of the last step.
            finalize: whether this is the last update; by default, whether `current` has reached the target.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for name, value in values or ():
            self._add(name, value, current, finalize)
        if not finalize:
            self._stopped = None  # steps go on
        self._seen = current
        draw = self._redraws and self.due(current)
        if self._first is None and current > 0:
            self._first = current, perf_counter()
        if draw or (finalize and self.verbose):
            self._draw(current, finalize)

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """Add `n` finished steps."""
        self.update(self._seen + n, values)

    def resume(self, step: int) -> None:
        """Start at a step other than 0: the steps before it are not part of this run, nor of its time per step."""
        self._seen = self._skipped = step

    def stop_clock(self) -> None:
        """End the time of the steps done so far, so that the time per step leaves out validation and callbacks."""
        if self._stopped is None:
            self._stopped = perf_counter()

    def _averages(self, name: str) -> bool:
        if self.stateless_metrics is not None:
            return name in self.stateless_metrics
        return name not in (self.stateful_metrics or ())

    def _add(self, name: str, value: Any, current: int, finalize: bool) -> None:
        if finalize or not self._averages(name):
            self._values[name] = value, 1
        else:
            steps = max(current - self._seen, 1)
            total, count = self._values.get(name, (0.0, 0))
            self._values[name] = total + value * steps, count + steps

    # -- the text ------------------------------------------------------------------------------------------------
    def _step_seconds(self, current: int, now: float) -> float:
        """Seconds per step.

        The steps up to the first update are left out, since it may have waited for a compilation, but only if as many
        came after it: a whole epoch may run as one update and one step of a smaller batch.
        """
        now = now if self._stopped is None else self._stopped
        steps = current - self._skipped
        if steps <= 0:
            return 0.0
        if self._first is not None:
            later = current - self._first[0]
            if later >= steps - later:
                return (now - self._first[1]) / later
        return (now - self._start) / steps

    def _metrics(self, columns: int | None = None) -> str:
        """The values, in order; the loss comes first if it would otherwise end behind the last column."""
        texts = {
            name: f" - {name}: {format_value(float(np.mean(total)) / max(1, count))}"
            for name, (total, count) in self._values.items()
        }
        line = "".join(texts.values())
        loss = texts.get("loss", "")
        if columns is None or line.find(loss) + len(loss) <= columns:
            return line
        return loss + "".join(text for name, text in texts.items() if name != "loss")

    def _segments(self, current: int, now: float, finalize: bool, columns: int | None = None) -> list[Segment]:
        seconds = self._step_seconds(current, now)
        elapsed = f"{now - self._start:.0f}s"
        if not self.target:
            before = [(f"{current:7d}/Unknown ", ""), (elapsed, "bold")]
        else:
            count = f"{current:{len(str(self.target))}d}/{self.target}"
            done = min(int(self.width * current / self.target), self.width)
            time = elapsed if finalize else format_remaining(seconds * (self.target - current))
            before = [
                (count, "bold"), (" ", ""), ("━" * done, "done"), ("━" * (self.width - done), "todo"), (" ", ""),
                (time, "bold"),
            ]  # fmt: skip
        step = f" {format_step_time(seconds, self.unit_name)}"
        left = None if columns is None else columns - len(_plain(before)) - len(step)
        return [*before, (step + self._metrics(left), "")]

    def _summary(self, current: int, now: float) -> str:
        count = f"{current:{len(str(self.target))}d}/{self.target}"
        time = format_step_time(self._step_seconds(current, now), self.unit_name)
        return f"{count} - {now - self._start:.0f}s - {time}{self._metrics()}"

    # -- drawing -------------------------------------------------------------------------------------------------
    def _draw(self, current: int, finalize: bool) -> None:
        now = self._drawn = perf_counter()
        if self.verbose == 2:
            if self.target:
                print_message(self._summary(current, now))
            return
        if self._place == "terminal":
            columns = shutil.get_terminal_size().columns - 1  # a full line would move the cursor to the next one
            segments = self._segments(current, now, finalize, columns)
            if not finalize:  # a line that wraps cannot be redrawn
                segments = _cut(segments, columns)
            open_line.draw(_ansi(segments), len(_plain(segments)))
            if finalize:
                open_line.end()
            return
        segments = self._segments(current, now, finalize)
        if self._place == "notebook":
            self._display(segments)
        else:
            print_message(_plain(segments))

    def _display(self, segments: list[Segment]) -> None:
        from IPython.display import display, update_display

        above = [(self._title + ("\n" if segments else ""), "")] if self._title else []
        lines = [*above, *segments]
        style = "margin:0;line-height:1.3;white-space:pre-wrap"
        data = {"text/plain": _plain(lines), "text/html": f'<pre style="{style}">{_html(lines)}</pre>'}
        if self._display_id is None:
            self._display_id = f"progress-{uuid.uuid4().hex}"
            display(data, raw=True, display_id=self._display_id)
        else:
            update_display(data, raw=True, display_id=self._display_id)


# -- work other than training -----------------------------------------------------------------------------------------
@contextmanager
def progress(
    title: str, total: int | None = None, unit: str = "item", after: float = 1.0
) -> Iterator[Callable[[int], None]]:
    """Show how far long work is, if messages are shown at all; elsewhere than in a terminal or a notebook by two lines.

    Args:
        title: the line above the bar.
        total: the number of items, or None if unknown.
        unit: the name of one item.
        after: seconds before anything is shown, so that short work is silent.

    Yields:
        A function that adds a number of finished items.

    Example:

    >>> with progress("Reading", total=3, unit="file") as advance:
    ...     for _ in range(3):
    ...         advance(1)
    """
    bar = Progbar(total, verbose=int(is_interactive_logging_enabled()), interval=0.1, unit_name=unit)
    start, done, shown = perf_counter(), 0, False

    def advance(count: int) -> None:
        nonlocal done, shown
        done += count
        if not shown and perf_counter() - start >= after:
            shown = True
            bar.begin(title)
        if shown and bar.due(done):
            bar.update(done, finalize=False)

    try:
        yield advance
    finally:
        if shown:
            bar.update(done, finalize=True)


def track(
    items: Iterable[Any], title: str, total: int | None = None, unit: str = "item", after: float = 1.0
) -> Iterator[Any]:
    """Iterate over items and show the progress, as `progress` does.

    >>> list(track([1, 2], "Reading"))
    [1, 2]
    """
    with progress(title, total, unit, after) as advance:
        for item in items:
            yield item
            advance(1)
