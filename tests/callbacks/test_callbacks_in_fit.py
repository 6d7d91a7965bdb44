"""Callbacks in a real `fit`."""

import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.callbacks import (
    Callback,
    EarlyStopping,
    LearningRateScheduler,
    ReduceLROnPlateau,
    SwapEMAWeights,
    TerminateOnNaN,
)

X = np.linspace(-1, 1, 64, dtype="float32").reshape(32, 2)
Y = X[:, :1] * 2 - 1


def make(optimizer="sgd", **options):
    model = jk.Sequential([jk.Input((2,)), jk.layers.Dense(1)])
    model.compile(optimizer, "mse", **options)
    return model


def fit(model, callbacks, epochs=3, **options):
    return model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0, callbacks=callbacks, **options)


class Watch(Callback):
    def __init__(self):
        super().__init__()
        self.batches, self.losses = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.batches.append(batch)
        self.losses.append(logs["loss"])


def test_batch_hook_sees_every_batch():
    watch = Watch()
    history = fit(make(), watch, epochs=2)
    assert watch.batches == [0, 1, 2, 3] * 2
    assert watch.losses[3::4] == pytest.approx(history.history["loss"])


def test_batch_hook_with_steps_per_execution():
    watch = Watch()
    fit(make(steps_per_execution=2), watch, epochs=1)
    assert watch.batches == [1, 3]


def test_stop_training_in_a_batch_hook():
    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    watch = Watch()
    history = fit(make(), [Stop(), watch])
    assert watch.batches == [0, 1] and len(history.epoch) == 1


def test_early_stopping_restores_the_best_weights():
    kept = []

    class Keep(Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept.append(self.model.get_weights())

    model = make(jk.optimizers.SGD(3.0))  # diverges
    stop = EarlyStopping("val_loss", patience=2, restore_best_weights=True)
    history = fit(model, [Keep(), stop], epochs=10, validation_data=(X, Y))
    assert len(history.epoch) == 3 and stop.best_epoch == 0
    for mine, best in zip(model.get_weights(), kept[0]):
        np.testing.assert_array_equal(mine, best)


@pytest.mark.parametrize(("monitor", "mode"), [("val_accuracy", "max"), ("mae", "min")])
def test_directions_of_built_in_metrics(monitor, mode):
    model = make(metrics=["accuracy", "mae"])
    stop = EarlyStopping(monitor)
    fit(model, stop, validation_split=0.25)
    assert stop._find_mode({}) == mode


def test_learning_rates_are_changed_and_logged():
    model = make()
    history = fit(model, LearningRateScheduler(lambda epoch, lr: lr / 2))
    np.testing.assert_allclose(history.history["learning_rate"], [0.005, 0.0025, 0.00125], rtol=1e-6)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.00125)
    history = fit(model, ReduceLROnPlateau("loss", factor=0.1, patience=1, min_delta=10.0))
    np.testing.assert_allclose(history.history["learning_rate"], [0.00125, 0.00125, 0.000125], rtol=1e-6)


def test_terminate_on_nan():
    model = make(jk.optimizers.SGD(1e30))
    history = fit(model, TerminateOnNaN(), epochs=5)
    assert len(history.epoch) <= 2
    with pytest.raises(RuntimeError, match="loss became"):
        fit(make(jk.optimizers.SGD(1e30)), TerminateOnNaN(raise_error=True), epochs=5)


def fit_with_averages(swap_on_epoch):
    """Weights at the end of each epoch, evaluated weights, the model, and the validation losses."""
    at_end, evaluated = [], []

    class Look(Callback):
        def on_test_begin(self, logs=None):
            evaluated.append(self.model.get_weights())

        def on_epoch_end(self, epoch, logs=None):
            at_end.append(self.model.get_weights())

    model = make(jk.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
    history = fit(model, [SwapEMAWeights(swap_on_epoch), Look()], epochs=2, validation_data=(X, Y))
    return at_end, evaluated, model, history.history["val_loss"]


@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_validation_uses_averaged_weights(swap_on_epoch):
    at_end, evaluated, model, losses = fit_with_averages(swap_on_epoch)
    for epoch in range(2):
        assert np.array_equal(at_end[epoch][0], evaluated[epoch][0]) == swap_on_epoch
        model.set_weights(evaluated[epoch])
        assert losses[epoch] == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-5)


@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_fit_ends_with_averaged_weights(swap_on_epoch):
    _, evaluated, model, _ = fit_with_averages(swap_on_epoch)
    np.testing.assert_array_equal(model.get_weights()[0], evaluated[-1][0])


def test_progress_bar_of_every_method(capsys):
    model = make(metrics=["mae"])
    model.fit(X, Y, batch_size=8, epochs=2, validation_data=(X, Y))
    model.evaluate(X, Y)
    model.predict(X)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Epoch 1/2" and lines[2] == "Epoch 2/2" and len(lines) == 6
    assert lines[1].startswith("4/4 ━━━━━━━━━━━━━━━━━━━━ ")
    assert [word.split(":")[0] for word in lines[1].split(" - ")[1:]] == ["loss", "mae", "val_loss", "val_mae"]
    assert [word.split(":")[0] for word in lines[4].split(" - ")[1:]] == ["loss", "mae"]
    assert lines[5].startswith("1/1 ━")


def test_best_model_is_saved(tmp_path):
    model = make()
    best = jk.callbacks.ModelCheckpoint(tmp_path / "best.keras", "loss", save_best_only=True)
    pattern = tmp_path / "{epoch:02d}-{batch:02d}.weights.h5"
    weights = jk.callbacks.ModelCheckpoint(pattern, save_weights_only=True, save_freq=3)
    fit(model, [best, weights], epochs=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["01-03.weights.h5", "02-02.weights.h5", "best.keras"]
    loaded = jk.models.load_model(tmp_path / "best.keras")
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    again = make()
    again.load_weights(tmp_path / "02-02.weights.h5")
    assert not np.array_equal(again.get_weights()[0], model.get_weights()[0])  # two batches before the end


def test_failed_run_releases_resources(tmp_path):
    class Held(jk.callbacks.Callback):
        released = 0

        def release(self):
            self.released += 1
            raise OSError("disk full")

    class Fails(jk.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise RuntimeError("the user's own")

    class OfAnotherLibrary:
        def __getattr__(self, name):
            if name.startswith(("on_", "set_")):
                return lambda *args, **kwargs: None
            raise AttributeError(name)

    held, table = Held(), jk.callbacks.CSVLogger(tmp_path / "log.csv")
    model = jk.Sequential([jk.Input((2,)), jk.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((4, 2))
    callbacks = [held, table, OfAnotherLibrary(), Fails()]
    with pytest.warns(UserWarning, match="Held could not close.*disk full"), pytest.raises(RuntimeError, match="own"):
        model.fit(x, x[:, :1], epochs=3, verbose=0, callbacks=callbacks)
    assert held.released == 1 and table.csv_file is None
    model.fit(x, x[:, :1], verbose=0, callbacks=[held])
    assert held.released == 1  # not called after a successful run
