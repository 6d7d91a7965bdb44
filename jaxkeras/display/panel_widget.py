"""The live panel as a Jupyter widget. Imported where used: `anywidget` is an extra."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

_FOLDER = Path(__file__).parent


class PanelWidget(anywidget.AnyWidget):
    """Curves, figures of the run, and two buttons.

    Args:
        snapshot: what a page that opens later shows at first. Its owner keeps it up to date; changes are announced with
            `send` only.
        pressed: called with `"stop"` or `"checkpoint"`, perhaps in another thread.
    """

    _esm = (_FOLDER / "panel.js").read_text()
    _css = (_FOLDER / "panel.css").read_text()
    snapshot = traitlets.Dict().tag(sync=True)

    def __init__(self, snapshot: dict[str, Any], pressed: Callable[[str], None]):
        super().__init__(snapshot=snapshot)
        self.on_msg(lambda widget, content, buffers: pressed(content["press"]))
        # ipykernel 7.4 sends the messages of a page to the thread that last sent one: the busy one. Leave the choice to
        # the page, which has a thread for widgets.
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = None  # type: ignore[union-attr]

    def view(self) -> dict[str, Any]:
        """The MIME bundle that displays the widget."""
        return {
            "application/vnd.jupyter.widget-view+json": {
                "version_major": 2, "version_minor": 0, "model_id": self.model_id,
            },
        }  # fmt: skip
