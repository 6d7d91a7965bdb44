"""Graphs equal Keras's layer by layer, as recorded by `make_architectures.py`; no weights are drawn."""

import json
import lzma

import pytest

import jaxkeras as jk
from tests.applications.make_architectures import FILE, NAMES, digest, rows
from tests.applications.smallest import SMALLEST
from tests.cases import by_default

KERAS = json.loads(lzma.decompress(FILE.read_bytes()))


def test_recorded_graphs_cover_every_architecture():
    public = [name for name in dir(jk.applications) if name[0].isupper()]
    assert sorted(NAMES) == sorted(KERAS) == sorted(public)


@pytest.mark.parametrize("name", by_default(NAMES, SMALLEST))
def test_layers_weights_and_connections_equal_keras(name):
    model = getattr(jk.applications, name)(weights=None)
    assert not any(v.materialized for v in model.weights)
    expected = KERAS[name]
    for ours, theirs in zip(json.loads(json.dumps(rows(model))), expected["layers"]):
        assert ours == theirs
    assert len(model.layers) == len(expected["layers"])
    assert digest(model) == expected["config"]
