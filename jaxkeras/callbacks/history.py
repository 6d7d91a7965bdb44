"""`History`, the result of `fit`."""

from __future__ import annotations

import os
from typing import Any

from jaxkeras.callbacks.callback import Callback
from jaxkeras.display import html
from jaxkeras.display.notebook import cell_number
from jaxkeras.display.text import format_value


class History(Callback):
    """Records the logs of each epoch. `fit` adds one and returns it. A notebook shows it as a table and curves.

    Attributes:
        history: `{name: list of values}`, with one value per epoch.
        epoch: the indices of the epochs.

    Example:

    >>> h = History()
    >>> h.on_train_begin()
    >>> h.on_epoch_end(0, {"loss": 0.5})
    >>> h.history
    {'loss': [0.5]}
    """

    state_attributes = ("history", "epoch")
    drawn_in: int | None = None  # the cell in which a callback has drawn the curves

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch.append(epoch)
        for key, value in (logs or {}).items():
            self.history.setdefault(key, []).append(value)
        if self.model is not None:
            self.model.history = self

    def plot(self, to_file: str | os.PathLike[str] | None = None) -> Any:
        """Plot the learning curves; see `utils.plot_history`.

        Args:
            to_file: path of a `.png`, `.svg` or `.pdf` file to write, or None.

        Returns:
            In a notebook an object that displays the plot, elsewhere the `matplotlib.figure.Figure`.
        """
        from jaxkeras.display.curves import plot_history

        return plot_history(self, to_file)

    def to_frame(self) -> Any:
        """The logs as a `pandas.DataFrame` with one row per epoch, counted from 1.

        Raises:
            ImportError: without pandas.

        Example:

        >>> h = History()
        >>> h.on_epoch_end(0, {"loss": 0.5})
        >>> h.to_frame()
               loss
        epoch
        1       0.5
        """
        try:
            import pandas
        except ModuleNotFoundError:
            raise ImportError("History.to_frame needs pandas: pip install pandas") from None
        # A log of some epochs only, as with `validation_freq`, belongs to the last ones of equal spacing.
        count = max(map(len, self.history.values()), default=0)
        columns = {}
        for name, values in self.history.items():
            every = max(1, count // max(1, len(values)))
            column = [float("nan")] * count
            for i, value in enumerate(values):
                column[min(count, (i + 1) * every) - 1] = value
            columns[name] = column
        epochs = [epoch + 1 for epoch in self.epoch] if len(self.epoch) == count else range(1, count + 1)
        return pandas.DataFrame(columns, index=pandas.Index(epochs, name="epoch"))

    def _repr_html_(self) -> str:
        rows = []
        for name, values in self.history.items():
            numbers = [float(v) for v in values]
            rows.append([name, format_value(numbers[-1]), format_value(min(numbers)), format_value(max(numbers))])
        epochs = max(map(len, self.history.values()), default=0)
        text = html.table(["", "last", "smallest", "largest"], rows, caption=f"{epochs} epochs")
        try:
            from jaxkeras.display.curves import history_figure

            drawn = self.drawn_in is not None and self.drawn_in == cell_number()
            return text + html.figure_html(history_figure(self)) if epochs and not drawn else text
        except ImportError:  # without matplotlib
            return text


def mark_drawn(model: Any) -> None:
    """Note that this cell shows the curves of a model already, so that `fit` as its last line does not again."""
    if isinstance(getattr(model, "history", None), History):
        model.history.drawn_in = cell_number()
