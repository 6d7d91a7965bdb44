"""Fused, k-step, single-step and eager runs give the same results."""

import functools

import jax
import numpy as np
import pytest

import jaxkeras as jk
from tests.cases import by_default

ROWS = 37  # with batches of 8, a ragged last one


def dense():
    return jk.Sequential(
        [jk.Input((6,)), jk.layers.Dense(8, activation="relu"), jk.layers.BatchNormalization(),
         jk.layers.Dropout(0.3), jk.layers.Dense(3, activation="softmax")]
    )  # fmt: skip


def convolutional():
    return jk.Sequential(
        [jk.Input((6,)), jk.layers.Reshape((6, 1)), jk.layers.Conv1D(4, 3, activation="relu"),
         jk.layers.MaxPooling1D(2), jk.layers.Flatten(), jk.layers.Dense(3, activation="softmax")]
    )  # fmt: skip


def recurrent():
    return jk.Sequential(
        [jk.Input((6,)), jk.layers.Reshape((3, 2)), jk.layers.LSTM(4), jk.layers.Dense(3, activation="softmax")]
    )


class EveryBatch(jk.callbacks.Callback):
    """Sees every batch, which prevents fusing."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(batch)


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 6)).astype("float32")
    return x, (x[:, 0] > 0).astype("int32") + (x[:, 1] > 0.5)


def run(make, how, **fit):
    jk.utils.set_random_seed(1)
    model = make()
    schedule = jk.optimizers.schedules.ExponentialDecay(0.01, 3, 0.9)
    every = how in ("single", "executions")
    model.compile(
        jk.optimizers.SGD(schedule, momentum=0.9),  # Adam would amplify rounding differences to whole steps
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        run_eagerly=how == "eager",
        steps_per_execution=3 if how == "executions" else 1,
    )
    x, y = data()
    callbacks = [EveryBatch()] if every else []
    history = model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=callbacks, **fit)
    return model, history.history, callbacks


@functools.cache
def weighted(make, how):
    return run(make, how, class_weight={0: 1.0, 1: 2.0, 2: 0.5}, validation_split=0.2)


@pytest.mark.parametrize("make", by_default((dense, convolutional, recurrent), {recurrent}))
@pytest.mark.parametrize("how", by_default(("single", "executions", "eager"), {"single", "executions"}))
def test_all_execution_modes_are_equivalent(make, how):
    fused, a, _ = weighted(make, "fused")
    other, b, callbacks = weighted(make, how)
    assert set(a) == set(b) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    for key in a:
        np.testing.assert_allclose(a[key], b[key], rtol=2e-5, atol=1e-6, err_msg=key)
    for v, w in zip(fused.get_weights(), other.get_weights()):
        np.testing.assert_allclose(v, w, rtol=1e-4, atol=1e-5)
    for v, w in zip(fused.optimizer.variables, other.optimizer.variables):
        np.testing.assert_allclose(v.numpy(), w.numpy(), rtol=1e-3, atol=1e-5)
    if how == "executions":
        assert callbacks[0].steps[:2] == [2, 5]  # 29 rows: three whole batches at once, then the ragged one


def test_streams_are_equivalent_to_arrays():
    x, y = data()
    runs = []
    for kind in ("arrays", "generator", "PyDataset"):
        jk.utils.set_random_seed(1)
        model = dense()
        model.compile("adam", "sparse_categorical_crossentropy")

        class Batches(jk.utils.PyDataset):
            def __len__(self):
                return 5

            def __getitem__(self, i):
                return x[8 * i : 8 * i + 8], y[8 * i : 8 * i + 8]

        def generator():
            while True:
                for i in range(5):
                    yield x[8 * i : 8 * i + 8], y[8 * i : 8 * i + 8]

        if kind == "arrays":
            h = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
        elif kind == "generator":
            h = model.fit(generator(), epochs=2, steps_per_epoch=5, verbose=0)
        else:
            h = model.fit(Batches(), epochs=2, shuffle=False, verbose=0)
        runs.append((h.history["loss"], model.get_weights()))
    for losses, weights in runs[1:]:
        np.testing.assert_allclose(losses, runs[0][0], rtol=1e-5)
        for v, w in zip(weights, runs[0][1]):
            np.testing.assert_allclose(v, w, rtol=1e-4, atol=1e-6)


def test_same_seed_gives_bit_identical_runs():
    a, b = (run(dense, "fused")[0].get_weights() for _ in range(2))
    for v, w in zip(a, b):
        np.testing.assert_array_equal(v, w)


def test_ragged_batch_is_not_padded():
    """Batch statistics use the five real rows, not eight padded ones."""
    x = np.concatenate([np.zeros((8, 1)), np.full((5, 1), 4.0)]).astype("float32")
    model = jk.Sequential([jk.Input((1,)), jk.layers.BatchNormalization(momentum=0.0)])
    model.compile("sgd", "mse")
    model.fit(x, x, batch_size=8, shuffle=False, verbose=0)
    np.testing.assert_allclose(model.layers[0].moving_mean.numpy(), [4.0])


def test_evaluate_and_predict_equal_calling_the_model():
    model, _, _ = run(dense, "fused")
    x, y = data()
    p = model.predict(x, batch_size=8, verbose=0)
    np.testing.assert_allclose(p, model(x), rtol=1e-5, atol=1e-6)
    loss, accuracy = model.evaluate(x, y, batch_size=8, verbose=0)
    np.testing.assert_allclose(loss, -np.log(p[np.arange(ROWS), y]).mean(), rtol=1e-4)
    np.testing.assert_allclose(accuracy, (p.argmax(1) == y).mean(), rtol=1e-6)
    assert jax.tree.leaves(model.predict_on_batch(x[:3]))[0].shape == (3, 3)
