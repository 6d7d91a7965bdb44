import json
import threading
import warnings
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from jaxkeras.callbacks import (
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ProgbarLogger,
    ReduceLROnPlateau,
    RemoteMonitor,
    SwapEMAWeights,
    TerminateOnNaN,
)
from jaxkeras.callbacks.callback_list import HOOKS
from tests.callbacks.fakes import FakeMetric, FakeModel, FakeOptimizer, run_epochs


# -- the list ---------------------------------------------------------------------------------------------------------
def test_every_hook_reaches_every_callback_in_order():
    calls = []

    def record(name):
        return LambdaCallback(**{hook: lambda *a, hook=hook, **k: calls.append((name, hook)) for hook in HOOKS})

    callbacks = CallbackList([record("a"), [record("b")]])
    assert len(HOOKS) == 16
    for hook in HOOKS:
        calls.clear()
        getattr(callbacks, hook)(*([0] if "batch" in hook or "epoch" in hook else []))
        assert calls == [("a", hook), ("b", hook)]


def test_logs_are_sorted_floats_shared_by_all_callbacks():
    seen = []

    class Add(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["added"] = 1

    callbacks = CallbackList([Add(), LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs))])
    callbacks.on_epoch_end(0, {"b": np.float32(0.5), "a": np.array(1), "text": "x"})
    assert seen == [{"a": 1.0, "b": 0.5, "text": "x", "added": 1}]
    assert list(seen[0]) == ["a", "b", "text", "added"] and type(seen[0]["b"]) is float


def test_missing_logs_are_empty():
    seen = []
    CallbackList(LambdaCallback(on_train_begin=seen.append)).on_train_begin()
    assert seen == [{}]


def test_lazy_logs_are_passed_without_reading_them():
    class Lazy(dict):
        def __getitem__(self, key):
            raise AssertionError("read")

        items = __getitem__

    seen = []
    callbacks = CallbackList(LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs)))
    callbacks.on_train_batch_end(0, Lazy())
    assert type(seen[0]) is Lazy


def test_default_callbacks_are_added_once():
    assert [type(c) for c in CallbackList(None, True, True).callbacks] == [History, ProgbarLogger]
    mine = [ProgbarLogger(), History()]
    assert CallbackList(mine, True, True).callbacks == mine


def test_model_and_params_are_set():
    callback, model = Callback(), FakeModel()
    callbacks = CallbackList(callback, add_history=True, model=model, epochs=3)
    assert callback.model is model and callback.params == {"epochs": 3}
    assert model.history is callbacks.callbacks[1]


def test_subclass_without_super_init():
    class Forgetful(Callback):
        def __init__(self):
            self.x = 1

    callback = Forgetful()
    assert callback.model is None and callback.params is None and callback.validation_data is None


@pytest.mark.parametrize(("wrong", "hint"), [(EarlyStopping, "EarlyStopping(...)"), (print, "LambdaCallback")])
def test_non_callback_raises(wrong, hint):
    with pytest.raises(TypeError) as error:
        CallbackList([wrong])
    assert hint in str(error.value)


# -- batch hooks ------------------------------------------------------------------------------------------------------
class EveryBatch(Callback):
    def on_train_batch_end(self, batch, logs=None):
        pass


class OldName(Callback):
    def on_batch_begin(self, batch, logs=None):
        pass


class Pieces(EveryBatch):
    sees_pieces = True


@pytest.mark.parametrize(
    ("callback", "mode", "sees", "wants"),
    [
        (Callback(), "train", False, False),
        (History(), "train", False, False),
        (EveryBatch(), "train", True, True),
        (EveryBatch(), "test", False, False),
        (OldName(), "train", True, True),
        (OldName(), "predict", False, False),
        (Pieces(), "train", True, False),
        (ProgbarLogger(), "train", True, False),
        (ProgbarLogger(), "test", True, False),
        (ProgbarLogger(), "predict", True, False),
        (TerminateOnNaN(), "train", True, False),
        (TerminateOnNaN(), "test", False, False),
        (ModelCheckpoint("a.keras"), "train", False, False),
        (ModelCheckpoint("a.keras", save_freq=5), "train", True, True),
        (LambdaCallback(on_epoch_end=print), "train", False, False),
        (LambdaCallback(on_train_batch_begin=print), "train", True, True),
        (LambdaCallback(on_test_batch_end=print), "test", True, True),
        (CallbackList([History(), EveryBatch()]), "train", True, True),
        (CallbackList([]), "train", False, False),
    ],
)
def test_which_callbacks_need_batch_hooks(callback, mode, sees, wants):
    assert (callback.sees_batches(mode), callback.wants_batches(mode)) == (sees, wants)
    assert (CallbackList(callback).sees_batches(mode), CallbackList(callback).wants_batches(mode)) == (sees, wants)


def test_checkpoint_subclass_with_a_batch_hook_sees_batches():
    class Mine(ModelCheckpoint):
        def on_train_batch_end(self, batch, logs=None):
            pass

    assert Mine("a.keras").wants_batches("train")


def test_callback_of_another_library_sees_every_batch():
    keras = pytest.importorskip("keras")
    callbacks = CallbackList(keras.callbacks.Callback(), model=FakeModel())
    assert callbacks.wants_batches("train")
    callbacks.on_train_batch_end(0, {"loss": 1.0})


# -- monitors ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("monitor", "metrics", "mode"),
    [
        ("val_loss", [], "min"),
        ("out_loss", [], "min"),
        ("val_acc", [FakeMetric("acc", "up")], "max"),
        ("mae", [FakeMetric("acc", "up"), FakeMetric("mae", "down")], "min"),
        ("val_out_auc", [FakeMetric("auc", "up")], "max"),
    ],
)
def test_direction_of_a_metric(monitor, metrics, mode):
    callback = EarlyStopping(monitor)
    container = FakeMetric("compile_metrics")
    container.metrics = metrics
    for listed in (metrics, [container]):
        callback.set_model(FakeModel(metrics=listed))
        assert callback._find_mode({}) == mode


def test_unknown_direction_raises():
    model = FakeModel(metrics=[FakeMetric("mine")])
    with pytest.raises(ValueError, match=r"EarlyStopping\(monitor='mine'\).*mode='min'"):
        run_epochs(CallbackList(EarlyStopping("mine")), [{"mine": 1.0}], model)


def test_misspelt_metric_raises():
    with pytest.raises(ValueError, match="val_los.*val_loss"):
        run_epochs(CallbackList(EarlyStopping("val_los")), [{"val_loss": 1.0}], FakeModel())


@pytest.mark.parametrize(
    "callback", [EarlyStopping(), ReduceLROnPlateau(), ModelCheckpoint("a.keras", save_best_only=True)]
)
def test_missing_metric_warns_once(callback):
    with pytest.warns(UserWarning, match=r"no metric 'val_loss'.*loss.*Pass `validation_data`") as caught:
        assert run_epochs(CallbackList(callback), [{"loss": 1.0}] * 3, FakeModel()) == 3
    assert len(caught) == 1


def test_unknown_mode_warns():
    with pytest.warns(UserWarning, match="mode 'best' is unknown"):
        assert EarlyStopping(mode="best").mode == "auto"


def test_early_stopping_messages(capsys):
    stop = EarlyStopping("loss", patience=2, restore_best_weights=True, verbose=1)
    model = FakeModel()
    assert run_epochs(CallbackList(stop), [{"loss": x} for x in (3.0, 1.0, 2.0, 2.0, 0.0)], model) == 4
    assert model.weights[0][0] == 1
    assert capsys.readouterr().out == (
        "Epoch 4: early stopping, no better loss in 2 epochs\nThe model has the weights of its best epoch, 2.\n"
    )


def test_early_stopping_with_a_custom_monitor_value():
    class Sum(EarlyStopping):
        def get_monitor_value(self, logs):
            return logs["a"] + logs["b"]

    logs = [{"a": 1.0, "b": 1.0}, {"a": 2.0, "b": -1.0}, {"a": 0.0, "b": 3.0}, {"a": 0.0, "b": 0.0}]
    assert run_epochs(CallbackList(Sum("sum", mode="min")), logs, FakeModel()) == 3


def test_early_stopping_can_be_reused():
    stop = EarlyStopping("loss")
    for _ in range(2):
        assert run_epochs(CallbackList(stop), [{"loss": 1.0}, {"loss": 2.0}, {"loss": 3.0}], FakeModel()) == 2


# -- checkpoints ------------------------------------------------------------------------------------------------------
def test_model_checkpoint_creates_folders_and_prints_messages(tmp_path, capsys):
    path = tmp_path / "runs" / "{epoch}.keras"
    model = FakeModel()
    save = ModelCheckpoint(path, save_best_only=True, verbose=1)
    run_epochs(CallbackList(save), [{"val_loss": x} for x in (2.0, 3.0, 1.0)], model)
    assert model.saved == [str(tmp_path / "runs" / f"{i}.keras") for i in (1, 3)]
    assert (tmp_path / "runs").is_dir()
    assert capsys.readouterr().out.splitlines() == [
        f"Epoch 1: best val_loss so far, 2.00000; saving the model to {model.saved[0]}",
        "Epoch 2: val_loss 3.00000 is not better than 2.00000",
        f"Epoch 3: best val_loss so far, 1.00000, before 2.00000; saving the model to {model.saved[1]}",
    ]


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"filepath": "model"}, "Write 'model.keras'"),
        ({"filepath": "model.keras", "save_weights_only": True}, "Write 'model.weights.h5'"),
        ({"filepath": "model.h5", "save_weights_only": True}, "Write 'model.weights.h5'"),
        ({"filepath": "model.keras", "save_freq": "batch"}, "'epoch' or a positive number"),
        ({"filepath": "model.keras", "save_freq": 0}, "'epoch' or a positive number"),
    ],
)
def test_model_checkpoint_invalid_arguments_raise(options, hint):
    with pytest.raises(ValueError, match=hint.replace(".", r"\.")):
        ModelCheckpoint(**options)


def test_unknown_placeholder_raises():
    with pytest.raises(KeyError, match="val_los.*val_loss"):
        run_epochs(CallbackList(ModelCheckpoint("{val_los:.2f}.keras")), [{"val_loss": 1.0}], FakeModel())


def test_checkpoint_path_that_is_a_folder_raises(tmp_path):
    with pytest.raises(OSError, match="folder of that name"):
        (tmp_path / "m.keras").mkdir()
        run_epochs(CallbackList(ModelCheckpoint(tmp_path / "m.keras")), [{"loss": 1.0}], FakeModel())


# -- learning rates ---------------------------------------------------------------------------------------------------
class ManyOptimizers:
    def __init__(self):
        self.optimizers = [FakeOptimizer(0.1), FakeOptimizer(0.2)]
        self.optimizers[1].name = "adam"


@pytest.mark.parametrize(
    "callback", [LearningRateScheduler(lambda epoch, lr: lr / 2, 1), ReduceLROnPlateau("loss", 0.5, 1, 1)]
)
def test_learning_rates_of_multiple_optimizers_are_changed(callback, capsys):
    model = FakeModel()
    model.optimizer = ManyOptimizers()
    logs = [{"loss": 1.0}] * (1 if isinstance(callback, LearningRateScheduler) else 2)
    callbacks = CallbackList(callback, add_history=True)
    run_epochs(callbacks, logs, model)
    np.testing.assert_allclose([o.learning_rate for o in model.optimizer.optimizers], [0.05, 0.1])
    assert list(model.history.history) == ["learning_rate_adam", "learning_rate_sgd", "loss"][2:] + [
        "learning_rate_sgd",
        "learning_rate_adam",
    ]
    out = capsys.readouterr().out
    assert "of sgd" in out and "of adam" in out


def test_type_error_inside_a_schedule_propagates():
    def schedule(epoch, lr):
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        run_epochs(CallbackList(LearningRateScheduler(schedule)), [{}], FakeModel())


@pytest.mark.parametrize("wrong", [None, "0.1", np.ones(2)])
def test_schedule_must_return_a_number(wrong):
    with pytest.raises(ValueError, match="must return a number"):
        run_epochs(CallbackList(LearningRateScheduler(lambda epoch, lr: wrong)), [{}], FakeModel())


def test_schedule_may_return_an_array():
    import jax.numpy as jnp

    model = FakeModel()
    run_epochs(CallbackList(LearningRateScheduler(lambda epoch, lr: lr * jnp.exp(-1.0))), [{}], model)
    assert model.optimizer.learning_rate == pytest.approx(0.1 * np.exp(-1), rel=1e-6)


def test_optimizer_without_a_learning_rate_raises():
    model = FakeModel()
    model.optimizer = object()
    with pytest.raises(ValueError, match="no `learning_rate`"):
        run_epochs(CallbackList(LearningRateScheduler(lambda epoch: 0.1)), [{}], model)


def test_reduce_lr_on_plateau_arguments():
    with pytest.raises(ValueError, match="below 1"):
        ReduceLROnPlateau(factor=1.5)
    with pytest.warns(UserWarning, match="no argument `patiance`.*`patience`"):
        ReduceLROnPlateau(patiance=3)


# -- others -----------------------------------------------------------------------------------------------------------
def test_lambda_callback_rejects_unknown_hooks():
    with pytest.raises(ValueError, match="on_epoch_ends.*on_epoch_end"):
        LambdaCallback(on_epoch_ends=print)
    assert LambdaCallback(note=1).note == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_terminate_on_nan(value, capsys):
    model = FakeModel()
    callbacks = CallbackList(TerminateOnNaN(), model=model)
    callbacks.on_train_batch_end(0, {"loss": 1.0})
    callbacks.on_train_batch_end(1, {})
    assert not model.stop_training
    callbacks.on_train_batch_end(7, {"loss": value})
    assert model.stop_training
    assert capsys.readouterr().out == f"Batch 7: the loss is {value}; training ends.\n"
    with pytest.raises(RuntimeError, match="batch 7"):
        CallbackList(TerminateOnNaN(raise_error=True), model=FakeModel()).on_train_batch_end(7, {"loss": value})


def test_csv_logger_closes_its_file_and_creates_folders(tmp_path):
    logger = CSVLogger(tmp_path / "a" / "b.csv")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logger.on_train_begin()  # of an interrupted run
        run_epochs(CallbackList(logger), [{"loss": 1.0}], FakeModel())
    assert logger.csv_file is None
    assert (tmp_path / "a" / "b.csv").read_text().splitlines()[0] == "epoch,loss,val_loss"


@contextmanager
def post_server(status=200):
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, self.headers["Content-Type"], self.headers["X-Mine"], body.decode()))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", received
        finally:
            server.shutdown()
            thread.join()


def test_remote_monitor_sends_json():
    with post_server() as (url, received):
        monitor = RemoteMonitor(url, path="/x/", headers={"X-Mine": "1"}, send_as_json=True)
        monitor.on_epoch_end(3, {"loss": np.float32(0.5), "many": np.arange(2)})
    path, kind, mine, body = received[0]
    assert (path, kind, mine) == ("/x/", "application/json", "1")
    assert json.loads(body) == {"epoch": 3, "loss": 0.5, "many": [0, 1]}


def test_remote_monitor_sends_a_form_and_ignores_server_errors():
    with post_server(500) as (url, received):
        RemoteMonitor(url).on_epoch_end(0, {"loss": 0.5})
    path, kind, _, body = received[0]
    assert (path, kind) == ("/publish/epoch/end/", "application/x-www-form-urlencoded")
    assert body == "data=%7B%22epoch%22%3A+0%2C+%22loss%22%3A+0.5%7D"


def test_remote_monitor_without_a_server_warns():
    with post_server() as (url, _):
        pass
    with pytest.warns(UserWarning, match="cannot reach"):
        RemoteMonitor(url).on_epoch_end(0, {})


def test_swap_ema_weights_needs_averages():
    with pytest.raises(ValueError, match="use_ema=True"):
        CallbackList(SwapEMAWeights(), model=FakeModel()).on_test_begin()
