"""The Python examples of a page run in order in one namespace."""

import pathlib
import re

import pytest

import jaxkeras as jk

ROOT = pathlib.Path(__file__).parent.parent
EXAMPLES = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = [p for p in sorted((ROOT / "docs").rglob("*.md")) if "_build" not in p.parts and EXAMPLES.search(p.read_text())]


def test_pages_are_found():
    assert {"tour.md", "from-keras.md", "custom-steps.md"} <= {page.name for page in PAGES}


@pytest.mark.exhaustive
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "page"}
    try:
        for block in EXAMPLES.findall(page.read_text()):
            exec(compile(block, page.name, "exec"), namespace)
    finally:
        jk.config.set_dtype_policy("float32")
