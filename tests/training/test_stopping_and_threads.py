"""Callbacks that stop evaluation or prediction, and prediction during `fit`."""

import threading

import numpy as np
import pytest

import jaxkeras as jk

X = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


def compiled():
    model = jk.Sequential([jk.Input((4,)), jk.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


class Stop(jk.callbacks.Callback):
    def on_test_batch_end(self, batch, logs=None):
        self.model.stop_evaluating = batch >= 2

    def on_predict_batch_end(self, batch, logs=None):
        self.model.stop_predicting = batch >= 2


def endless(item):
    while True:
        yield item


@pytest.mark.parametrize("again", [1, 2])
def test_callbacks_stop_endless_evaluation_and_prediction(again):
    model = compiled()
    for _ in range(again):
        loss = model.evaluate(endless((X, Y)), callbacks=[Stop()], verbose=0)
        outputs = model.predict(endless(X), callbacks=[Stop()], verbose=0)
    assert loss == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-5)
    assert outputs.shape == (3 * len(X), 1)


def test_predict_and_evaluate_from_a_thread_during_fit():
    model = compiled()
    model.fit(X, Y, verbose=0)
    model.predict(X, verbose=0)
    errors, answers, running, started = [], [], threading.Event(), threading.Event()

    def ask():
        while running.is_set():
            try:
                answers.append(model.predict(X, verbose=0))
                model.evaluate(X, Y, verbose=0)
            except Exception as error:
                errors.append(error)
            started.set()

    running.set()
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        while not started.is_set():  # at least one prediction during training
            model.fit(np.tile(X, (200, 1)), np.tile(Y, (200, 1)), epochs=2, batch_size=4, verbose=0)
    finally:
        running.clear()
        thread.join()
    assert not errors and answers
    assert all(np.isfinite(y).all() for y in answers)
    dense = model.layers[0]
    np.testing.assert_allclose(model.predict(X, verbose=0), X @ dense.kernel + dense.bias, rtol=1e-4, atol=1e-5)
