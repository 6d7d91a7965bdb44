"""Outputs with the same weights as in Keras, which `make_outputs.py` wrote down."""

import gc
import json

import numpy as np
import pytest

import jaxkeras as jk
from tests.applications import make_outputs
from tests.applications.smallest import by_size

KERAS = json.loads(make_outputs.FILE.read_text())


@pytest.fixture(autouse=True)
def one_at_a_time():
    """A model refers to itself, so without this several of half a gigabyte wait for the garbage collector."""
    yield
    gc.collect()


@pytest.mark.parametrize("name", by_size(make_outputs.NAMES))
def test_outputs_are_those_of_keras(name):
    model = getattr(jk.applications, name)(**make_outputs.arguments(name))
    for variable, value in zip(model.weights, make_outputs.values(model.weights, KERAS[name]["gain"])):
        variable.assign(value)
    expected = np.array(KERAS[name]["outputs"])
    actual = model.predict(make_outputs.images(name), verbose=0)
    # Rounding adds up over hundreds of layers, so not 1e-6.
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-5 * np.ptp(expected))
