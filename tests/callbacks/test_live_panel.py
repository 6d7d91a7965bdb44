"""The live panel, with a page that takes messages as `display/panel.js` does."""

import math
import sys
import types

import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.callbacks import live_panel
from jaxkeras.display.panel import Curve, format_seconds


class Page:
    """Takes the place of `PanelWidget` and its page; `click` is called at every message."""

    def __init__(self, snapshot, pressed):
        self.snapshot, self.pressed = snapshot, pressed
        self.state, self.curves, self.answers, self.messages = {}, {}, [], 0
        self.closed = False
        self.take(snapshot)

    def view(self):
        return {"application/vnd.jupyter.widget-view+json": {}}

    def close(self):
        self.closed = True

    def send(self, message):
        self.messages += 1
        self.take(message)
        self.click(self)

    def take(self, message):
        message = dict(message)
        curves = message.pop("curves")
        if "answer" in message:
            self.answers.append(message.pop("answer"))
        if message.get("epoch", self.state.get("epoch")) != self.state.get("epoch"):
            self.curves = {name: points for name, points in self.curves.items() if not name.startswith("now ")}
        self.state.update(message)
        for name, change in curves.items():
            x, y = self.curves.get(name, ([], []))
            self.curves[name] = x[: change["start"]] + change["x"], y[: change["start"]] + change["y"]


@pytest.fixture
def notebook(monkeypatch, tmp_path):
    """Shows panels on pages; yields a function that gives their `click` and returns the pages and the displayed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(live_panel, "place", lambda: "notebook")
    monkeypatch.setattr(live_panel, "click_polling", lambda context: None)
    monkeypatch.setattr(live_panel, "_SHARE", math.inf)  # an update at every chance, however slow the machine is
    shown, pages = [], []

    def display(bundle, raw, display_id):
        shown.append(bundle)
        return types.SimpleNamespace(update=lambda bundle, raw: shown.append(bundle))

    ipython = types.ModuleType("IPython.display")
    ipython.display = display
    monkeypatch.setitem(sys.modules, "IPython.display", ipython)

    def install(click=lambda page: None):
        def widget(snapshot, pressed):
            pages.append(Page(snapshot, pressed))
            pages[-1].click = click
            return pages[-1]

        module = types.ModuleType("jaxkeras.display.panel_widget")
        module.PanelWidget = widget
        monkeypatch.setitem(sys.modules, "jaxkeras.display.panel_widget", module)
        return pages, shown

    return install


@pytest.fixture(scope="module")
def model():
    model = jk.Sequential([jk.Input((2,)), jk.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def fit(model, panel, epochs, **kwargs):
    x = np.ones((12, 2), "float32")
    return model.fit(x, x[:, :1], batch_size=4, epochs=epochs, callbacks=[panel], verbose=0, **kwargs)


@pytest.mark.parametrize("limit", [3, 4, 7])
def test_curve_keeps_few_points_and_the_newest(limit):
    curve, seen = Curve(limit), ([], [])
    for i in range(100):
        curve.add(i, math.nan if i == 50 else i / 7)
        assert len(curve.x) <= limit and curve.x[-1] == i
        assert curve.x[0] == 0 and len(set(np.diff(curve.x[:-1]))) <= 1
        if i % 3 == 0:  # what a page puts together is the curve
            change = curve.change()
            seen = tuple(old[: change["start"]] + change[axis] for old, axis in zip(seen, "xy"))
            assert seen == (curve.x, curve.y)
    gap = Curve()
    gap.add(0, math.inf)
    assert gap.y == [None]


def test_format_seconds():
    assert [format_seconds(s) for s in (0.4, 59.6, 3600)] == ["0 s", "1:00", "1:00:00"]


def test_page_gets_the_curves(notebook, model):
    pages, shown = notebook()
    history = fit(model, live_panel.LivePanel(seconds=0), 30, validation_split=0.25)
    (page,) = pages
    assert page.messages >= 1 and page.closed
    assert page.state["names"] == ["loss"] and page.state["epochs"] == 30
    for name in ("loss", "val_loss"):
        x, y = page.curves[name]
        np.testing.assert_allclose(y, history.history[name], rtol=1e-4)
        assert x == list(range(1, 31))
        assert page.snapshot["curves"][name] == {"start": 0, "x": x, "y": y}  # a page that opens later
    # A widget at first, a picture for good.
    assert [set(bundle) - {"text/plain"} for bundle in shown] == [
        {"application/vnd.jupyter.widget-view+json", "text/html"}, {"text/html"},
    ]  # fmt: skip
    assert "<img" in shown[-1]["text/html"] and "Trained for 30 epochs" in shown[-1]["text/html"]


def test_stop_ends_training(notebook, model):
    pages, shown = notebook(lambda page: page is pages[0] and page.pressed("stop"))
    panel = live_panel.LivePanel(seconds=0)
    history = fit(model, panel, 1000)
    assert len(history.epoch) <= 3
    assert shown[-1]["text/plain"].startswith("Stopped after")
    fit(model, panel, 2)  # the next run begins anew
    assert panel.title == "Trained for 2 epochs"


def test_checkpoint_saves(notebook, model, tmp_path):
    pages, _ = notebook(lambda page: page.answers or page.pressed("checkpoint"))
    fit(model, live_panel.LivePanel("at-{epoch}.keras", seconds=0), 5)
    (saved,) = tmp_path.glob("at-*.keras")
    assert pages[0].answers[0].startswith(f"Saved {saved.name} at epoch ")
    jk.models.load_model(saved)


def test_checkpoint_that_fails_does_not_end_training(notebook, model):
    pages, _ = notebook(lambda page: page.answers or page.pressed("checkpoint"))
    history = fit(model, live_panel.LivePanel("{accuracy}.keras", seconds=0), 5)
    assert len(history.epoch) == 5 and pages[0].answers[0].startswith("Could not save: ")


def test_exception_leaves_a_picture(notebook, model):
    _, shown = notebook()

    def fail(epoch, logs):
        raise KeyboardInterrupt

    panel = live_panel.LivePanel(seconds=0)
    with pytest.raises(KeyboardInterrupt):
        fit(model, [panel, jk.callbacks.LambdaCallback(on_epoch_end=fail)], 5)
    assert shown[-1]["text/plain"].startswith("Interrupted after 1 epoch") and "<img" in shown[-1]["text/html"]


def test_without_anywidget_there_are_pictures(notebook, model, monkeypatch):
    _, shown = notebook()
    monkeypatch.setitem(sys.modules, "jaxkeras.display.panel_widget", None)
    fit(model, live_panel.LivePanel(seconds=0), 3)
    assert [set(bundle) for bundle in shown] == [{"text/html", "text/plain"}] * len(shown)
    assert len(shown) >= 2 and "jaxkeras[notebook]" in shown[-1]["text/html"]


def test_steps_stay_fused():
    panel = live_panel.LivePanel()
    assert panel.sees_batches("train") and not panel.wants_batches("train")
    assert not panel.sees_batches("test")


def test_outside_of_a_notebook_nothing_is_shown(model, capsys):
    fit(model, panel := live_panel.LivePanel(), 2)
    assert capsys.readouterr() == ("", "")
    assert "<img" in panel._repr_html_()
