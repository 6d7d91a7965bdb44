"""What a command prints: text for people, or JSON for programs."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class CommandError(Exception):
    """A mistake in the arguments or the data: the message is printed, without a traceback."""


class Report(NamedTuple):
    """The result of a command.

    Attributes:
        values: what `--json` prints.
        text: what is printed otherwise.
        code: the exit status.
    """

    values: dict[str, Any]
    text: str
    code: int = 0

    def show(self, as_json: bool) -> None:
        """Print it."""
        print(json.dumps(self.values, indent=2, default=str) if as_json else self.text)


def table(rows: list[tuple[str, Any]]) -> str:
    """Names and values in two columns."""
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def file_size(count: float) -> str:
    """A number of bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError
