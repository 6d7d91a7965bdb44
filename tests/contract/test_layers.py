"""One table of layers feeds every contract: purity, leaks, jit equals eager, shapes, configs, 16-bit policies, vmap."""

import importlib
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeras import registry
from jaxkeras.core.symbolic import KerasTensor

TABLES = sorted(p.stem for p in pathlib.Path(__file__).parent.glob("*_table.py"))
ROWS = [row for table in TABLES for row in importlib.import_module(f"tests.contract.{table}").ROWS]
DEVICE = [row for row in ROWS if not row.host]


def is_shape(s):
    return isinstance(s, tuple) and all(isinstance(n, int) for n in s)


def positional(inputs):
    """The positional arguments: a tuple of shapes is several, a list or dict is one nested argument."""
    return inputs if isinstance(inputs, tuple) and not is_shape(inputs) else (inputs,)


def fill(row, make):
    return jax.tree.map(make, positional(row.inputs), is_leaf=is_shape)


def arrays(row):
    rng = np.random.default_rng(0)

    def make(shape):
        if row.dtype.startswith("int"):
            return jnp.asarray(rng.integers(0, row.high, shape), row.dtype)
        return jnp.asarray(rng.normal(size=shape), row.dtype)

    return fill(row, make)


def keywords(row):
    if not row.mask:
        return row.call_kwargs
    shape = positional(row.inputs)[0]
    shape = shape if is_shape(shape) else jax.tree.leaves(shape, is_leaf=is_shape)[0]
    steps = np.arange(np.prod(shape[:2])).reshape(shape[:2])
    return {**row.call_kwargs, "mask": jnp.asarray(steps % 3 > 0)}


def ready(row):
    layer, x = row.make(), arrays(row)
    params, state = layer.init(jax.random.key(0), *x)
    return layer, x, params, state


@pytest.mark.parametrize("row", DEVICE, ids=str)
def test_apply_is_pure_and_the_same_under_jit(row):
    layer, x, params, state = ready(row)
    before = [np.asarray(v.cell()) for v in layer.variables]

    def f(params, state, x):
        return layer.apply(params, state, *x, training=True, rng=jax.random.key(1), **keywords(row))

    with jax.checking_leaks():
        traced = jax.jit(f)(params, state, x)
    eager = f(params, state, x)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), eager, traced)
    for a, v in zip(before, layer.variables):
        np.testing.assert_array_equal(a, np.asarray(v.cell()), err_msg=v.path)


@pytest.mark.parametrize("row", DEVICE, ids=str)
def test_gradients_and_vmap_trace_without_leaks(row):
    layer, x, params, state = ready(row)

    def outputs(params, x):
        return layer.apply(params, state, *x, training=True, rng=jax.random.key(1), **keywords(row))[0]

    def loss(params, x):
        return sum(jnp.sum(jnp.sin(y)) for y in jax.tree.leaves(outputs(params, x)))

    with jax.checking_leaks():
        if row.grad:
            grads = jax.eval_shape(jax.grad(loss), params, x)
            assert jax.tree.structure(grads) == jax.tree.structure(params)
        if row.vmap:
            stacked = jax.tree.map(lambda a: jnp.stack([a, a]), x)
            many = jax.eval_shape(jax.vmap(outputs, (None, 0)), params, stacked)
            one = jax.eval_shape(outputs, params, x)
            assert [m.shape for m in jax.tree.leaves(many)] == [(2, *o.shape) for o in jax.tree.leaves(one)]


@pytest.mark.parametrize("row", DEVICE, ids=str)
def test_the_inferred_shape_is_the_real_one(row):
    layer = row.make()
    # The oracle of shapes is the computation itself: the size of the batch unknown, and the rest known.
    x = fill(row, lambda shape: KerasTensor((None, *shape[1:]), row.dtype))
    kwargs = {k: v for k, v in keywords(row).items() if k != "mask"}
    inferred = jax.tree.leaves(layer(*x, **kwargs))
    real = jax.tree.leaves(row.make()(*arrays(row), **kwargs))
    assert len(inferred) == len(real)
    for a, b in zip(inferred, real):
        assert len(a.shape) == b.ndim and a.dtype == b.dtype.name
        assert all(m in (None, n) for m, n in zip(a.shape, b.shape)), (a.shape, b.shape)
        assert None not in a.shape[1:], a.shape


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_config_makes_an_equal_layer(row):
    layer = row.make()
    config = json.loads(json.dumps(registry.serialize(layer)))
    again = registry.deserialize(config)
    assert type(again) is type(layer)
    assert json.loads(json.dumps(registry.serialize(again))) == config


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float16"])
@pytest.mark.parametrize("row", [r for r in DEVICE if r.mixed and r.dtype == "float32"], ids=str)
def test_sixteen_bit_policies_compute_in_sixteen_bits(row, policy):
    made = row.make()
    config = made.get_config()
    if "layer" in config or "cell" in config or "forward_layer" in config:
        pytest.skip("a wrapper computes in the type of what it wraps")
    config["dtype"] = policy
    layer = type(made).from_config(config)
    kwargs = keywords(row)
    y = jax.eval_shape(lambda *x: layer(*x, **kwargs), *arrays(row))
    floating = [leaf.dtype for leaf in jax.tree.leaves(y) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    assert all(d == layer.compute_dtype for d in floating), floating
    expected = "float32" if policy.startswith("mixed") else "float16"
    # The factors of a low-rank adaptation stay in float32, as in Keras.
    types = {v.name: v._dtype for v in layer.weights if "lora" not in v.name}
    assert set(types.values()) <= {expected, "uint32", "int32"}, types
