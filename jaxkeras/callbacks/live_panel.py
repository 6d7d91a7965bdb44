"""`LivePanel`: watch and steer `fit` in a notebook."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from jaxkeras.callbacks.callback import Callback
from jaxkeras.callbacks.history import mark_drawn
from jaxkeras.callbacks.member_logs import shown
from jaxkeras.callbacks.model_checkpoint import ModelCheckpoint
from jaxkeras.core.messages import place
from jaxkeras.display.curves import history_figure
from jaxkeras.display.html import figure_html
from jaxkeras.display.notebook import click_polling
from jaxkeras.display.panel import Curve, format_seconds, memory_use, static_panel

_SHARE = 0.008  # of the time of training that updates may take
_POLL_SECONDS = 0.2
_NOW = "now "  # precedes the name of a metric, for its curve within the epoch


class LivePanel(Callback):
    """Show curves, progress, speed and memory while `fit` runs, with buttons that stop it and save the model.

    The panel is a widget of a notebook and needs `pip install "jaxkeras[notebook]"`; without it, the curves are drawn
    as a picture from time to time. When `fit` ends, a picture takes the place of the widget, so that a saved notebook
    shows it everywhere. Outside of notebooks nothing is shown. With `fit(..., verbose=0)` the panel replaces the
    progress bar.

    Steps stay fused: between pieces of an epoch the panel looks for clicks, and now and then sends what is new. Curves
    hold a few hundred points, however long a run is, and updates take less than 1 % of its time. Those of a population
    show the median over the members that run, and the best value of the loss.

    A kernel that runs a cell does not handle clicks by itself. JupyterLab from 4.4 and Notebook from 7.4 deliver them
    to another thread of ipykernel 7; ipykernel 6 is polled with jupyter_ui_poll. Where neither works, the panel says so
    after a click: interrupting the kernel stops `fit` too, with the weights that it has.

    Args:
        filepath: where "Checkpoint" saves the model, as in `ModelCheckpoint`: it may contain `{epoch}` and names of
            metrics.
        seconds: the least time between two updates, in seconds.

    Raises:
        ValueError: if `filepath` does not end with `.keras` or `.h5`.

    Example:

    >>> import jaxkeras as jk
    >>> model = jk.Sequential([jk.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> panel = LivePanel("checkpoint-{epoch}.keras")
    >>> history = model.fit(np.ones((8, 2)), np.ones((8, 1)), callbacks=[panel], verbose=0)
    >>> panel.title
    'Trained for 1 epoch'
    """

    sees_pieces = True

    def __init__(self, filepath: str | os.PathLike[str] = "checkpoint.keras", seconds: float = 0.5):
        super().__init__()
        self.seconds = seconds
        self._saver = ModelCheckpoint(filepath)
        self._pressed = {"stop": threading.Event(), "checkpoint": threading.Event()}
        self._reset()

    def _reset(self) -> None:
        self.title, self._figures, self._note = "Not trained yet", "", ""
        self._rows: list[tuple[int, dict[str, Any]]] = []  # epochs and their logs
        self._read = 0  # rows that are in the curves
        self._curves: dict[str, Curve] = {}
        self._epoch = self._step = self._done = 0
        self._first: int | None = None
        self._start = self._since = time.monotonic()
        self._done_since = 0  # steps done at `_since`
        self._speed = 0.0  # steps a second
        self._due = float("-inf")
        self._handle: Any = None
        self._widget: Any = None
        self._poll: Any = None
        self._poll_due = float("-inf")
        self._context = contextlib.ExitStack()
        self._snapshot: dict[str, Any] = {}
        for event in self._pressed.values():
            event.clear()

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        self._saver.set_model(model)

    # -- hooks ----------------------------------------------------------------------------------------------------
    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Show an empty panel."""
        self._reset()
        params = self.params or {}
        self._epochs, self._steps = params.get("epochs", 1), params.get("steps")
        if place() == "notebook":
            self._show()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begin the curves of the epoch."""
        self._epoch, self._step = epoch, 0
        self._first = epoch if self._first is None else self._first

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count from here: a run that was interrupted goes on in the middle of an epoch."""
        self._step = max(self._step, batch)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Do what pressed buttons ask for, and update the panel if it is time."""
        self._done += batch + 1 - self._step
        self._step = batch + 1
        if self._widget is not None:
            self._answer(batch, logs)
            if time.monotonic() >= self._due:
                self._update(shown(self.model, logs))  # waits for the device, which is not the panel's time

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the epoch to the curves."""
        self._rows.append((epoch + 1, shown(self.model, logs)))
        self._steps = self._steps or self._step
        if self._handle is not None:
            self._answer(None, logs)
            if time.monotonic() >= self._due:
                self._epoch, self._step = epoch + 1, 0
                self._update({})

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Put a picture in the place of the panel."""
        self._finish("Stopped after" if self._pressed["stop"].is_set() else "Trained for")

    def release(self) -> None:
        """Do so when an exception ends `fit`, too."""
        self._finish("Interrupted after")

    # -- buttons --------------------------------------------------------------------------------------------------
    def _answer(self, batch: int | None, logs: dict[str, Any] | None) -> None:
        if self._poll is not None and time.monotonic() >= self._poll_due:
            self._poll()
            self._poll_due = time.monotonic() + _POLL_SECONDS
        if self._pressed["stop"].is_set():
            self.model.stop_training = True
            self._due = float("-inf")
        if self._pressed["checkpoint"].is_set():
            self._pressed["checkpoint"].clear()
            at = f"epoch {self._epoch + 1}" + ("" if batch is None else f", step {batch + 1:,}")
            try:
                path = self._saver._path(self._epoch, batch, dict(logs or {}))
                self._saver._write(path)
                self._note = f"Saved {path} at {at}."
            except Exception as error:  # a click must not end the training
                self._note = f"Could not save: {error}"
            self._widget.send({"curves": {}, "answer": self._note})
            self._due = float("-inf")

    # -- the panel ------------------------------------------------------------------------------------------------
    def _show(self) -> None:
        from IPython.display import display

        self._describe()
        bundle = self._static()
        try:
            from jaxkeras.display.panel_widget import PanelWidget
        except ModuleNotFoundError:
            self._note = 'A panel that moves, with buttons, needs: pip install "jaxkeras[notebook]"'
        else:
            self._snapshot.update(curves={}, names=[], epochs=self._epochs)
            self._snapshot.update(self._state())
            self._widget = PanelWidget(self._snapshot, lambda name: self._pressed[name].set())
            self._poll = click_polling(self._context)
            bundle |= self._widget.view()
        self._handle = display(bundle, raw=True, display_id=True)

    def _update(self, now: dict[str, Any]) -> None:
        """Send what is new.

        Args:
            now: the logs of the epoch so far.
        """
        began = time.monotonic()
        self._describe()
        if self._widget is None:
            self._handle.update(self._static(), raw=True)
        else:
            self._add_points(now)
            changes = {name: change for name, curve in self._curves.items() if (change := curve.change())}
            state = self._state()
            self._snapshot.update(state, curves={name: curve.whole() for name, curve in self._curves.items()})
            self._widget.send({"curves": changes, **state})
        ended = time.monotonic()
        self._due = ended + max(self.seconds, (ended - began) / _SHARE)

    def _add_points(self, now: dict[str, Any]) -> None:
        for epoch, logs in self._rows[self._read :]:
            for name, value in _numbers(logs):
                self._curve(name).add(epoch, value)
        if self._read < len(self._rows):
            for name, curve in self._curves.items():
                if name.startswith(_NOW):
                    curve.clear()
        self._read = len(self._rows)
        for name, value in _numbers(now):
            self._curve(_NOW + name).add(self._step, value)

    def _curve(self, name: str) -> Curve:
        return self._curves.setdefault(name, Curve())

    def _state(self) -> dict[str, Any]:
        metrics = [name.removeprefix(_NOW) for name in self._curves]
        names = [n for n in dict.fromkeys(metrics) if not (n.startswith("val_") and n.removeprefix("val_") in metrics)]
        return {
            "title": self.title,
            "figures": self._figures,
            "fraction": self._fraction(),
            "epoch": self._epoch,
            "steps": self._steps,
            "names": sorted(names, key=lambda name: (name != "loss", name.endswith("learning_rate"))),
        }

    def _fraction(self) -> float:
        return min(1.0, (self._epoch + (self._step / self._steps if self._steps else 0)) / max(1, self._epochs))

    def _describe(self) -> None:
        """Set the title and the figures of a run in progress."""
        now = time.monotonic()
        epoch = min(self._epoch + 1, self._epochs)
        steps = f" of {self._steps:,}" if self._steps else ""
        self.title = f"Epoch {epoch} of {self._epochs}" + (f", step {self._step:,}{steps}" if self._step else "")
        ran, left = self._fraction() - (self._first or 0) / max(1, self._epochs), 1 - self._fraction()
        texts = [f"{format_seconds(now - self._start)} elapsed"]
        if ran > 0:
            texts.append(f"{format_seconds((now - self._start) * left / ran)} left")
        if self._done > self._done_since:
            self._speed = (self._done - self._done_since) / (now - self._since)
            self._since, self._done_since = now, self._done
        self._figures = _joined(*texts, _steps_a_second(self._speed), memory_use())

    # -- the picture ----------------------------------------------------------------------------------------------
    def _finish(self, what: str) -> None:
        count = len(self._rows)
        self.title = f"{what} {count} epoch{'' if count == 1 else 's'}"
        seconds = time.monotonic() - self._start
        speed = _steps_a_second(self._done / max(seconds, 1e-9))
        self._figures = _joined(format_seconds(seconds), f"{self._done:,} steps", speed, memory_use())
        self._context.close()
        if self._handle is not None:
            self._handle.update(self._static(), raw=True)
            mark_drawn(self.model)
        if self._widget is not None:
            self._widget.close()
        self._handle = self._widget = None

    def _static(self) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/plain": f"{self.title}: {self._figures}"}

    def _repr_html_(self) -> str:
        history: dict[str, list[float]] = {}
        for _, logs in self._rows:
            for name, value in _numbers(logs):
                history.setdefault(name, []).append(value)
        picture = ""
        if history:
            with contextlib.suppress(ImportError):  # without Matplotlib the text must do
                picture = figure_html(history_figure(SimpleNamespace(history=history, epoch=[self._first or 0])))
        return static_panel(self.title, self._figures, self._note, picture)


def _numbers(logs: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    return ((name, value) for name, value in logs.items() if isinstance(value, (int, float)))


def _steps_a_second(speed: float) -> str:
    return f"{speed:,.0f} steps/s" if speed >= 10 else f"{speed:.2g} steps/s" if speed > 0 else ""


def _joined(*texts: str) -> str:
    return " · ".join(text for text in texts if text)
