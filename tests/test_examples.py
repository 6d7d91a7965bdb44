"""The examples for libraries that are extras run where these are installed."""

import importlib.util
import pathlib

import pytest

FOLDER = pathlib.Path(__file__).parent.parent / "examples"


@pytest.mark.exhaustive
@pytest.mark.parametrize("library", ["optuna", "keras_tuner"])
def test_a_search_by_populations_finds_a_good_model(library):
    pytest.importorskip(library)
    spec = importlib.util.spec_from_file_location("example", FOLDER / f"{library}_population.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    found = example.main()
    best = found.best_value if library == "optuna" else found.get_best_trials(1)[0].score
    assert len(found.trials) == 24 and best > 0.9
