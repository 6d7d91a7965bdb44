"""For the same logs, callbacks have the same effect as Keras's."""

import itertools
import warnings

import numpy as np
import pytest

import jaxkeras.callbacks as ours
from tests.callbacks.fakes import FakeModel, run_epochs

keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
LOGS = [
    [{"loss": float(a), "val_loss": float(b)} for a, b in RNG.choice([0.1, 0.2, 0.25, 0.3, 0.5, 0.9], (12, 2))]
    for _ in range(6)
]


def effects(kind, name, logs, options, attributes):
    model = FakeModel()
    rates = []
    callback = getattr(kind, name)(**options)

    def look(epoch, logs):
        rates.append((float(model.optimizer.learning_rate), dict(logs)))

    watch = kind.LambdaCallback(on_epoch_end=look)
    done = run_epochs(kind.CallbackList([callback, watch]), logs, model)
    state = {a: getattr(callback, a) for a in attributes}
    return done, rates, [w.tolist() for w in model.weights], model.saved, state


def check(name, options, attributes=(), logs=LOGS):
    for sequence in logs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mine = effects(ours, name, sequence, options, attributes)
            theirs = effects(keras.callbacks, name, sequence, options, attributes)
        assert mine == theirs


@pytest.mark.parametrize("patience", [0, 1, 3])
@pytest.mark.parametrize("restore_best_weights", [False, True])
@pytest.mark.parametrize("baseline", [None, 0.15, 0.4])
def test_early_stopping(patience, restore_best_weights, baseline):
    for min_delta, start, mode in itertools.product([0, 0.1, -0.1], [0, 2], ["auto", "max"]):
        options = dict(
            patience=patience, restore_best_weights=restore_best_weights, baseline=baseline, min_delta=min_delta,
            start_from_epoch=start, mode=mode,
        )  # fmt: skip
        check("EarlyStopping", options, ("wait", "best", "best_epoch", "stopped_epoch"), LOGS[:3])


@pytest.mark.parametrize("cooldown", [0, 2])
@pytest.mark.parametrize("patience", [0, 1, 2])
@pytest.mark.parametrize("min_lr", [0.0, 0.03])
def test_reduce_lr_on_plateau(cooldown, patience, min_lr):
    for mode, min_delta in itertools.product(["min", "max", "auto"], [1e-4, 0.1]):
        options = dict(
            factor=0.5, patience=patience, cooldown=cooldown, min_lr=min_lr, mode=mode, min_delta=min_delta
        )
        check("ReduceLROnPlateau", options, ("wait", "best", "cooldown_counter"), LOGS[:3])


@pytest.mark.parametrize("schedule", [lambda epoch, lr: lr * 0.9, lambda epoch: 0.1 / (epoch + 1)])
def test_learning_rate_scheduler(schedule):
    check("LearningRateScheduler", {"schedule": schedule}, (), LOGS[:1])


@pytest.mark.parametrize("threshold", [None, 0.25])
@pytest.mark.parametrize("mode", ["auto", "max"])
@pytest.mark.parametrize("monitor", ["val_loss", "absent"])
def test_model_checkpoint(threshold, mode, monitor, tmp_path):
    for best, weights in itertools.product([False, True], [False, True]):
        if monitor == "absent" and mode == "auto":
            continue  # raises if the metric is monitored
        options = dict(
            filepath=str(tmp_path / f"{{epoch:02d}}-{{val_loss:.2f}}{'.weights.h5' if weights else '.keras'}"),
            save_best_only=best, save_weights_only=weights, initial_value_threshold=threshold, mode=mode,
            monitor=monitor,
        )  # fmt: skip
        check("ModelCheckpoint", options, ("best",))


@pytest.mark.parametrize("save_freq", [1, 3, 4, 7])
@pytest.mark.parametrize("execution", [1, 2])
def test_model_checkpoint_between_batches(save_freq, execution, tmp_path):
    saved = []
    for kind in (ours, keras.callbacks):
        model = FakeModel()
        path = str(tmp_path / "{epoch}-{batch}-{loss:.1f}.keras")
        callbacks = kind.CallbackList([kind.ModelCheckpoint(path, save_freq=save_freq)], model=model)
        callbacks.on_train_begin()
        for epoch in range(3):
            callbacks.on_epoch_begin(epoch)
            for last in range(execution - 1, 10, execution):
                callbacks.on_train_batch_end(last, {"loss": last / 10})
            callbacks.on_epoch_end(epoch, {"loss": 1.0})
        saved.append(model.saved)
    assert saved[0] == saved[1] and saved[0]


@pytest.mark.parametrize("validated", [False, True])
@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize("separator", [",", ";"])
def test_csv_logger(validated, append, separator, tmp_path):
    epochs = [{"loss": 0.5, "accuracy": 1 / 3, "counts": np.arange(3), **({"val_loss": 1.0} if validated else {})}]
    epochs += [{"loss": 0.25, "accuracy": 0.5, "counts": np.arange(3), "val_loss": 2.0}, {"loss": 0.125}]
    contents = []
    for kind in (ours, keras.callbacks):
        path = tmp_path / f"{kind.__name__}.csv"
        for _ in range(2):
            run_epochs(kind.CallbackList(kind.CSVLogger(path, separator, append)), epochs, FakeModel())
        contents.append(path.read_bytes())
    assert contents[0] == contents[1] and contents[0].count(b"\n") == (7 if append else 4)


def test_history():
    histories = []
    for kind in (ours, keras.callbacks):
        model = FakeModel()
        callbacks = kind.CallbackList(kind.LearningRateScheduler(lambda epoch, lr: lr / 2), add_history=True, epochs=3)
        run_epochs(callbacks, [{"b": np.float32(1), "a": 2.0, "nested": {"c": 3.0}}] * 3, model)
        histories.append((model.history.history, model.history.epoch, model.history.params))
    assert histories[0] == histories[1]
    assert list(histories[0][0]) == ["a", "b", "c", "learning_rate"]


NAMES = [
    "Callback", "CallbackList", "CSVLogger", "EarlyStopping", "History", "LambdaCallback", "LearningRateScheduler",
    "ModelCheckpoint", "ProgbarLogger", "ReduceLROnPlateau", "RemoteMonitor", "SwapEMAWeights", "TerminateOnNaN",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_signatures(name):
    import inspect

    def parameters(kind):
        return [(p.name, p.default, p.kind) for p in inspect.signature(getattr(kind, name)).parameters.values()]

    assert parameters(ours) == parameters(keras.callbacks)


@pytest.mark.parametrize("name", [n for n in vars(keras.callbacks.Callback) if not n.startswith("_")])
def test_hooks(name):
    assert hasattr(ours.Callback, name)
