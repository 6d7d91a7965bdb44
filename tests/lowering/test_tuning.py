"""Forms chosen by measurement: kept, used again, and equal to the others up to rounding."""

import json

import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.core import program_cache
from jaxkeras.lowering import tuning


@pytest.fixture
def cache(tmp_path):
    jk.config.set_program_cache(tmp_path / "programs")
    yield tmp_path / "programs"
    jk.config.set_program_cache()
    tuning._load()


def small(seed=0):
    jk.utils.set_random_seed(seed)
    layers = [jk.layers.Conv2D(3, 3, padding="same"), jk.layers.Flatten(), jk.layers.Dense(1)]
    model = jk.Sequential([jk.Input((5, 4, 2)), *layers])
    model.compile("sgd", "mse")
    return model


X, Y = np.random.default_rng(0).standard_normal((8, 5, 4, 2)).astype("float32"), np.ones((8, 1), "float32")


def trained(model):
    model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    return [model.predict(X, batch_size=4, verbose=0), *model.get_weights()]


def test_the_fastest_form_is_kept_and_used(cache, monkeypatch):
    usual = trained(small())
    raced = []

    def other(forms, usual, platform, args):
        raced.append(list(forms))
        return tuning.TunedForm(next(name for name in forms if name != usual), usual, 2.0)

    monkeypatch.setattr(tuning, "_measure", other)
    model = small()
    chosen = jk.utils.tune(model, X, Y, batch_size=4)
    im2col = {f"im2col.{name}_forward" for name in ("fused", "patch", "strip", "joined_strip")}
    assert {"reference.conv", "winograd.forward", "tap_products.plane_forward", *im2col} == set(raced[0])
    assert len(chosen) == len(raced) >= 2
    monkeypatch.setattr(tuning, "_measure", lambda *_: pytest.fail("it is known"))
    with tuning.measuring(60):
        for ours, theirs in zip(trained(model), usual):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)

    tuning._loaded_from = ()  # as in another process
    assert tuning.choose("none", "cpu", (), min, ()) is min
    assert "2.00 times as fast as" in repr(chosen) and "PyTreeDef" not in repr(chosen)
    kept = {key: choice.form for key, choice in chosen.items()}
    assert tuning._found == kept == json.loads(program_cache.load(tuning._file()))


def test_a_race_measures_all_forms_in_time(cache, monkeypatch):
    monkeypatch.setattr(tuning, "SECONDS", 1e-4)
    model = jk.Sequential([jk.Input((5, 4, 2)), jk.layers.Conv2D(3, 1)])
    model.compile("sgd", "mse")
    (key,) = (chosen := jk.utils.tune(model, X, batch_size=4))
    assert key.startswith("conv on cpu: float32[4, 5, 4, 2], float32[1, 1, 2, 3], ")
    forms = {f"im2col.{name}_forward" for name in ("pointwise", "fused", "patch")}
    assert chosen[key].form in {"reference.conv", *forms}
    assert jk.utils.tune(model, X, batch_size=2, seconds=0) == {}


def test_operations_are_measured_with_their_gradients(cache, monkeypatch):
    monkeypatch.setattr(tuning, "SECONDS", 1e-4)
    raced = {}
    race = tuning._race

    def counted(forms, usual, *rest):
        raced.setdefault(usual, set()).update(forms)
        return race(forms, usual, *rest)

    monkeypatch.setattr(tuning, "_race", counted)
    x = jk.Input((3, 4))
    y = jk.layers.LSTM(4, return_sequences=True)(x)
    y = jk.layers.MultiHeadAttention(2, 2)(y, y, attention_mask=x[..., :3] > 0)
    model = jk.Model(x, y)
    model.compile("sgd", "mse")
    chosen = jk.utils.tune(model, np.ones((2, 3, 4), "float32"), batch_size=2)
    usual = {"recurrent.lstm", "attention.attention"}
    assert raced == {name: {name, "reference." + name.partition(".")[2]} for name in usual}
    assert {key.split(" on ")[0] for key in chosen} == {"lstm", "attention"}
    assert not any(" at 0x" in key for key in chosen)  # found again by another process


def test_the_environment_turns_it_on(monkeypatch):
    for value, left in {"0": 0, "1": tuning.BUDGET}.items():
        monkeypatch.setattr(tuning, "_left", None)
        monkeypatch.setenv("JAXKERAS_TUNE", value)
        assert tuning._may_measure() is (left > 0) and tuning._left == left
