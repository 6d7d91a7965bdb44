"""A limit on the memory that a file can claim: a few kilobytes can declare, or decompress to, many gigabytes."""

from __future__ import annotations

# A normal file is about as large as its content, and compressed weights shrink by less than this factor.
_TIMES = 10
_FREE = 4 * 1024**2  # bytes


class Budget:
    """The number of bytes that may be read from a file.

    Args:
        size: size of the file, or of a set of files, in bytes.
    """

    def __init__(self, size: int):
        self.size, self._left = size, _FREE + _TIMES * size

    def take(self, size: int, what: str) -> None:
        """Reserve memory before reading.

        Args:
            size: number of bytes in memory.
            what: a description for the error message.

        Raises:
            ValueError: if the total is more than a file of this size can hold.
        """
        self._left -= size
        if self._left < 0:
            raise ValueError(
                f"{what[:200]} would need {size:,} bytes, but the whole file has {self.size:,}: it declares more than "
                "it holds, so it is malicious or damaged. If you compressed it yourself, store it uncompressed."
            )
