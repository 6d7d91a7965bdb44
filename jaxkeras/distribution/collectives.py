"""What devices exchange in a compiled program, read from its text."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
_OPERATION = re.compile(rf"= (.*?) ({'|'.join(KINDS)})(?:-start)?\(")
_COMPUTATION = re.compile(r"^(?:ENTRY )?%?([\w.-]+) \(.*\) -> (.*) \{$")
_SHAPE = re.compile(r"(pred|bf16|[a-z]+\d+\w*)\[([\d,]*)\]")
_CHANNEL = re.compile(r"channel_id=(\d+)")
_GROUPS = re.compile(r"replica_groups=(?:\{\{([\d,]+)\}|\[\d+,(\d+)\])")
_SPECIAL = {"pred": 1, "bf16": 2}


class Collective(NamedTuple):
    """An exchange between devices.

    Attributes:
        kind: one of `KINDS`.
        nbytes: the size of its result on one device; of a reduce-scatter, the size of what is summed.
        arrays: the shapes of its results.
    """

    kind: str
    nbytes: int
    arrays: tuple[tuple[int, ...], ...]


def collectives(text: str) -> list[Collective]:
    """The exchanges in the text of a compiled program, in the order of the text.

    The compiler for TPUs writes a reduce-scatter as a fusion of an all-reduce and a slice, with the name
    `all-reduce-scatter`, and the start, the middle and the end of an exchange beside other work as three operations of
    one channel. Each counts as the one exchange that it is.

    Args:
        text: what `compiled.as_text()` returns. The body of a loop counts once, that is, for one step.

    Example:

    >>> collectives("x = (f32[8,4]{1,0}, f32[4]{0}) all-reduce(a, b), channel_id=1")
    [Collective(kind='all-reduce', nbytes=144, arrays=((8, 4), (4,)))]
    """
    found = []
    inside, results = "", ""  # the computation that a line belongs to
    in_parts, seen = "%async_collective_fusion" in text, set()
    for line in text.splitlines():
        head = _COMPUTATION.match(line)
        if head:
            inside, results = head.groups()
        match = _OPERATION.search(line)
        if not match:
            continue
        kind, shapes = match[2], _shapes(match[1])
        if kind == "collective-permute" and len(shapes) > 1:  # the start of one: operand, result and flags
            shapes = shapes[1:2]
        nbytes = sum(_itemsize(dtype) * math.prod(shape) for dtype, shape in shapes)
        if kind == "reduce-scatter":
            nbytes *= _group_size(line)
        if kind == "all-reduce" and inside.startswith("all-reduce-scatter"):
            kind, shapes = "reduce-scatter", _shapes(results)
        exchange = Collective(kind, nbytes, tuple(shape for _, shape in shapes))
        channel = _CHANNEL.search(line)
        if channel is None or not in_parts or (channel[1], exchange) not in seen:
            found.append(exchange)
            seen.add((channel and channel[1], exchange))
    return found


def _shapes(text: str) -> list[tuple[str, tuple[int, ...]]]:
    return [(dtype, tuple(int(n) for n in dims.split(",") if n)) for dtype, dims in _SHAPE.findall(text)]


def _group_size(line: str) -> int:
    """The number of devices that exchange with each other; 1 if the line does not tell."""
    groups = _GROUPS.search(line)
    if not groups:
        return 1
    return int(groups[2]) if groups[2] else groups[1].count(",") + 1


def _itemsize(kind: str) -> int:
    if kind in _SPECIAL:
        return _SPECIAL[kind]
    bits = int(re.search(r"\d+", kind)[0])  # type: ignore[index]
    return max(1, bits // 8)
