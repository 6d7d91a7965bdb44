"""Contracts for every row of the layer tables: purity, leaks, jit, shapes, configs, 16-bit policies, vmap."""

import importlib
import inspect
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras import registry
from jaxkeras.core.symbolic import KerasTensor
from tests.contract.computed import ROWS, TABLES, arrays, compute, computed_rows, eager, fill, is_float, keywords
from tests.saving import zoo


def test_every_public_layer_has_a_row():
    abstract = {"Layer", "Wrapper", "InputLayer"}  # base classes, and the start of a graph
    classes = [c for c in (getattr(jk.layers, name) for name in dir(jk.layers)) if inspect.isclass(c)]
    public = {c.__name__ for c in classes if issubclass(c, jk.layers.Layer)}
    assert public - abstract - {type(row.make()).__name__ for row in ROWS} == set()


@pytest.mark.parametrize("row", computed_rows(), ids=str)
def test_apply_is_pure_and_equal_under_jit(row):
    done = compute(row)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), eager(row), done.training)
    for a, v in zip(done.before, done.layer.variables):
        np.testing.assert_array_equal(a, np.asarray(v.cell()), err_msg=v.path)


@pytest.mark.parametrize("row", computed_rows(lambda row: row.grad), ids=str)
def test_gradients_are_finite_and_have_the_shapes_of_the_weights(row):
    done = compute(row)
    assert jax.tree.map(jnp.shape, done.grads[0]) == jax.tree.map(jnp.shape, done.params)
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(done.grads))


@pytest.mark.parametrize("row", computed_rows(lambda row: row.vmap), ids=str)
def test_vmap_adds_a_leading_axis(row):
    done = compute(row)
    stacked = jax.tree.map(lambda a: jnp.stack([a, a]), done.x)
    many = jax.eval_shape(jax.vmap(lambda x: done.train(done.params, done.state, x)[0]), stacked)
    assert [m.shape for m in jax.tree.leaves(many)] == [(2, *o.shape) for o in jax.tree.leaves(done.training[0])]


@pytest.mark.parametrize("row", computed_rows(), ids=str)
def test_inferred_shape_equals_the_computed_one(row):
    # Inference with an unknown batch size must agree with the actual computation.
    x = fill(row, lambda shape: KerasTensor((None, *shape[1:]), row.dtype))
    inferred = jax.tree.leaves(row.make()(*x, **row.call_kwargs))
    real = jax.tree.leaves(compute(row).inference)
    assert len(inferred) == len(real)
    for a, b in zip(inferred, real):
        assert len(a.shape) == b.ndim and a.dtype == b.dtype.name
        assert all(m in (None, n) for m, n in zip(a.shape, b.shape)), (a.shape, b.shape)
        assert None not in a.shape[1:], a.shape


@pytest.mark.parametrize("row", computed_rows(), ids=str)
def test_layer_accepts_any_batch_size(row):
    done = compute(row)
    longer = jax.tree.map(lambda a: jax.ShapeDtypeStruct((a.shape[0] + 3, *a.shape[1:]), a.dtype), done.x)
    y = jax.eval_shape(lambda x: done.layer.apply(done.params, done.state, *x, **row.call_kwargs)[0], longer)
    expected = [(b.shape[0] + 3, *b.shape[1:]) for b in jax.tree.leaves(done.inference)]
    assert [a.shape for a in jax.tree.leaves(y)] == expected


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_config_round_trip(row):
    layer = row.make()
    config = json.loads(json.dumps(registry.serialize(layer)))
    again = registry.deserialize(config)
    assert type(again) is type(layer)
    assert json.loads(json.dumps(registry.serialize(again))) == config


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float16"])
@pytest.mark.parametrize("row", computed_rows(lambda row: row.mixed), ids=str)
def test_16_bit_policies_compute_in_16_bits(row, policy):
    usual = jk.config.dtype_policy()
    jk.config.set_dtype_policy(policy)
    try:
        layer = row.make()
        y = jax.eval_shape(lambda *x: layer(*x, **keywords(row)), *arrays(row))
    finally:
        jk.config.set_dtype_policy(usual)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(y) if is_float(leaf)} <= {policy.removeprefix("mixed_")}
    expected = "float32" if policy.startswith("mixed") else "float16"
    # LoRA factors stay in float32, as in Keras.
    types = {v.name: v._dtype for v in layer.weights if "lora" not in v.name}
    assert set(types.values()) <= {expected, "uint32", "int32"}, types


WITH_FILES = [
    table for table in TABLES
    if table.removesuffix("_table") not in zoo.FAMILIES
    and any(row.keras_file and not row.host for row in importlib.import_module(f"tests.contract.{table}").ROWS)
]  # fmt: skip


@pytest.mark.parametrize("table", WITH_FILES)
def test_save_and_load_the_layers_of_a_table(table, tmp_path):
    # tests/saving exchanges the other tables with Keras.
    model, _ = zoo.family(table.removesuffix("_table"))
    model.save(tmp_path / "it.keras")
    again = jk.saving.load_model(tmp_path / "it.keras")
    assert json.dumps(again.get_config()) == json.dumps(model.get_config())
    for a, b in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=b.path)


@pytest.mark.parametrize("row", [r for r in ROWS if r.host], ids=str)
def test_save_and_load_a_host_layer(row, tmp_path):
    inputs = fill(row, lambda shape: jk.Input(shape[1:], dtype=row.dtype))
    model = jk.Model(inputs[0], row.make()(*inputs))
    model.save(tmp_path / "it.keras")
    again = jk.saving.load_model(tmp_path / "it.keras")
    np.testing.assert_array_equal(again(*arrays(row)), model(*arrays(row)))


def test_families_of_the_saving_tests_are_tables():
    assert {f"{name}_table" for name in zoo.FAMILIES} <= set(TABLES)
    assert all(importlib.import_module(f"tests.contract.{table}").ROWS for table in TABLES)
