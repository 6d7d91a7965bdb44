"""Global settings."""

import os
import subprocess
import sys
import traceback
import warnings

import jax
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras import config
from jaxkeras.core import config as core_config

X, Y = np.ones((20, 2), "float32"), np.ones((20, 1), "float32")


def make():
    model = jk.Sequential([jk.Input((2,)), jk.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


class Count(jk.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.train = self.test = self.predict = 0

    def on_train_batch_end(self, batch, logs=None):
        self.train += 1

    def on_test_batch_end(self, batch, logs=None):
        self.test += 1

    def on_predict_batch_end(self, batch, logs=None):
        self.predict += 1


def test_max_epochs_caps_fit():
    model = make()
    config.set_max_epochs(2)
    try:
        assert config.max_epochs() == 2
        with pytest.warns(UserWarning, match=r"Only 2 of 5 epochs run"):
            assert len(model.fit(X, Y, epochs=5, verbose=0).epoch) == 2
        assert len(model.fit(X, Y, epochs=1, verbose=0).epoch) == 1
    finally:
        config.set_max_epochs(None)


def test_max_steps_per_epoch_caps_all_methods():
    model, count = make(), Count()
    config.set_max_steps_per_epoch(2)
    try:
        model.fit(X, Y, batch_size=4, epochs=2, verbose=0, callbacks=[count])
        model.evaluate(X, Y, batch_size=4, verbose=0, callbacks=[count])
        outputs = model.predict(X, batch_size=4, verbose=0, callbacks=[count])
        assert (count.train, count.test, count.predict, len(outputs)) == (4, 2, 2, 8)
        count.train = 0
        model.fit(((X[:4], Y[:4]) for _ in range(5)), verbose=0, callbacks=[count])
        model.fit(((X[:4], Y[:4]) for _ in range(1)), verbose=0, callbacks=[count])
        assert count.train == 3
    finally:
        config.set_max_steps_per_epoch(None)


@pytest.mark.parametrize("setter", [config.set_max_epochs, config.set_max_steps_per_epoch])
def test_invalid_limit_raises(setter):
    for wrong in (0, -1, 1.5, "many"):
        with pytest.raises(ValueError, match="must be a positive integer, or None for no limit"):
            setter(wrong)


def test_limits_are_read_from_the_environment():
    code = "from jaxkeras import config; print(config.max_epochs(), config.max_steps_per_epoch())"
    environment = {**os.environ, "KERAS_MAX_EPOCHS": "3", "KERAS_MAX_STEPS_PER_EPOCH": "7"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert run.stdout.split() == ["3", "7"]


def frames():
    with pytest.raises(ValueError) as caught:
        make().fit(X, Y[:3], verbose=0)
    return [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


def test_traceback_filtering_can_be_disabled():
    assert config.is_traceback_filtering_enabled()
    assert "same_rows" not in frames()
    config.disable_traceback_filtering()
    try:
        assert not config.is_traceback_filtering_enabled() and "same_rows" in frames()
    finally:
        config.enable_traceback_filtering()


def test_jax_is_the_only_backend():
    config.set_backend("jax")
    assert config.backend() == "jax"
    with pytest.raises(ValueError, match="runs on JAX only"):
        config.set_backend("torch")


def test_unsafe_deserialization_warns_and_executes_nothing():
    code = {"class_name": "__lambda__", "config": {"code": "4wA=", "defaults": None, "closure": None}}
    with pytest.warns(UserWarning, match="code in a file is never executed"):
        config.enable_unsafe_deserialization()
    with pytest.raises(ValueError, match="never executed"):
        jk.saving.deserialize_keras_object(code, safe_mode=False)


@pytest.fixture
def flash_setting():
    before = config.is_flash_attention_enabled()
    yield
    core_config._flash_attention = before


def in_blocks(**options):
    """Whether an attention layer loops over blocks of targets for a sequence longer than one block."""
    layer = jk.layers.MultiHeadAttention(1, 2, **options)
    x = jax.ShapeDtypeStruct((1, 300, 2), "float32")
    params, state = jax.eval_shape(lambda: layer.init(0, x, x))
    return "scan" in str(jax.make_jaxpr(lambda p, x: layer.apply(p, state, x, x)[0])(params, x))


def test_flash_attention_setting(flash_setting):
    assert config.is_flash_attention_enabled() is None
    assert not in_blocks() and in_blocks(flash_attention=True)
    config.enable_flash_attention()
    assert config.is_flash_attention_enabled() is True
    assert in_blocks() and not in_blocks(flash_attention=False)
    config.disable_flash_attention()
    assert config.is_flash_attention_enabled() is False
    assert not in_blocks() and in_blocks(flash_attention=True)


def test_float64_without_x64_warns_once_and_reports_actual_dtypes():
    if jax.config.jax_enable_x64:
        pytest.skip("64 bits are on")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            jk.config.set_floatx("float64")
            layer = jk.layers.Dense(2)
            y, v = layer(np.ones((3, 4), "float32")), jk.Variable([1.0, 2.0])
        assert [str(w.message)[:22] for w in caught] == ['set_floatx("float64"):']
        assert jk.config.floatx() == "float64"
        for reported, there in (
            (layer.dtype, y.dtype), (layer.compute_dtype, y.dtype), (layer.kernel.dtype, layer.kernel.value.dtype),
            (v.dtype, v.value.dtype), (jk.Input((3,)).dtype, y.dtype),
        ):  # fmt: skip
            assert reported == there == "float32"
    finally:
        jk.config.set_floatx("float32")
