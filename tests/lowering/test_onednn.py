"""Convolutions by oneDNN: equal to the reference, and only in programs that are neither stored nor exported."""

import platform
import sys
from unittest.mock import patch

import jax
import jax.export
import jax.numpy as jnp
import jaxlib
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras import lowering
from jaxkeras.core.context import setting
from jaxkeras.lowering import dispatch
from jaxkeras.lowering.cpu import onednn
from jaxkeras.training import compiled_function

TESTED = onednn.FIRST <= tuple(map(int, jaxlib.__version__.split(".")[:2])) < onednn.BEFORE
HERE = sys.platform == "linux" and platform.machine() == "x86_64" and TESTED
needs_it = pytest.mark.skipif(not HERE, reason="this build of jaxlib has no oneDNN, or is not one that was tested")
CALL = "__onednn$convolution"
CASES = {
    "3x3": ((32, 16, 16, 24), 48, (3, 3), {}),
    "3x3 with stride 2": ((32, 28, 28, 24), 32, (3, 3), {"strides": 2}),
    "strides and padding that differ by axis": ((16, 17, 40, 24), 32, (3, 5), {"strides": (1, 3), "padding": "valid"}),
    "dilated": ((16, 20, 20, 32), 32, (3, 3), {"dilation_rate": 2}),
    "first layer": ((32, 28, 28, 3), 24, (3, 3), {}),
    "1x1": ((32, 16, 16, 48), 24, (1, 1), {}),
    "one dimension, causal": ((32, 128, 32), 64, (2,), {"dilation_rate": 4, "padding": "causal"}),
    "three dimensions": ((4, 8, 8, 8, 16), 32, (3, 3, 3), {}),
    "channels first": ((32, 24, 16, 16), 48, (3, 3), {"data_format": "channels_first"}),
    "two groups": ((32, 16, 16, 48), 64, (3, 3), {"groups": 2}),
}


def data(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, "float32")


def lowered(f, *args, ephemeral=True):
    """The program of a function that is evaluated."""

    def run(*args):
        with setting(ephemeral=ephemeral):
            return f(*args)

    return jax.jit(run).lower(*args)


def referenced(f, *args):
    with patch.object(dispatch, "wants_reference", lambda: True):
        return jax.jit(lambda *args: f(*args))(*args)


def test_tested_builds_for_linux_have_it():
    assert onednn.available() == HERE


@needs_it
@pytest.mark.parametrize("name", CASES)
def test_values(name):
    shape, filters, window, options = CASES[name]
    options = {"padding": "same", **options}
    channels = shape[1] if options.get("data_format") == "channels_first" else shape[-1]
    x, kernel = data(*shape), data(*window, channels // options.get("groups", 1), filters, seed=1)
    program = lowered(lambda x, kernel: lowering.conv(x, kernel, **options), x, kernel)
    assert CALL in program.as_text()
    expected = referenced(lambda x, kernel: lowering.conv(x, kernel, **options), x, kernel)
    np.testing.assert_allclose(program.compile()(x, kernel), expected, rtol=1e-4, atol=2e-4)


@needs_it
@pytest.mark.parametrize("options", [{}, {"strides": 2}, {"dilation_rate": 2, "padding": "valid"}])
def test_depthwise_values(options):
    x, kernel = data(32, 16, 16, 48), data(5, 5, 48, 1, seed=1)
    options = {"padding": "same", **options}
    program = lowered(lambda x, kernel: lowering.depthwise_conv(x, kernel, **options), x, kernel)
    assert CALL in program.as_text()
    expected = referenced(lambda x, kernel: lowering.depthwise_conv(x, kernel, **options), x, kernel)
    np.testing.assert_allclose(program.compile()(x, kernel), expected, rtol=1e-4, atol=1e-4)


@needs_it
def test_nan_and_infinity_stay_in_their_windows():
    x, kernel = data(16, 16, 16, 24), data(3, 3, 24, 48, seed=1)
    x[3, 5, 5, 0], x[4, 0, 0, 1] = np.nan, np.inf
    found = np.asarray(lowered(lambda x: lowering.conv(x, kernel, padding="same"), x).compile()(x))
    assert not np.isfinite(found[3, 4:7, 4:7]).any() and not np.isfinite(found[4, :2, :2]).any()
    assert np.isfinite(found).sum() == found.size - (9 + 4) * 48


BLOCK = data(3, 3, 24, 24, seed=1)
X = data(16, 16, 16, 24)


def block(x):
    return lowering.conv(x, BLOCK, padding="same")


def evaluated(x):
    with setting(ephemeral=True):
        return block(x)


def exported(f, x=X):
    return jax.export.export(jax.jit(f))(x).mlir_module()


def exported_after_a_trace_in_evaluation():
    inner = jax.jit(block)
    assert CALL in lowered(inner, X).as_text()
    return exported(inner)


def of_any_size():
    return jax.ShapeDtypeStruct((jax.export.symbolic_shape("rows")[0], *X.shape[1:]), "float32")


ELSEWHERE = {
    "not evaluated by a model": lambda: lowered(block, X, ephemeral=False).as_text(),
    "a gradient": lambda: lowered(jax.grad(lambda x: jnp.sum(jnp.sin(block(x)))), X).as_text(),
    "a derivative": lambda: lowered(lambda x: jax.jvp(block, (x,), (x,)), X).as_text(),
    "vmap": lambda: lowered(jax.vmap(block), X[None]).as_text(),
    "16-bit numbers": lambda: lowered(lambda x: lowering.conv(x, jnp.bfloat16(BLOCK)), jnp.bfloat16(X)).as_text(),
    "few multiplications": lambda: lowered(block, X[:1, :8]).as_text(),
    "an export": lambda: exported(evaluated),
    "an export for any batch size": lambda: exported(evaluated, of_any_size()),
    "an export of what was traced in evaluation": exported_after_a_trace_in_evaluation,
}


@needs_it
@pytest.mark.parametrize("where", ELSEWHERE)
def test_it_is_not_called(where):
    assert CALL in lowered(block, X).as_text()
    text = ELSEWHERE[where]()
    assert "stablehlo" in text and CALL not in text


# -- in a model ----------------------------------------------------------------------------------------------------
@pytest.fixture
def programs(monkeypatch, tmp_path):
    """The programs that models compile, and which of them are stored."""
    jk.config.set_program_cache(tmp_path)
    found, key_of = {}, compiled_function._key

    def noted(lowered, devices):
        key = key_of(lowered, devices)
        found[lowered.as_text()] = key is not None
        return key

    monkeypatch.setattr(compiled_function, "_key", noted)
    yield found
    jk.config.set_program_cache()


def model():
    jk.utils.set_random_seed(0)
    layers = [jk.layers.Conv2D(24, 3, padding="same", activation="relu"), jk.layers.GlobalAveragePooling2D()]
    model = jk.Sequential([jk.Input(X.shape[1:]), *layers, jk.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


Y = data(16, 1, seed=2)


@needs_it
def test_models_are_evaluated_by_it_and_trained_without(programs):
    ours = model()
    expected = np.asarray(ours(X))
    np.testing.assert_allclose(ours.predict(X, verbose=0), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ours.evaluate(X, Y, verbose=0), np.mean((expected - Y) ** 2), rtol=1e-5)
    before = set(programs)
    ours.fit(X, Y, verbose=0)
    ours.train_on_batch(X, Y)
    assert [stored for text, stored in programs.items() if CALL in text] == [False, False]
    assert len(set(programs) - before) >= 2 and all(programs[text] for text in set(programs) - before)
    assert CALL not in jax.jit(ours).lower(X).as_text()


def test_not_where_jax_stores_programs(programs, tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "jax"))
    try:
        predicted = model().predict(X, verbose=0)
    finally:
        jax.config.update("jax_compilation_cache_dir", None)
    assert programs and not any(CALL in text for text in programs)
    np.testing.assert_allclose(model().predict(X, verbose=0), predicted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["run_eagerly", "disable_jit", "debug_nans"])
def test_modes_that_run_op_by_op(mode):
    ours = model()
    ours.compile("sgd", "mse", run_eagerly=mode == "run_eagerly")
    with jax.disable_jit(mode == "disable_jit"), jax.debug_nans(mode == "debug_nans"):
        np.testing.assert_allclose(ours.predict(X, verbose=0), np.asarray(ours(X)), rtol=1e-5, atol=1e-5)


def test_many_threads():
    from concurrent.futures import ThreadPoolExecutor

    ours = model()
    expected = ours.predict(X, verbose=0)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: ours.predict(X, verbose=0), range(12)):
            np.testing.assert_array_equal(found, expected)


@needs_it
def test_other_versions_of_jaxlib_do_without(monkeypatch):
    monkeypatch.setattr(onednn.jaxlib, "__version__", "0.99.0")
    onednn.available.cache_clear()
    try:
        assert not onednn.available() and CALL not in lowered(block, X).as_text()
    finally:
        monkeypatch.undo()
        onednn.available.cache_clear()
    assert onednn.available()
