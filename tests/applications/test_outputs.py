"""Outputs equal Keras's for the same weights, as recorded by `make_outputs.py`."""

import gc
import json

import numpy as np
import pytest

import jaxkeras as jk
from tests.applications import make_outputs
from tests.applications.smallest import SMALLEST
from tests.cases import by_default

KERAS = json.loads(make_outputs.FILE.read_text())


@pytest.fixture(autouse=True)
def one_at_a_time():
    """Collect garbage: models contain reference cycles, and several of half a gigabyte would pile up."""
    yield
    gc.collect()


@pytest.mark.parametrize("name", by_default(make_outputs.NAMES, SMALLEST))
def test_outputs_equal_keras(name):
    model = getattr(jk.applications, name)(**make_outputs.arguments(name))
    for variable, value in zip(model.weights, make_outputs.values(model.weights, KERAS[name]["gain"])):
        variable.assign(value)
    expected = np.array(KERAS[name]["outputs"])
    actual = model.predict(make_outputs.images(name), verbose=0)
    # Rounding accumulates over hundreds of layers, so the tolerance exceeds 1e-6.
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-5 * np.ptp(expected))
