"""The Python examples of the README run in order in one namespace."""

import pathlib
import re

import matplotlib

matplotlib.use("Agg")
ROOT = pathlib.Path(__file__).parent.parent


def test_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    namespace = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
    out = capsys.readouterr().out
    assert "(32, 64, 64)" in out and "(5, 360, 10)" in out
    assert namespace["accuracy"] > 0.8


def test_quickstart_writes_model_plot_and_report(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "quickstart"}
    exec(compile((ROOT / "examples/quickstart.py").read_text(), "quickstart.py", "exec"), namespace)
    namespace["main"]()
    pictures = {"learning_curves.png", "worst.png", "confusion.png", "evidence.png"}
    assert {p.name for p in (tmp_path / "quickstart").iterdir()} == pictures | {
        "digits.keras", "report.txt", "index.html",
    }  # fmt: skip
    assert all(f'src="{name}"' in (tmp_path / "quickstart/index.html").read_text() for name in pictures)
    accuracy = float(re.search(r"Test accuracy ([\d.]+)%", (tmp_path / "quickstart/report.txt").read_text())[1])
    assert accuracy > 95
    assert "Test accuracy" in capsys.readouterr().out
