"""The live panel in JupyterLab and Chromium: `pip install jupyterlab playwright`, and a Chromium on the path."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time

import pytest

pytest.importorskip("jupyterlab")
pytest.importorskip("anywidget")
playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]
CELL = """\
import numpy as np
import jaxkeras as jk

x = np.random.default_rng(0).normal(size=(320_000, 8)).astype("float32")  # 10,000 steps an epoch
y = x @ np.arange(8.0) + 1
model = jk.Sequential([jk.Input((8,)), jk.layers.Dense(8, activation="relu"), jk.layers.Dense(1)])
model.compile("adam", "mse", metrics=["mae"])
history = model.fit(x, y, epochs=1000, callbacks=[jk.callbacks.LivePanel("saved.keras")], verbose=0)
print("epochs:", len(history.epoch))
"""
COUNT_FRAMES = """() => {
    window.frames_ = 0; window.gap_ = 0; let last = performance.now();
    const frame = (now) => {
        window.frames_++; window.gap_ = Math.max(window.gap_, now - last); last = now; requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
}"""


def write_settings(folder, theme):
    settings = folder / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "themes.jupyterlab-settings").write_text(json.dumps({"theme": theme}))
    (settings / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false"}))


@pytest.fixture(params=["JupyterLab Light", "JupyterLab Dark"])
def notebook(request, tmp_path):
    """A page with a notebook that holds `CELL`."""
    nbformat = pytest.importorskip("nbformat")
    work = tmp_path / "work"
    work.mkdir()
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    cells = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)], metadata={"kernelspec": kernel})
    nbformat.write(cells, work / "panel.ipynb")
    write_settings(tmp_path / "config", request.param)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [
            sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={port}", "--IdentityProvider.token=", f"--ServerApp.root_dir={work}",
        ],
        env={**os.environ, "JUPYTER_CONFIG_DIR": str(tmp_path / "config")},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for_port(port, 60)
        with playwright.sync_playwright() as play:
            browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(f"http://127.0.0.1:{port}/lab/tree/panel.ipynb")
            page.get_by_text("| Idle").wait_for(timeout=90_000)
            yield page, work
            browser.close()
    finally:
        server.terminate()
        server.wait(30)


def wait_for_port(port, seconds):
    for _ in range(5 * seconds):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"JupyterLab does not answer at port {port}.")


def run_cell(page):
    """Press Control-Enter until the cell runs: a page that has just been loaded may lose keys."""
    for _ in range(10):
        page.click(".jp-Notebook .jp-CodeCell .cm-content")
        page.keyboard.press("Control+Enter")
        time.sleep(1)
        if page.locator(".jp-InputPrompt").first.inner_text().strip() != "[ ]:":
            return
    raise TimeoutError("The cell does not run.")


def test_curves_move_and_buttons_work(notebook):
    page, work = notebook
    run_cell(page)
    path = page.locator(".jk-panel svg path").first
    path.wait_for(state="attached", timeout=120_000)
    before = path.get_attribute("d")
    page.evaluate(COUNT_FRAMES)
    page.wait_for_function("d => document.querySelector('.jk-panel svg path').getAttribute('d') !== d", arg=before)
    twenty_thousand_steps = re.compile("Epoch ([3-9]|[0-9]{2,}) of")
    page.locator(".jk-title", has_text=twenty_thousand_steps).wait_for(timeout=60_000)

    page.click(".jk-checkpoint")
    page.locator(".jk-note", has_text="Saved saved.keras at epoch").wait_for(timeout=60_000)
    assert (work / "saved.keras").stat().st_size > 1000
    frames, gap = page.evaluate("[window.frames_, window.gap_]")
    assert frames > 10  # the page draws while the kernel trains
    print(f"{frames} frames, the longest after {gap:.0f} ms")

    page.click(".jk-stop")
    page.get_by_text("Stopped after").wait_for(timeout=60_000)
    page.locator(".jp-OutputArea pre", has_text="epochs:").wait_for(timeout=60_000)
    output = page.locator(".jp-OutputArea")
    assert int(output.inner_text().split("epochs:")[1].split()[0]) < 1000
    assert page.locator(".jk-panel").count() == 0
    assert output.locator("img").count() == 1  # a picture in the place of the panel, drawn once
