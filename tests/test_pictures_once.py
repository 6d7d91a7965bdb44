"""A notebook, a script, and a machine without a display show each picture once."""

import subprocess
import sys

import pytest

SETUP = """\
import numpy as np
import jaxkeras as jk
from jaxkeras import visualization as viz

model = jk.Sequential([jk.Input((2,)), jk.layers.Dense(1)])
model.compile("sgd", "mse")
x = np.ones((8, 2), "float32")
fit = lambda **kwargs: model.fit(x, x[:, :1], epochs=2, verbose=0, **kwargs)
history = fit()
images, y, probabilities = np.zeros((2, 4, 4, 3)), [0, 1], np.eye(2)
"""
PLOTS = [
    "jk.utils.plot_history(history)",
    "history.plot()",
    "viz.plot_confusion_matrix(y, y)",
    "viz.plot_predictions(images, y, probabilities)",
    "viz.plot_embedding(probabilities)",
]
GALLERY = "viz.plot_image_gallery(images)"  # as in Keras, it shows the picture and returns None


def pictures(outputs):
    """The number of pictures among the outputs of a cell."""
    data = [output.get("data", {}) for output in outputs]
    return sum("image/png" in d or "image/svg+xml" in d or "<img" in d.get("text/html", "") for d in data)


@pytest.mark.exhaustive
def test_notebook_shows_each_picture_once():
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("anywidget")
    cells = {SETUP: 0}
    for plot in PLOTS:
        cells |= {plot: 1, f"figure = {plot}": 0, f"display({plot})\nNone": 1}
    cells |= {GALLERY: 1, f"{GALLERY}\nNone": 1, "history": 1}
    for callback in ("LivePlot", "LivePanel"):
        training = f"fit(callbacks=[jk.callbacks.{callback}()])"
        cells |= {training: 1, f"done = {training}\nprint('more')": 1, f"{training}\nmodel.history": 1}
    cells |= {"model.history  # later": 1, "jk.callbacks.LivePanel()": 0}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown = {cell.source: pictures(cell.outputs) for cell in notebook.cells}
    assert shown == cells


@pytest.mark.exhaustive
def test_script_without_a_display_draws_nothing_on_the_screen():
    lines = [SETUP, "import sys", *PLOTS, GALLERY, "fit(callbacks=[jk.callbacks.LivePlot(), jk.callbacks.LivePanel()])"]
    lines += ["assert not sys.modules['matplotlib.pyplot'].get_fignums()"]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
