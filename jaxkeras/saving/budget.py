"""How much a file may make us hold: a few kilobytes can declare arrays, or inflate to members, of many gigabytes."""

from __future__ import annotations

# An honest file is about as large as what is in it, and weights that a user compressed shrink by less than this.
_TIMES = 10
_FREE = 4 * 1024**2  # bytes


class Budget:
    """What may be read from a file.

    Args:
        size: bytes of the file, or of all files of a set.
    """

    def __init__(self, size: int):
        self.size, self._left = size, _FREE + _TIMES * size

    def take(self, size: int, what: str) -> None:
        """Account for something, before it is read.

        Args:
            size: its bytes in memory.
            what: it, for the error.

        Raises:
            ValueError: if all that was taken is more than a file of this size can honestly hold.
        """
        self._left -= size
        if self._left < 0:
            raise ValueError(
                f"{what[:200]} would need {size:,} bytes, but the whole file has {self.size:,}: it declares more than "
                "it holds, so it is malicious or damaged. If you compressed it yourself, store it uncompressed."
            )
