"""Compilations are counted: nothing is recompiled silently."""

import warnings

import jax
import numpy as np
import pytest

import jaxkeras as jk
from tests.compilations import counting

X = np.random.default_rng(0).normal(size=(70, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


def model():
    m = jk.Sequential(
        [jk.Input((4,)), jk.layers.Dense(4, activation="relu"), jk.layers.Dropout(0.1), jk.layers.Dense(1)]
    )
    m.compile("adam", "mse", metrics=["mae"])
    return m


def test_second_epoch_second_fit_and_a_new_learning_rate_compile_nothing():
    m = model()

    class FirstEpoch(jk.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.counter = counting()
                self.count = self.counter.__enter__()
                self.model.optimizer.learning_rate = 0.5

        def on_train_end(self, logs=None):
            self.counter.__exit__(None, None, None)

    callback = FirstEpoch()
    m.fit(X, Y, epochs=3, verbose=0, validation_data=(X, Y), callbacks=[callback])
    assert callback.count.value == 0
    with counting() as count:
        m.fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y))
        m.optimizer.learning_rate = 0.01
        m.fit(X, Y, epochs=1, verbose=0, validation_data=(X, Y))
    assert count.value == 0


def test_new_data_sizes_compile_only_the_ragged_batch():
    m = model()
    m.fit(X, Y, verbose=0)
    m.evaluate(X, Y, verbose=0)
    m.predict(X, verbose=0)
    with counting() as count:
        m.evaluate(X, Y, verbose=0)
        m.predict(X, verbose=0)
    assert count.value == 0
    big = np.tile(X, (5, 1))[: 32 * 8]
    m.predict(big, verbose=0)
    m.evaluate(big, np.tile(Y, (5, 1))[: 32 * 8], verbose=0)
    with counting() as count:
        m.predict(big[: 32 * 3], verbose=0)
    assert count.value <= 1


def test_other_lengths_share_programs_and_are_not_warned_about():
    m = model()
    x, y = np.tile(X, (2, 1)), np.tile(Y, (2, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rows in (32, 64, 96):  # the third makes room for 128
            m.fit(x[:rows], y[:rows], verbose=0)
        with counting() as count:
            m.fit(x[:128], y[:128], verbose=0)
        assert count.value == 0
        for rows in (1, 2, 35, 36):
            assert len(m.predict(x[:rows], verbose=0)) == rows


def test_nothing_compiles_after_precompile():
    m = model()
    m.get_weights()  # initialization compiles as well
    rows = (jax.ShapeDtypeStruct(X.shape, X.dtype), jax.ShapeDtypeStruct(Y.shape, Y.dtype))
    with counting() as before:
        programs = m.precompile(*rows)
    assert programs == before.value == 8  # loop and ragged batch for each of three modes; reset and read metrics
    with counting() as count:
        m.fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y))
        m.evaluate(X, Y, verbose=0)
        m.predict(X, verbose=0)
    assert count.value == 0
    with pytest.raises(ValueError, match="Unknown mode of precompile: 'train'"):
        m.precompile(*rows, modes=["train"])


def test_train_on_batch_compiles_once():
    m = model()
    m.train_on_batch(X[:32], Y[:32])
    with counting() as count:
        for _ in range(3):
            m.train_on_batch(X[:32], Y[:32])
    assert count.value == 0


def test_loops_of_any_length_share_one_program():
    """Calls of one or many steps run the same program; the ragged batch needs a second one."""
    m = model()
    m.fit(X, Y, epochs=1, verbose=0)
    assert m._session.train.count == 2


@pytest.mark.parametrize("frozen", [True])
def test_freezing_a_layer_after_compile_takes_effect(frozen):
    m = model()
    m.fit(X, Y, verbose=0)
    before = m.layers[0].kernel.numpy()
    m.layers[0].trainable = not frozen
    m.compile("sgd", "mse")
    m.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(before, m.layers[0].kernel.numpy())
