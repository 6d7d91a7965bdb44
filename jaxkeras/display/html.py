"""Tables and figures as HTML, which notebooks show."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence
from typing import Any

_RIGHT, _LEFT = "text-align: right", "text-align: left"


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "", left: int = 1) -> str:
    """A table; the first `left` columns are aligned to the left, the others to the right.

    >>> table(["layer", "params"], [["dense", 3]]).count("<tr>")
    2
    """

    def line(tag: str, cells: Sequence[Any]) -> str:
        return "".join(
            f'<{tag} style="{_LEFT if i < left else _RIGHT}">{html.escape(str(cell))}</{tag}>'
            for i, cell in enumerate(cells)
        )

    head = f"<caption {_CAPTION}>{html.escape(caption)}</caption>" if caption else ""
    body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    return f"<table>{head}<thead><tr>{line('th', headers)}</tr></thead><tbody>{body}</tbody></table>"


_CAPTION = 'style="caption-side: top; text-align: left; font-weight: bold"'


def figure_png(figure: Any, dpi: int = 110) -> bytes:
    """A Matplotlib figure as a PNG file."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=dpi)
    return data.getvalue()


def figure_html(figure: Any) -> str:
    """A Matplotlib figure as an `<img>` that holds its data."""
    return f'<img style="max-width: 100%" src="data:image/png;base64,{base64.b64encode(figure_png(figure)).decode()}">'
