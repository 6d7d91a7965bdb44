"""Notebooks are stored with outputs and pictures, their Korean twins have the same code, and figures come out again."""

import pathlib
import re

import numpy as np
import pytest

nbformat = pytest.importorskip("nbformat")
FOLDER = pathlib.Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
TWINS = sorted((FOLDER / "ko").glob("*.ipynb"))
NUMBER = re.compile(r"[-+]?\d+\.\d+(?:e[-+]?\d+)?")


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def figures(notebook):
    """The numbers with decimals that cells tagged `figures` print."""
    return [
        [float(n) for output in cell.outputs for n in NUMBER.findall(output.get("text", ""))]
        for cell in code_cells(notebook)
        if "figures" in cell.metadata.get("tags", [])
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stored(path):
    cells = code_cells(read(path))
    outputs = [output for cell in cells for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 1
    assert all(cell.execution_count for cell in cells)
    assert not [output for output in outputs if output.output_type == "error"]
    assert any(figures(read(path)))


@pytest.mark.parametrize("path", TWINS, ids=lambda path: path.stem)
def test_the_korean_twin_has_the_same_code(path):
    twin, original = read(path), read(FOLDER / path.name)
    assert [c.source for c in code_cells(twin)] == [c.source for c in code_cells(original)]
    assert len(twin.cells) == len(original.cells)
    words = "".join(c.source for c in twin.cells if c.cell_type == "markdown")
    assert len(re.findall("[가-힣]", words)) > 200


@pytest.mark.exhaustive
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_gives_the_stated_figures(path, tmp_path):
    from nbclient import NotebookClient

    notebook, stated = read(path), figures(read(path))
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    for now, before in zip(figures(notebook), stated):
        # Other processors round differently, which training amplifies.
        np.testing.assert_allclose(now, before, rtol=0.1, atol=0.03)
