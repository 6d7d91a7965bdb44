"""What devices exchange in a compiled program, read from its text."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
_OPERATION = re.compile(rf"= (.*?) ({'|'.join(KINDS)})(?:-start)?\(")
_SHAPE = re.compile(r"(pred|bf16|[a-z]+\d+\w*)\[([\d,]*)\]")
_SPECIAL = {"pred": 1, "bf16": 2}


class Collective(NamedTuple):
    """An exchange between devices.

    Attributes:
        kind: one of `KINDS`.
        nbytes: the size of its result on one device.
        arrays: the shapes of its results.
    """

    kind: str
    nbytes: int
    arrays: tuple[tuple[int, ...], ...]


def collectives(text: str) -> list[Collective]:
    """The exchanges in the text of a compiled program, in the order of the text.

    Args:
        text: what `compiled.as_text()` returns. The body of a loop counts once, that is, for one step.

    Example:

    >>> collectives("x = (f32[8,4]{1,0}, f32[4]{0}) all-reduce(a, b), channel_id=1")
    [Collective(kind='all-reduce', nbytes=144, arrays=((8, 4), (4,)))]
    """
    found = []
    for line in text.splitlines():
        match = _OPERATION.search(line)
        if match:
            results = [(kind, tuple(int(n) for n in dims.split(",") if n)) for kind, dims in _SHAPE.findall(match[1])]
            nbytes = sum(_itemsize(kind) * math.prod(shape) for kind, shape in results)
            found.append(Collective(match[2], nbytes, tuple(shape for _, shape in results)))
    return found


def _itemsize(kind: str) -> int:
    if kind in _SPECIAL:
        return _SPECIAL[kind]
    bits = int(re.search(r"\d+", kind)[0])  # type: ignore[index]
    return max(1, bits // 8)
