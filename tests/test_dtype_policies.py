"""Dtype policies by path, compared with Keras."""

import json
import os
import re

os.environ["KERAS_BACKEND"] = "numpy"
import jax
import keras
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.dtype_policies import DTypePolicyMap

ENTRIES = {"encoder/.*": "float16", "encoder/norm": "bfloat16", "encoder/a.*": "float32", "head": "mixed_bfloat16"}
PATHS = ("encoder", "encoder/norm", "encoder/query", "encoder/attention", "head", "head/dense", "a/head", "")


def both(default, entries):
    """The same map in jaxkeras and Keras."""
    ours = DTypePolicyMap(default, dict(entries))
    theirs = keras.dtype_policies.DTypePolicyMap(default)
    for path, policy in entries.items():
        theirs[path] = policy
    return ours, theirs


def name_or_error(policies, path):
    try:
        return policies[path].name
    except ValueError:
        return ValueError


def test_lookup_by_path_equals_keras():
    ours, theirs = both("float32", ENTRIES)
    found = [name_or_error(ours, path) for path in PATHS]
    assert found == [name_or_error(theirs, path) for path in PATHS]
    assert ValueError in found and len(set(found)) == 5
    with pytest.raises(ValueError, match=r"'encoder/attention' matches several .*\['encoder/\.\*', 'encoder/a\.\*'"):
        ours["encoder/attention"]


def test_map_is_a_mutable_mapping():
    ours, theirs = both("mixed_bfloat16", ENTRIES)
    for policies in (ours, theirs):
        assert list(policies) == list(ENTRIES) and len(policies) == 4
        assert "head" in policies and "head/dense" not in policies
        assert policies.pop("head").name == "mixed_bfloat16" and len(policies) == 3
        with pytest.raises(KeyError):
            del policies["head"]
        with pytest.raises(ValueError):
            policies["encoder/norm"] = "float32"
        with pytest.raises(ValueError):
            policies["other"] = "no_such_policy"
    for attribute in ("name", "variable_dtype", "compute_dtype", "quantization_mode"):
        assert getattr(ours, attribute) == getattr(theirs, attribute), attribute


def test_invalid_entries_raise():
    with pytest.raises(ValueError, match="must be a single policy"):
        DTypePolicyMap(DTypePolicyMap())
    with pytest.raises(TypeError, match="must be a dict"):
        DTypePolicyMap(None, [("head", "float32")])
    policies = DTypePolicyMap(None, {"head": "float32"})
    with pytest.raises(ValueError, match=r"entry for 'head' already.*del policies\['head'\]"):
        policies["head"] = "bfloat16"
    with pytest.raises(ValueError, match="must be a path or a regular expression.*re.escape"):
        policies["encoder/*("] = "bfloat16"
    with pytest.raises(ValueError, match="value for 'tail'.*'no_such'"):
        policies["tail"] = "no_such"
    with pytest.raises(ValueError, match="quantized weights, which jaxkeras does not have yet"):
        policies["tail"] = "int8_from_float32"


@pytest.mark.parametrize("name", ["int8_from_float32", "float8_from_float32", "gptq/4/128_from_float32"])
def test_quantized_policies_are_not_supported(name):
    config = keras.dtype_policies.serialize(keras.dtype_policies.get(name))
    for make in (
        lambda: jk.layers.Dense(1, dtype=name),
        lambda: jk.layers.Dense(1, dtype=config),
        lambda: DTypePolicyMap.from_config({"default_policy": "float32", "policy_map": {"dense": config}}),
    ):
        with pytest.raises(ValueError, match="quantized weights, which jaxkeras does not have yet"):
            make()


def test_equality_is_by_content():
    assert DTypePolicyMap("float32", ENTRIES) == DTypePolicyMap(jk.DTypePolicy("float32"), ENTRIES)
    assert DTypePolicyMap("float32", ENTRIES) != DTypePolicyMap("float32")
    assert DTypePolicyMap("float32") != jk.DTypePolicy("float32")
    # As in Keras, where FloatDTypePolicy is an alias.
    assert jk.DTypePolicy("float16") == jk.FloatDTypePolicy("float16") != jk.DTypePolicy("float32")
    assert repr(jk.FloatDTypePolicy("float16")) == repr(keras.FloatDTypePolicy("float16"))
    shown = repr(DTypePolicyMap("float16", {"a": "float32"}))
    assert shown == "<DTypePolicyMap default_policy=float16, mapping=[('a', 'float32')]>"


@pytest.mark.parametrize("default", ["float16", None])
def test_configs_equal_keras(default):
    ours, theirs = both(default, ENTRIES)
    config = jk.dtype_policies.serialize(ours)
    config = json.loads(json.dumps(config))
    if default is not None:  # otherwise Keras drops the names of all policies
        assert config == keras.dtype_policies.serialize(theirs)
    for policies in (
        jk.dtype_policies.deserialize(config), jk.dtype_policies.get(config),
        DTypePolicyMap.from_config(config["config"]), keras.dtype_policies.get(config),
    ):  # fmt: skip
        assert {path: policy.name for path, policy in policies.items()} == ENTRIES
        assert policies.default_policy.name == (default or "float32")
    assert jk.dtype_policies.get(ours) is ours


def test_missing_default_uses_the_global_policy():
    config = DTypePolicyMap(None, {"a": "float32"}).get_config()
    jk.config.set_dtype_policy("bfloat16")
    try:
        assert DTypePolicyMap.from_config(config).default_policy.name == "bfloat16"
    finally:
        jk.config.set_dtype_policy("float32")


def model_of(K, dtype=None):
    """A model with nested layers."""
    x = K.layers.Input((4, 6), name="x")
    y = K.layers.Dense(6, dtype=dtype, name="first")(x)
    y = K.layers.MultiHeadAttention(2, 3, dtype=dtype, name="attention")(y, y)
    y = K.layers.LayerNormalization(dtype=dtype, name="norm")(y)
    y = K.layers.Bidirectional(K.layers.GRU(3, dtype=dtype, name="gru"), name="both", dtype=dtype)(y)
    stack = [K.layers.Dense(5, "relu", dtype=dtype, name="inner"), K.layers.Dense(2, dtype=dtype, name="last")]
    return K.Model(x, K.Sequential(stack, name="stack")(y), name="model")


POLICIES = {
    "first": "mixed_float16", "attention/.*": "float16", "attention/query": "float32", "norm": "float16",
    "(both/)?forward_gru": "mixed_float16", "(.*/)?inner": "float16",
}  # fmt: skip


def types(model):
    """Compute and variable dtypes of each layer of a model."""
    found = {}
    for layer in model._flatten_layers():
        if layer.weights and layer.path is not None:
            found[layer.path] = (layer.compute_dtype, layer.variable_dtype, {w.dtype for w in layer._own_weights()})
    return found


@pytest.fixture
def oracle(monkeypatch):
    """Define `_own_weights` for the layers of both libraries."""
    monkeypatch.setattr(keras.Layer, "_own_weights", lambda layer: layer._trainable_variables, raising=False)
    monkeypatch.setattr(jk.Layer, "_own_weights", lambda layer: layer._own_variables(), raising=False)


def test_layer_policies_follow_paths_as_in_keras(oracle):
    ours, theirs = both("float32", POLICIES)
    assert types(model_of(jk, ours)) == types(model_of(keras, theirs))


def test_global_map_applies_to_all_layers_as_in_keras(oracle):
    ours, theirs = both("float32", POLICIES)
    jk.config.set_dtype_policy(ours)
    keras.config.set_dtype_policy(theirs)
    try:
        found = types(model_of(jk))
        assert found == types(model_of(keras))
        assert jk.config.dtype_policy() is ours and jk.DTypePolicy().name == "float32"
        assert DTypePolicyMap().default_policy.name == "float32"
    finally:
        jk.config.set_dtype_policy("float32")
        keras.config.set_dtype_policy("float32")
    assert found["attention/key"] == ("float16", "float16", {"float16"})
    assert found["attention/query"] == ("float32", "float32", {"float32"})
    assert found["first"] == ("float16", "float32", {"float32"})
    assert found["stack/inner"] == ("float16", "float16", {"float16"})


def close(ours, theirs):
    """Assert equality to 16-bit precision, in which most layers compute."""
    np.testing.assert_allclose(np.asarray(ours, "float32"), np.asarray(theirs, "float32"), rtol=0, atol=5e-3)


def test_files_are_exchanged_with_keras(oracle, tmp_path):
    x = np.random.default_rng(0).normal(size=(3, 4, 6)).astype("float32")
    ours = model_of(jk, DTypePolicyMap("float32", POLICIES))
    ours.save(tmp_path / "ours.keras")
    theirs = keras.saving.load_model(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    again = jk.saving.load_model(tmp_path / "theirs.keras")
    itself = jk.saving.load_model(tmp_path / "ours.keras")
    assert types(again) == types(itself) == types(ours)
    # Loaded Keras layers get other paths, for which the expressions allow.
    assert sorted(types(theirs).values(), key=str) == sorted(types(ours).values(), key=str)
    y = np.asarray(ours(x), "float32")
    np.testing.assert_array_equal(np.asarray(itself(x), "float32"), y)
    np.testing.assert_array_equal(np.asarray(again(x), "float32"), y)
    close(y, theirs(x))
    assert itself.get_layer("first").dtype_policy == DTypePolicyMap("float32", POLICIES)


def test_loaded_and_cloned_sequential_keep_layer_paths(tmp_path):
    policies = DTypePolicyMap("float32", {"outer/inner/dense": "float16"})
    inner = jk.Sequential([jk.layers.Dense(2, dtype=policies, name="dense")], name="inner")
    model = jk.Sequential([jk.layers.Input((3,)), inner], name="outer")
    model.save(tmp_path / "model.keras")
    for copy in (model, jk.saving.load_model(tmp_path / "model.keras"), jk.models.clone_model(model)):
        assert copy.layers[0].layers[0].path == "outer/inner/dense"
        assert copy.weights[0].dtype == "float16"


def test_first_call_already_casts_inputs_by_path():
    layer = jk.layers.Dense(2, dtype=DTypePolicyMap("float32", {"dense": "float16"}), name="dense")
    x = np.ones((1, 3), "float32")
    assert layer.compute_dtype == "float32"  # it has no path yet
    assert layer(x).dtype == layer(x).dtype == layer.compute_dtype == "float16"


def test_setting_a_layers_policy_changes_the_entry_of_its_path():
    policies = DTypePolicyMap("float32", {"a": "float32", ".*b": "bfloat16"})
    a, b = (jk.layers.Dense(2, dtype=policies, name=name) for name in "ab")
    a.build((None, 3))
    a.dtype_policy = "mixed_float16"
    assert a.dtype_policy is policies and a.compute_dtype == "float16" and policies["a"].name == "mixed_float16"
    b.dtype_policy = "float16"  # it has no path yet
    assert b.dtype_policy == jk.DTypePolicy("float16") and len(policies) == 2
    other = DTypePolicyMap("bfloat16")
    a.dtype_policy = other
    assert a.dtype_policy is other and a.compute_dtype == "bfloat16"


def test_model_trains_with_policies_by_path():
    policies = DTypePolicyMap("float32", {".*/inner": "mixed_bfloat16"})
    layers = [jk.layers.Dense(4, name="inner", dtype=policies), jk.layers.Dense(1, dtype=policies)]
    model = jk.Sequential([jk.layers.Input((3,)), *layers], name="stack")
    model.compile("sgd", "mse")
    before = [w.numpy() for w in model.weights]
    model.fit(np.ones((4, 3), "float32"), np.ones((4, 1), "float32"), verbose=0)
    assert all((w.numpy() != old).any() for w, old in zip(model.weights, before))
    x = np.ones((1, 3), "float32")
    jaxpr = str(jax.make_jaxpr(lambda p, x: model.apply(p, model.state, x)[0])(model.params, x))
    assert re.search(r"bf16\[1,4\] = dot_general", jaxpr) and re.search(r"f32\[1,1\] = dot_general", jaxpr)
