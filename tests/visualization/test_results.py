"""Pictures of what a model gets right, and what a notebook shows for models and histories."""

import numpy as np
import pytest
import sklearn.metrics

import jaxkeras as jk
from jaxkeras import visualization as viz

RNG = np.random.default_rng(0)


def texts(figure):
    return [t.get_text() for axes in figure.axes for t in [*axes.texts, axes.title]]


@pytest.mark.parametrize("form", ["numbers", "probabilities", "binary"])
def test_confusion_matrix_is_that_of_scikit_learn(form):
    classes = 2 if form == "binary" else 4
    y_true, guesses = RNG.integers(0, classes, 50), RNG.integers(0, classes, 50)
    y_pred = {
        "numbers": guesses, "probabilities": np.eye(classes)[guesses], "binary": guesses[:, None] * 0.8 + 0.1,
    }[form]  # fmt: skip
    expected = sklearn.metrics.confusion_matrix(y_true, guesses)
    np.testing.assert_array_equal(viz.confusion_matrix(y_true, y_pred), expected)


def test_confusion_matrix_refuses_other_rows():
    with pytest.raises(ValueError, match="3 rows, `y_pred` 2"):
        viz.confusion_matrix([0, 1, 1], [0, 1])


def test_plot_confusion_matrix_shows_counts(tmp_path):
    figure = viz.plot_confusion_matrix([0, 1, 1, 1], [0, 1, 1, 0], ["cat", "dog"], path=tmp_path / "c.png")
    assert texts(figure) == ["1", "1", "2", "75.0% of 4 rows are right"]
    assert (tmp_path / "c.png").stat().st_size > 1000


def test_plot_predictions_puts_the_worst_first():
    y_pred = np.array([[0.9, 0.1], [0.2, 0.8], [0.99, 0.01]])
    figure = viz.plot_predictions(np.zeros((3, 4, 4, 1)), [0, 1, 1], y_pred, ["cat", "dog"], worst_first=True, count=2)
    assert texts(figure) == ["cat, not dog", "dog 80%"]
    logits = viz.plot_predictions(np.zeros((1, 4, 4)), [1], np.log([[0.25, 0.75]]))
    assert texts(logits) == ["1 75%"]


def test_plot_embedding_shows_the_main_directions():
    points = RNG.normal(size=(100, 1)) @ np.ones((1, 5)) + 1e-3 * RNG.normal(size=(100, 5))
    figure = viz.plot_embedding(points, labels=np.arange(100) % 3)
    assert "100% of the variance" in figure.axes[0].get_title()
    assert len(figure.axes[0].collections) == 3


def test_plot_feature_maps_takes_the_first_convolution():
    model = jk.Sequential([jk.Input((6, 6, 1)), jk.layers.Rescaling(2.0), jk.layers.Conv2D(3, 3, name="edges")])
    figure = viz.plot_feature_maps(model, np.ones((6, 6, 1)))
    assert "edges: 3 of 3 channels, 4 x 4" in figure.get_suptitle()
    with pytest.raises(ValueError, match="these have"):
        viz.plot_feature_maps(model, np.ones((6, 6, 1)), layer="absent")


def test_plot_attention_has_a_panel_for_each_head():
    layer = jk.layers.MultiHeadAttention(3, 4)
    x = RNG.normal(size=(1, 5, 6)).astype("float32")
    _, scores = layer(x, x, return_attention_scores=True)
    figure = viz.plot_attention(scores[0], tokens=list("abcde"))
    assert [axes.get_title() for axes in figure.axes[:3]] == ["head 0", "head 1", "head 2"]
    with pytest.raises(ValueError, match="Choose one row"):
        viz.plot_attention(scores)


@pytest.fixture(scope="module")
def trained():
    model = jk.Sequential([jk.Input((4,)), jk.layers.Dense(3, name="hidden"), jk.layers.Dense(1)], name="small")
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    x, y = np.ones((8, 4), "float32"), np.zeros((8, 1), "float32")
    return model, model.fit(x, y, epochs=4, validation_data=(x, y), validation_freq=2, verbose=0)


def test_a_model_is_a_table_in_a_notebook(trained):
    html = trained[0]._repr_html_()
    assert "hidden (frozen)" in html and "small (Sequential), 4 trainable parameters" in html
    assert "<td style=\"text-align: right\">15</td>" in html and "76.00 B" in html
    assert "total" in jk.Model()._repr_html_()


def test_a_history_is_a_table_with_curves_in_a_notebook(trained):
    _, history = trained
    html = history._repr_html_()
    assert "4 epochs" in html and "val_loss" in html and "data:image/png;base64," in html
    assert history.plot().axes


def test_history_to_frame(trained):
    frame = trained[1].to_frame()
    assert list(frame.columns) == ["loss", "val_loss"] and list(frame.index) == [1, 2, 3, 4]
    np.testing.assert_allclose(frame["loss"], trained[1].history["loss"])
    assert list(frame["val_loss"].isna()) == [True, False, True, False]


def test_live_plot_writes_the_curves(tmp_path, monkeypatch):
    drawn = []
    def draw(logs):
        drawn.append(len(logs["loss"]))
        return Figure()

    monkeypatch.setattr("jaxkeras.callbacks.live_plot.history_figure", draw)

    class Figure:
        def savefig(self, path, **how):
            path.write_text("drawn")

    model = jk.Sequential([jk.layers.Dense(1)])
    model.compile("sgd", "mse")
    live = jk.callbacks.LivePlot(seconds=3600, to_file=tmp_path / "curves.png")
    model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=3, callbacks=[live], verbose=0)
    assert drawn == [1, 3] and (tmp_path / "curves.png").exists()
