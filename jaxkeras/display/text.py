"""Numbers as text, and the width of text."""

from __future__ import annotations

from functools import lru_cache


def format_value(value: float) -> str:
    """Format with four decimals, or in scientific notation if the value is too small for them.

    >>> format_value(0.64372), format_value(0.00012345)
    ('0.6437', '1.2345e-04')
    """
    return f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}"


def format_bytes(size: float) -> str:
    """Format a number of bytes in the largest suitable unit, as Keras's summaries do.

    >>> format_bytes(1048), format_bytes(3 * 2**30)
    ('1.02 KB', '3.00 GB')
    """
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} PB"


def format_count(number: float) -> str:
    """Format a number in three digits with a prefix of the metric system.

    >>> format_count(577), format_count(1.2345e9)
    ('577 ', '1.23 G')
    """
    prefixes = iter(" kMGTP")
    prefix = next(prefixes)
    while abs(number) >= 999.5:
        number, prefix = number / 1000, next(prefixes)
    return f"{number:.3g} {prefix.strip()}"


@lru_cache(4096)
def text_width(text: str, size: float, bold: bool) -> float:
    """The width of a line of text in points, as Matplotlib draws it."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size, weight="bold" if bold else "normal")
    return text_to_path.get_text_width_height_descent(text, font, False)[0]
