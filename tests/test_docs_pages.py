"""The Python examples of a page run in order in one namespace, and print what the page shows."""

import contextlib
import doctest
import io
import pathlib
import re

import pytest

import jaxkeras as jk

ROOT = pathlib.Path(__file__).parent.parent
# A block of Python, and the block of text right below it, if any: what it prints, with "..." for what may vary.
EXAMPLES = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", re.DOTALL | re.MULTILINE)
PAGES = [p for p in sorted((ROOT / "docs").rglob("*.md")) if "_build" not in p.parts and EXAMPLES.search(p.read_text())]


def test_pages_are_found():
    assert {"tour.md", "from-keras.md", "custom-steps.md"} <= {page.name for page in PAGES}


@pytest.mark.exhaustive
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "page"}
    try:
        for block, shown in EXAMPLES.findall(page.read_text()):
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(block, page.name, "exec"), namespace)
            if shown:
                flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
                assert doctest.OutputChecker().check_output(shown, printed.getvalue(), flags), printed.getvalue()
    finally:
        jk.config.set_dtype_policy("float32")
