"""The graphs are Keras's, layer by layer, as `make_architectures.py` wrote them down; no weight is drawn."""

import json
import lzma

import pytest

import jaxkeras as jk
from tests.applications.make_architectures import FILE, NAMES, digest, rows
from tests.applications.smallest import by_size

KERAS = json.loads(lzma.decompress(FILE.read_bytes()))


def test_the_table_holds_every_architecture():
    public = [name for name in vars(jk.applications) if name[0].isupper()]
    assert sorted(NAMES) == sorted(KERAS) == sorted(public)


@pytest.mark.parametrize("name", by_size(NAMES))
def test_layers_weights_and_connections_are_those_of_keras(name):
    model = getattr(jk.applications, name)(weights=None)
    assert not any(v.materialized for v in model.weights)
    expected = KERAS[name]
    for ours, theirs in zip(json.loads(json.dumps(rows(model))), expected["layers"]):
        assert ours == theirs
    assert len(model.layers) == len(expected["layers"])
    assert digest(model) == expected["config"]
