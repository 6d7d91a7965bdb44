"""`LivePlot`: learning curves that grow while `fit` runs."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from jaxkeras.callbacks.callback import Callback
from jaxkeras.callbacks.history import mark_drawn
from jaxkeras.callbacks.member_logs import is_population
from jaxkeras.display.curves import history_figure
from jaxkeras.display.figures import picture, write
from jaxkeras.display.notebook import in_notebook


class LivePlot(Callback):
    """Draw the learning curves anew after each epoch, in the same place of a notebook.

    It hooks epochs only, so steps stay fused. Outside of a notebook it only writes the picture to `to_file`, if given.

    Args:
        seconds: the least time between two drawings, in seconds; the last epoch is always drawn.
        to_file: path of a `.png`, `.svg` or `.pdf` file to write, or None.

    Raises:
        ImportError: when training begins, without matplotlib.

    Example:

    >>> import jaxkeras as jk
    >>> model = jk.Sequential([jk.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(np.ones((8, 2)), np.ones((8, 1)), callbacks=[LivePlot(to_file="curves.png")], verbose=0)
    """

    one_process = True  # of several

    def __init__(self, seconds: float = 0.5, to_file: str | os.PathLike[str] | None = None):
        super().__init__()
        self.seconds, self.to_file = seconds, to_file
        self._handle: Any = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start with empty curves."""
        import matplotlib.figure  # noqa: F401  (an error before the first epoch rather than after it)

        self._logs: dict[str, list[Any]] = {}
        self._handle, self._drawn, self._current = None, float("-inf"), True

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draw, unless the last drawing is too recent."""
        for name, value in (logs or {}).items():
            self._logs.setdefault(name, []).append(value if np.ndim(value) else float(value))
        self._current = False
        if time.monotonic() - self._drawn >= self.seconds:
            self._draw()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Draw what is not drawn yet."""
        if not self._current:
            self._draw()

    def _draw(self) -> None:
        if not (in_notebook() or self.to_file):
            return
        if is_population(self.model):
            figure = self.model.figure({name: np.array(values) for name, values in self._logs.items()})
        else:
            figure = history_figure(self._logs)
        if self.to_file:
            write(figure, self.to_file)
        if in_notebook():
            from IPython.display import display

            image = picture(figure)
            mark_drawn(self.model)
            if self._handle is None:
                self._handle = display(image, display_id=True)
            else:
                self._handle.update(image)
        self._drawn, self._current = time.monotonic(), True
