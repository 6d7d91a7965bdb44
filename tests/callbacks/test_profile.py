"""`Profile`: which steps are traced, and which layers operations belong to."""

import gzip
import json

import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.callbacks.profile import operation_names, scopes_of

L = jk.layers
X, Y = np.ones((40, 64), "float32"), np.ones((40, 8), "float32")


def test_trace_and_table(tmp_path, capsys):
    model = jk.Sequential([L.Dense(256, activation="tanh", name="wide"), L.Dense(8, name="last")])
    model.compile("adam", "mse")
    profile = jk.callbacks.Profile(steps=(2, 6), log_dir=tmp_path)
    model.fit(X, Y, batch_size=10, epochs=2, verbose=0, callbacks=[profile])
    layers = {(o.layer, o.backward) for o in profile.operations}
    assert {("wide", False), ("last", False), ("wide", True), ("last", True)} <= layers
    assert sum(o.share for o in profile.operations) == pytest.approx(1)
    assert sum(o.share for o in profile.operations if o.layer == "(other)") < 0.5
    (trace,) = tmp_path.rglob("*.trace.json.gz")  # Perfetto
    assert json.loads(gzip.open(trace).read())["traceEvents"]
    assert len(list(tmp_path.rglob("*.xplane.pb"))) == 1  # xprof
    printed = capsys.readouterr().out
    assert "Costliest operations" in printed and "wide" in printed
    assert "wide" in profile._repr_html_()
    again = model.compilations()
    model.fit(X, Y, batch_size=10, verbose=0)
    assert len(model.compilations()) == len(again)  # the program without the interceptor is still there
    assert not any(f for key in model._session.train._compiled._made for f in key[0][-1])


@pytest.mark.parametrize("members", [None, 3])
def test_a_short_run_is_traced_to_its_end(tmp_path, members):
    model = jk.Sequential([L.Dense(8, name="layer")])
    model.compile("sgd", "mse")
    if members:
        model = jk.Population(model, seeds=range(members))
    profile = jk.callbacks.Profile(steps=(1, 100), log_dir=tmp_path, rows=0)
    model.fit(X, Y, batch_size=10, verbose=0, callbacks=[profile])
    assert "layer" in {o.layer for o in profile.operations}


def test_names():
    text = '  ROOT %dot.3 = f32[2,3]{1,0} dot(%a, %b), metadata={op_name="jit(f)/jvp(m)/dense/dot_general" id=1}\n'
    assert operation_names(text) == {"dot.3": "jit(f)/jvp(m)/dense/dot_general"}
    assert scopes_of("jit(f)/transpose(jvp(m))/dense/mul") == ("f", "m", "dense", "mul")
    with pytest.raises(ValueError, match="first step and the one after the last"):
        jk.callbacks.Profile(steps=(5, 5))
