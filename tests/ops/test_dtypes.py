"""The dtypes of results, for all pairs of dtypes, against those of Keras on JAX (in `result_dtypes.json`)."""

import importlib.metadata
import json

import pytest

import jaxkeras as jk
from tests.ops.numpy_rows import DTYPES
from tests.ops.result_dtypes import SECOND, STORED, letters

STORED_ROWS = json.loads(STORED.read_text())
# A Python float beside 16-bit numbers is a float32 array to Keras in these three, and a mere number in its other ops.
PYTHON_FLOATS = {"arctan2", "logaddexp", "logaddexp2"}
# Keras refuses integers where JAX does; here they become floats first, as in all its other activations.
REFUSED = {"log_sigmoid", "sigmoid", "silu", "swish", "erf", "rsqrt"}


def test_the_stored_dtypes_are_those_of_the_installed_keras():
    assert STORED_ROWS["keras"] == importlib.metadata.version("keras")


@pytest.mark.parametrize("name", STORED_ROWS["dtypes"])
def test_dtypes_of_keras(name):
    theirs = STORED_ROWS["dtypes"][name]
    two = len(theirs) > len(DTYPES)
    given = [(x, y) for x in DTYPES for y in SECOND] if two else list(DTYPES)
    ours = letters(getattr(jk.ops, name), two)
    differ = {pair: (a, b) for pair, a, b in zip(given, ours, theirs, strict=True) if a != b}
    if name in PYTHON_FLOATS:
        assert differ == {("float16", 1.5): ("h", "f"), ("bfloat16", 1.5): ("b", "f")}
    elif name in REFUSED:
        assert set(differ.values()) == {("f", "!")}
    else:
        assert not differ
