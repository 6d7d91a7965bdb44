import re
import types

import numpy as np
import pytest

from jaxkeras.callbacks import History
from jaxkeras.display.curves import plot_history
from tests.utils.test_plot import hide

pytest.importorskip("matplotlib")

LOGS = {"accuracy": [0.5, 0.7, 0.9], "loss": [0.9, 0.5, 0.2], "val_accuracy": [0.4, 0.6, 0.7], "val_loss": [1, 2, 0.9]}


def curves(figure):
    """`{title: {label: (x, y)}}` for each panel."""

    def lines(axes):
        return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}

    return {axes.get_title(loc="left"): lines(axes) for axes in figure.axes}


def test_one_panel_per_metric():
    epochs = [1, 2, 3]
    assert curves(plot_history(LOGS)) == {
        "loss": {"train": (epochs, LOGS["loss"]), "val": (epochs, LOGS["val_loss"])},
        "accuracy": {"train": (epochs, LOGS["accuracy"]), "val": (epochs, LOGS["val_accuracy"])},
    }


def test_final_values_are_annotated():
    texts = [text.get_text() for text in plot_history(LOGS).axes[0].texts]
    assert texts == ["train 0.2000", "val 0.9000"]


def test_epochs_start_at_initial_epoch():
    history = History()
    history.on_train_begin()
    for epoch in (5, 6):
        history.on_epoch_end(epoch, {"loss": 1.0})
    assert curves(plot_history(history))["loss"]["last"][0] == [6, 7]


def test_validation_every_other_epoch():
    figure = plot_history({"loss": [4.0, 3.0, 2.0, 1.0], "val_loss": [3.0, 2.0]})
    assert curves(figure)["loss"]["val"][0] == [2, 4]


def test_learning_rate_panel_is_last_and_logarithmic():
    figure = plot_history({"learning_rate": [1e-2, 1e-3, 1e-5], "loss": [3.0, 2.0, 1.0], "mae": [1.0, 1.0, 1.0]})
    assert list(curves(figure)) == ["loss", "mae", "learning rate"]
    assert [axes.get_yscale() for axes in figure.axes] == ["linear", "linear", "log"]


def test_validation_only_metric_and_non_finite_values(tmp_path):
    figure = plot_history({"loss": [1.0, np.nan], "val_extra": [np.inf, 1.0]}, tmp_path / "curves.png")
    assert list(curves(figure)) == ["loss", "val extra"]


def test_many_panels_are_arranged_in_rows():
    figure = plot_history({f"metric_{i}": [1.0, 2.0] for i in range(5)})
    assert len(figure.axes) == 5
    assert figure.axes[3].get_subplotspec().rowspan.start == 1


@pytest.mark.parametrize(("extension", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_file_formats(extension, start, tmp_path):
    path = tmp_path / f"curves.{extension}"
    plot_history({"loss": [1.0]}, path)
    assert path.read_bytes().startswith(start)


def test_text_does_not_overlap():
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = plot_history({"a_very_long_name_of_an_output_sparse_categorical_accuracy": [1.0], "loss": [1.0]})
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    boxes = [t.get_window_extent(renderer) for axes in figure.axes for t in (axes._left_title, *axes.texts)]
    for i, a in enumerate(boxes):
        assert not any(a.overlaps(b) for b in boxes[i + 1 :])
        assert a.x1 <= figure.bbox.x1


def test_figure_is_displayed_in_a_notebook(monkeypatch):
    IPython = pytest.importorskip("IPython")
    monkeypatch.setattr(IPython, "get_ipython", lambda: types.SimpleNamespace())
    assert plot_history(LOGS).data.startswith(b"\x89PNG")


@pytest.mark.parametrize("empty", [{}, {"loss": []}, History()])
def test_empty_history_raises(empty):
    with pytest.raises(ValueError, match="no epoch has ended"):
        plot_history(empty)


def test_missing_matplotlib_raises(monkeypatch):
    hide(monkeypatch, "matplotlib")
    with pytest.raises(ImportError, match=re.escape('pip install "jaxkeras[plot]"')):
        plot_history(LOGS)
